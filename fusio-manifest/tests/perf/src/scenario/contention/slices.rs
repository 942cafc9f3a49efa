//! The two sides of the measurement by turns, in slices of time, so that both meet the same weather.

use std::time::Duration;

use fusio_manifest::Moment;

/// The longest slice.
const SLICE_MAX: Duration = Duration::from_secs(5);

/// Who has the store to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The handles of the engine.
    Engine,
    /// The bare loops.
    Bare,
}

/// Slices that give each side `total`, two for each at least. The side that begins changes from pair to pair.
pub(super) fn plan(total: Duration) -> Vec<(Side, Duration)> {
    let pairs = total.as_nanos().div_ceil(SLICE_MAX.as_nanos());
    let pairs = u32::try_from(pairs).unwrap_or(u32::MAX).max(2);
    let length = total / pairs;
    (0..pairs)
        .flat_map(|pair| match pair % 2 {
            0 => [Side::Engine, Side::Bare],
            _ => [Side::Bare, Side::Engine],
        })
        .map(|side| (side, length))
        .collect()
}

/// The times that one side had.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Windows(Vec<(Moment, Moment)>);

impl Windows {
    /// One more.
    pub(super) fn add(&mut self, begin: Moment, end: Moment) {
        self.0.push((begin, end));
    }

    /// All of them together.
    pub(super) fn total(&self) -> Duration {
        self.0.iter().map(|(begin, end)| end.saturating_sub(*begin)).sum()
    }

    /// How many of these moments lie within. What ends after its slice has not been achieved in it.
    pub(super) fn count(&self, moments: impl Iterator<Item = Moment>) -> u64 {
        let within = |moment: &Moment| {
            let mut windows = self.0.iter();
            windows.any(|(begin, end)| (*begin..*end).contains(moment))
        };
        moments.filter(within).count() as u64
    }

    /// So many a second; none without time.
    pub(super) fn per_second(&self, moments: impl Iterator<Item = Moment>) -> Option<f64> {
        let seconds = self.total().as_secs_f64();
        (seconds > 0.0).then(|| self.count(moments) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_side_gets_the_whole_duration_in_slices_that_are_not_too_long() {
        for seconds in [1, 4, 5, 6, 20, 61] {
            let plan = plan(SECOND * seconds);
            for side in [Side::Engine, Side::Bare] {
                let own: Vec<_> = plan.iter().filter(|(who, _)| *who == side).collect();
                assert!(own.len() >= 2, "{plan:?}");
                assert!(own.iter().all(|(_, length)| *length <= SLICE_MAX), "{plan:?}");
                let total: Duration = own.iter().map(|(_, length)| *length).sum();
                assert!((SECOND * seconds).saturating_sub(total) < Duration::from_micros(1));
            }
        }
    }

    #[test]
    fn the_sides_take_turns_at_being_first() {
        let sides: Vec<_> = plan(SECOND * 20).into_iter().map(|(side, _)| side).collect();
        let pairs: Vec<_> = sides.chunks(2).collect();
        assert_eq!(pairs.len(), 4);
        assert!(pairs.iter().all(|pair| pair[0] != pair[1]), "{pairs:?}");
        assert_eq!((pairs[0][0], pairs[1][0]), (Side::Engine, Side::Bare));
    }

    #[test]
    fn only_what_ended_within_a_window_counts() {
        let mut windows = Windows::default();
        windows.add(SECOND, SECOND * 3);
        windows.add(SECOND * 5, SECOND * 7);
        let moments = [0, 1, 2, 3, 4, 5, 7].map(|second| SECOND * second);
        assert_eq!(windows.count(moments.into_iter()), 3);
        assert_eq!(windows.per_second(moments.into_iter()), Some(0.75));
        assert_eq!(Windows::default().per_second(moments.into_iter()), None);
    }
}
