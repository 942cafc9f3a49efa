//! Properties of the engine: transactions, fresh reads, outcomes under faults, requests, creation.
//!
//! Everything runs in virtual time over a store in memory, from fixed seeds.

#[cfg(test)]
mod faulty;
#[cfg(test)]
mod genesis;
#[cfg(all(test, feature = "mutants"))]
mod mutants;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod outcomes_at_random;
#[cfg(test)]
mod outcomes_of_callers;
#[cfg(test)]
mod outcomes_of_late_puts;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod reads_of_broken_heads;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod support;
#[cfg(test)]
mod transact;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod transactions_refused;
