//! Times in which a plan lets nothing through.

use std::time::Duration;

use super::{Disturbance, FaultAction, FaultPlan, FaultRule, Occurs, Requests};

/// A time in which a rule hits every request that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The number of the rule, from 1.
    pub rule: usize,
    /// When it begins, since the plan was set.
    pub from: Duration,
    /// When it ends.
    pub to: Duration,
    /// Whether nothing of the commit path gets through to the store.
    pub outage: bool,
}

impl FaultPlan {
    /// The windows in which a rule hits all that it is about, in the order of the rules.
    pub fn windows(&self) -> Vec<Window> {
        let always = self
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.occurs == Occurs::Always);
        let windows = always.filter_map(|(index, rule)| {
            Some(Window {
                rule: index + 1,
                from: rule.from.unwrap_or_default(),
                to: rule.to?,
                outage: rule.is_outage(),
            })
        });
        windows.collect()
    }

    /// The outage that ends last.
    pub fn last_outage(&self) -> Option<Window> {
        let outages = self.windows().into_iter().filter(|window| window.outage);
        outages.max_by_key(|window| window.to)
    }

    /// When the last outage ends: the window of a rule that hits every request of the commit path, always, and
    /// keeps it from the store. None without one.
    pub fn last_outage_end(&self) -> Option<Duration> {
        self.last_outage().map(|outage| outage.to)
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
    fn windows_name_their_rules() {
        let plan: FaultPlan = "any p=0.5 to=9s reset; get to=2s stall; any from=1s to=3s drop"
            .parse()
            .unwrap();
        let seen: Vec<_> = plan
            .windows()
            .iter()
            .map(|w| (w.rule, w.from.as_secs(), w.to.as_secs(), w.outage))
            .collect();
        assert_eq!(seen, [(2, 0, 2, false), (3, 1, 3, true)]);
        assert_eq!(plan.last_outage().map(|outage| outage.rule), Some(3));
        let names: Vec<_> = (0..5).map(|rule| plan.action_of(rule)).collect();
        let [reset, stall, drop] = ["reset", "stall", "drop"].map(|name| Some(name.to_owned()));
        assert_eq!(names, [None, reset, stall, drop, None]);
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
