//! Properties of the engine: transactions, fresh reads, outcomes under faults, requests, creation.
//!
//! All but `s3_store`, `credentials`, `credentials_renewed`, `measured`, `asked` and the half of `fault_table` that goes over
//! HTTP run in virtual time over a store in memory, from fixed seeds.

#[cfg(test)]
mod asked;
#[cfg(test)]
mod broken_log_objects;
#[cfg(test)]
mod broken_tables;
#[cfg(test)]
mod catch_up;
#[cfg(test)]
mod collect;
#[cfg(test)]
mod collect_folds;
#[cfg(test)]
mod collect_races;
#[cfg(test)]
mod copy;
#[cfg(test)]
#[cfg(feature = "s3")]
mod credentials;
#[cfg(test)]
#[cfg(feature = "s3")]
mod credentials_renewed;
#[cfg(test)]
mod destroy;
#[cfg(test)]
mod fault_table;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod fold;
#[cfg(test)]
mod fold_faults;
#[cfg(test)]
mod fold_limits;
#[cfg(test)]
mod fold_races;
#[cfg(test)]
mod fold_requests;
#[cfg(test)]
mod fold_validation;
#[cfg(test)]
mod format;
#[cfg(test)]
mod genesis;
#[cfg(test)]
mod hard_limit;
#[cfg(test)]
mod inspect;
#[cfg(test)]
mod large_batches;
#[cfg(test)]
mod large_transactions;
#[cfg(test)]
#[cfg(feature = "mutants")]
mod measured;
#[cfg(test)]
#[cfg(feature = "mutants")]
mod mutants;
#[cfg(test)]
mod new_heads;
#[cfg(test)]
mod numbered;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod outcomes_at_random;
#[cfg(test)]
mod outcomes_in_log_objects;
#[cfg(test)]
mod outcomes_of_callers;
#[cfg(test)]
mod outcomes_of_late_puts;
#[cfg(test)]
mod outcomes_of_unread_heads;
#[cfg(test)]
mod pins;
#[cfg(test)]
mod prefixes;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod reads_of_broken_heads;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod restore;
#[cfg(test)]
#[cfg(feature = "s3")]
mod s3_store;
#[cfg(test)]
mod spill;
#[cfg(test)]
mod spill_faults;
#[cfg(test)]
mod spill_races;
#[cfg(test)]
mod support;
#[cfg(test)]
mod transact;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod transactions_refused;
#[cfg(test)]
mod upkeep;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod verify_damage;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod watch_at_random;
#[cfg(test)]
mod watch_faults;
#[cfg(test)]
mod watch_gaps;
#[cfg(test)]
mod world;
#[cfg(test)]
mod wrong_dates;
