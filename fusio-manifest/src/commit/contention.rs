//! When a winner lets others go first.
//!
//! Nobody ever waits between learning what HEAD is and replacing it: a loser that waits loses again. But a
//! winner that sends its next PUT at once, without a GET in between, beats every loser again. So one that
//! has lost a race lately pauses for about as long as the losers need to look.

use std::time::Duration;

use crate::clock::Moment;

/// A race lost within this many PUT times counts as lately.
const LATELY: u32 = 20;

#[derive(Debug, Default)]
pub(super) struct Contention {
    lost_at: Option<Moment>,
}

impl Contention {
    pub(super) fn lost_race(&mut self, now: Moment) {
        self.lost_at = Some(now);
    }

    /// How long a winner with more to send pauses: up to two GETs, by a draw from `[0, 1)`.
    pub(super) fn pause(&self, now: Moment, get: Duration, put: Duration, draw: f64) -> Option<Duration> {
        let lost_at = self.lost_at?;
        (now.saturating_sub(lost_at) < put * LATELY).then(|| (get * 2).mul_f64(draw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Duration = Duration::from_millis(30);
    const PUT: Duration = Duration::from_millis(60);

    #[test]
    fn only_who_lost_lately_pauses() {
        let mut contention = Contention::default();
        assert_eq!(contention.pause(PUT, GET, PUT, 0.5), None);
        contention.lost_race(PUT);
        assert_eq!(contention.pause(PUT * 2, GET, PUT, 0.5), Some(GET));
        assert_eq!(contention.pause(PUT * 21, GET, PUT, 0.5), None);
    }
}
