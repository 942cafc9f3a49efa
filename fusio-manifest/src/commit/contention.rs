//! When a winner lets others go first.
//!
//! Nobody ever waits between learning what HEAD is and replacing it: a loser that waits loses again. But a
//! winner that sends its next PUT at once, without a GET in between, beats every loser again. So one that
//! has lost a race lately sends nothing for about as long as the losers need to look. What comes to be committed
//! later than that waits for nothing.
//!
//! A winner does not see who loses to it, so to have lost nothing for a while may mean that somebody starves.
//! Therefore pauses get rarer with time but never end: one in two when the last loss is twice as long ago as
//! counts as lately, one in ten when it is ten times as long ago.
//!
//! Who won is a lottery, and a short one is unfair to somebody: of 16 handles one had half its share after 20 s. So
//! the pause is longer for a handle that replaced HEAD more often than the others lately, and none for one that
//! is behind ([`Standings`]).

use std::time::Duration;

use super::standings::Standings;
use crate::{
    clock::Moment,
    id::{HandleTag, Nonce},
};

/// A race lost within this many PUT times counts as lately.
const LATELY: u32 = 20;
/// No pause is longer, however slow GETs were lately.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// The share of a whole pause that a handle makes which is as often first as the others; with half a replacement
/// more it makes a whole one, with half a replacement less none.
const SHARE_OF_EQUALS: f64 = 0.5;

/// What chance decides after a body has landed: numbers from `[0, 1)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws {
    pub(super) whether: f64,
    pub(super) how_long: f64,
}

#[derive(Debug, Default)]
pub(super) struct Contention {
    lost_at: Option<Moment>,
    /// Before this nothing is sent.
    not_before: Moment,
    standings: Standings,
}

impl Contention {
    pub(super) fn lost_race(&mut self, now: Moment) {
        self.lost_at = Some(now);
    }

    /// A HEAD was seen, with these nonces.
    pub(super) fn learn(&mut self, nonces: &[(u64, Nonce)]) {
        self.standings.learn(nonces);
    }

    /// A body of the handle `own` has landed: the next one lets others go first, up to two GETs or two PUTs, what
    /// is less. Both draws are from `[0, 1)`.
    pub(super) fn won(&mut self, now: Moment, own: HandleTag, get: Duration, put: Duration, draws: Draws) {
        let Some(lost_at) = self.lost_at else { return };
        let lately = (put * LATELY).as_secs_f64();
        let since = now.saturating_sub(lost_at).as_secs_f64();
        if draws.whether * since < lately {
            let longest = (get.min(put) * 2).min(PAUSE_MAX);
            let share = (SHARE_OF_EQUALS + self.standings.lead(own)).clamp(0.0, 1.0);
            self.not_before = now.saturating_add(longest.mul_f64(draws.how_long * share));
        }
    }

    /// How long the next body still has to wait.
    pub(super) fn pause(&self, now: Moment) -> Option<Duration> {
        self.not_before.checked_sub(now).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Duration = Duration::from_millis(30);
    const PUT: Duration = Duration::from_millis(60);

    const RIVAL: u32 = 2;

    fn own() -> HandleTag {
        HandleTag::of(nonce(1))
    }

    fn nonce(handle: u32) -> Nonce {
        Nonce::from_bits(u128::from(handle) << 96)
    }

    /// A handle that has replaced HEAD so often more than its one rival, if that is positive, or less.
    fn ahead_by(lead: i32) -> Contention {
        let mut contention = Contention::default();
        let count = lead.unsigned_abs();
        let first = if lead > 0 { 1 } else { RIVAL };
        let winners = [1, RIVAL].into_iter().chain((0..count).map(|_| first));
        for (revision, winner) in (1..).zip(winners) {
            contention.learn(&[(revision, nonce(winner))]);
        }
        contention
    }

    /// What a leader makes is a whole pause.
    fn leading() -> Contention {
        ahead_by(4)
    }

    fn pause_after_winning(lost_at: Option<Moment>, won_at: Moment, whether: f64) -> Option<Duration> {
        let mut contention = leading();
        if let Some(lost_at) = lost_at {
            contention.lost_race(lost_at);
        }
        let draws = Draws {
            whether,
            how_long: 0.5,
        };
        contention.won(won_at, own(), GET, PUT, draws);
        contention.pause(won_at)
    }

    #[test]
    fn who_lost_lately_pauses_and_who_never_lost_does_not() {
        assert_eq!(pause_after_winning(None, PUT, 0.0), None);
        assert_eq!(pause_after_winning(Some(PUT), PUT * 2, 0.99), Some(GET));
        assert_eq!(pause_after_winning(Some(PUT), PUT * 20, 0.99), Some(GET));
    }

    #[test]
    fn pauses_get_rarer_and_never_end() {
        let lost = Some(Duration::ZERO);
        assert_eq!(pause_after_winning(lost, PUT * 40, 0.49), Some(GET));
        assert_eq!(pause_after_winning(lost, PUT * 40, 0.51), None);
        assert_eq!(pause_after_winning(lost, PUT * 2_000, 0.009), Some(GET));
        assert_eq!(pause_after_winning(lost, PUT * 2_000, 0.011), None);
    }

    #[test]
    fn a_stall_makes_no_long_pause() {
        let mut contention = leading();
        contention.lost_race(PUT);
        let draws = Draws {
            whether: 0.0,
            how_long: 0.999,
        };
        contention.won(
            PUT * 2,
            own(),
            Duration::from_secs(14),
            Duration::from_secs(9),
            draws,
        );
        assert!(contention.pause(PUT * 2).unwrap() <= PAUSE_MAX);
        contention.won(PUT * 2, own(), Duration::from_secs(14), PUT, draws);
        assert!(contention.pause(PUT * 2).unwrap() <= PUT * 2);
    }

    #[test]
    fn what_comes_later_waits_for_the_rest_or_for_nothing() {
        let mut contention = leading();
        contention.lost_race(PUT);
        let draws = Draws {
            whether: 0.0,
            how_long: 0.5,
        };
        contention.won(PUT * 2, own(), GET, PUT, draws);
        assert_eq!(contention.pause(PUT * 2 + GET / 3), Some(GET - GET / 3));
        assert_eq!(contention.pause(PUT * 2 + GET), None);
    }

    #[test]
    fn who_leads_pauses_longest_and_who_is_behind_not_at_all() {
        let pause = |lead| {
            let mut contention = ahead_by(lead);
            contention.lost_race(PUT);
            let draws = Draws {
                whether: 0.0,
                how_long: 0.5,
            };
            contention.won(PUT * 2, own(), GET, PUT, draws);
            contention.pause(PUT * 2).unwrap_or_default()
        };
        assert_eq!(pause(-4), Duration::ZERO);
        assert!(
            (GET.mul_f64(0.49)..=GET.mul_f64(0.51)).contains(&pause(0)),
            "{:?}",
            pause(0)
        );
        assert_eq!(pause(4), GET);
    }
}
