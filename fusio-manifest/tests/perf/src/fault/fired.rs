//! Which faults really fired, and when.

use std::{collections::BTreeMap, time::Duration};

use super::Fault;

/// How finely it is kept when faults fired: memory grows with the time of a run, not with its requests.
pub const SLOT: Duration = Duration::from_millis(50);

/// How often each rule of a plan has hit a request since the plan was set, in slots of [`SLOT`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FiredFaults(BTreeMap<(u32, usize), u64>);

impl FiredFaults {
    /// A request that arrived so long after the plan was set has met this fault.
    pub fn note(&mut self, fault: &Fault, elapsed: Duration) {
        let slot = elapsed.as_nanos() / SLOT.as_nanos();
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        *self.0.entry((slot, fault.rule)).or_default() += 1;
    }

    /// The start of a slot, the number of a rule, from 1, and how often it fired in this slot: in the order of time.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, usize, u64)> {
        self.0
            .iter()
            .map(|((slot, rule), count)| (SLOT * *slot, *rule, *count))
    }

    /// How often a rule fired, by its number.
    pub fn of_rule(&self, rule: usize) -> u64 {
        self.iter()
            .filter(|(_, fired, _)| *fired == rule)
            .map(|(.., count)| count)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Disturbance, FaultAction};

    #[test]
    fn what_fired_is_counted_by_rule_and_slot() {
        let mut fired = FiredFaults::default();
        let fault = |rule| Fault {
            rule,
            action: FaultAction::Before(Disturbance::Drop),
            bit: 0,
        };
        for (rule, ms) in [(1, 0), (1, 49), (2, 49), (1, 50), (1, 10_000)] {
            fired.note(&fault(rule), Duration::from_millis(ms));
        }
        let seen: Vec<_> = fired
            .iter()
            .map(|(start, rule, count)| (start.as_millis(), rule, count))
            .collect();
        assert_eq!(seen, [(0, 1, 2), (0, 2, 1), (50, 1, 1), (10_000, 1, 1)]);
        assert_eq!([1, 2, 3].map(|rule| fired.of_rule(rule)), [4, 1, 0]);
    }
}
