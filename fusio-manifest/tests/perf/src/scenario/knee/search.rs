//! Finding the highest rate that is sustained: doubling until one is not, then halving what lies between, in
//! ratios. Pure: it says what to try next and is told what came of it.

/// The bracket is narrow enough when its ends are this close.
const RATIO_ENOUGH: f64 = 1.05;
/// The most rates that are tried: enough from 1/s to 1,000/s.
pub(super) const PROBES_MAX: u32 = 16;
/// Rates outside are not tried.
const RATE_MIN: f64 = 0.1;
const RATE_MAX: f64 = 8_192.0;

/// What is known of one knee.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Search {
    first: f64,
    /// The highest rate that was sustained.
    pub(super) low: Option<f64>,
    /// The lowest rate above it that was not.
    pub(super) high: Option<f64>,
    probes: u32,
}

impl Search {
    /// Begins with this rate.
    pub(super) fn from(first: f64) -> Self {
        Self {
            first,
            low: None,
            high: None,
            probes: 0,
        }
    }

    /// The rate to try next; none when the knee is known well enough, or cannot be found.
    pub(super) fn next(&self) -> Option<f64> {
        let rate = match (self.low, self.high) {
            (None, None) => self.first,
            (Some(low), None) => low * 2.0,
            (None, Some(high)) => high / 2.0,
            (Some(low), Some(high)) if high / low > RATIO_ENOUGH => (low * high).sqrt(),
            (Some(_), Some(_)) => return None,
        };
        (self.probes < PROBES_MAX && (RATE_MIN..=RATE_MAX).contains(&rate)).then_some(rate)
    }

    /// Notes what came of a rate. Near the knee chance decides, so a rate that is sustained above one that was not
    /// does not count: the knee is what holds, not what held once.
    pub(super) fn note(&mut self, rate: f64, sustained: bool) {
        self.probes += 1;
        let end = if sustained { &mut self.low } else { &mut self.high };
        *end = Some(match *end {
            Some(known) if sustained => known.max(rate),
            Some(known) => known.min(rate),
            None => rate,
        });
        if let (Some(low), Some(high)) = (self.low, self.high)
            && low >= high
        {
            self.low = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a knee that lies exactly there. How many rates it took.
    fn find(knee: f64, first: f64) -> (Search, u32) {
        let mut search = Search::from(first);
        while let Some(rate) = search.next() {
            search.note(rate, rate <= knee);
        }
        (search, search.probes)
    }

    #[test]
    fn the_knee_lies_in_a_narrow_bracket() {
        for knee in [0.3, 1.0, 7.7, 15.9, 130.0, 1_000.0] {
            let (search, probes) = find(knee, 1.0);
            let (low, high) = (search.low.unwrap(), search.high.unwrap());
            assert!(
                low <= knee && knee < high && high / low <= RATIO_ENOUGH,
                "{knee}: {search:?}"
            );
            assert!(probes <= PROBES_MAX);
        }
        assert_eq!(find(15.9, 1.0).1, 9);
    }

    #[test]
    fn what_is_never_or_always_sustained_ends_the_search() {
        let (nothing, probes) = find(0.0, 1.0);
        assert_eq!((nothing.low, nothing.high, probes), (None, Some(0.125), 4));
        let (everything, probes) = find(f64::INFINITY, 1.0);
        assert_eq!(
            (everything.low, everything.high, probes),
            (Some(8_192.0), None, 14)
        );
    }

    #[test]
    fn a_rate_below_one_that_held_may_fail_and_the_lower_one_counts() {
        let mut search = Search::from(8.0);
        search.note(8.0, true);
        search.note(16.0, false);
        search.note(8.0, false);
        assert_eq!((search.low, search.high), (None, Some(8.0)));
        assert_eq!(search.next(), Some(4.0));
    }
}
