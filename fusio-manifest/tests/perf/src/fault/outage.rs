//! Times in which a plan lets nothing through.

use std::time::Duration;

use super::{Disturbance, FaultAction, FaultPlan, FaultRule, Occurs, Requests};

impl FaultPlan {
    /// When the last outage ends: the window of a rule that hits every request of the commit path, always, and
    /// keeps it from the store. None without one.
    pub fn last_outage_end(&self) -> Option<Duration> {
        self.rules
            .iter()
            .filter(|rule| rule.is_outage())
            .filter_map(|rule| rule.to)
            .max()
    }
}

impl FaultRule {
    fn is_outage(&self) -> bool {
        let every = matches!(self.requests, Requests::Any | Requests::Put | Requests::Cas);
        let hits = matches!(
            self.action,
            FaultAction::Before(
                Disturbance::Drop | Disturbance::Reset | Disturbance::Status(_) | Disturbance::StallUntil(_)
            )
        );
        every && hits && self.occurs == Occurs::Always
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> Option<u64> {
        let plan: FaultPlan = text.parse().unwrap();
        plan.last_outage_end().map(|end| end.as_secs())
    }

    #[test]
    fn an_outage_keeps_everything_from_the_store_for_a_while() {
        assert_eq!(end("any from=10s to=13s reset; any p=0.05 status=503"), Some(13));
        assert_eq!(end("any from=1s to=2s drop; cas from=20s to=22s stall"), Some(22));
    }

    #[test]
    fn what_lets_some_through_or_never_ends_is_none() {
        for text in [
            "none",
            "any p=0.05 after drop",
            "any from=1s to=2s p=0.5 reset",
            "any from=1s to=2s after drop",
            "any from=1s to=2s delay=50ms",
            "get from=1s to=2s reset",
            "any from=1s reset",
        ] {
            assert_eq!(end(text), None, "{text}");
        }
    }
}
