//! The store's Date, which is believed only if two answers agree on it.
//!
//! An expired pin is dropped by the Date, and what it kept is gone for good: a single answer of one host behind the store's
//! name, whose clock is wrong, must not decide that. So a Date is believed once it is as much later than that of an earlier
//! answer as this handle's clock says that it should be. One that contradicts what is believed has to be told for ten minutes:
//! a connection that is kept open carries many answers of one host. Then that is the store's time. Who has heard only one goes by it in what does less harm, or handles that come, commit once and leave would never
//! collect anything.

use parking_lot::Mutex;

use crate::clock::Moment;

/// How far two Dates may be from what the time between them says, in milliseconds: Dates have whole seconds, answers take
/// their time, and clocks differ a little.
const TOLERANCE_MS: u64 = 60_000;

/// For how long a store must tell another time than the one that is believed.
const RIVAL_LASTS_MS: u64 = 600_000;
/// An answer that comes so much later with the same Date had none of its own.
const SAME_DATE_MS: u64 = 2_000;

/// What a handle has heard.
#[derive(Debug, Default)]
pub(crate) struct Dates(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    count: u64,
    newest: Option<Reading>,
    believed: Option<Reading>,
    /// The first of those that contradict what is believed and agree with each other.
    rival: Option<Reading>,
}

/// A Date, and when it was heard: by count and by time.
#[derive(Debug, Clone, Copy)]
struct Reading {
    number: u64,
    unix_ms: u64,
    at: Moment,
}

impl Dates {
    /// A mark for a request that is about to be sent.
    pub(crate) fn mark(&self) -> u64 {
        self.0.lock().count
    }

    /// A request that was marked when it was sent is answered.
    pub(crate) fn take(&self, unix_ms: Option<u64>, at: Moment, sent: u64) {
        let Some(unix_ms) = unix_ms else { return };
        let mut heard = self.0.lock();
        // The store tells the Date of its newest answer only, and requests overtake each other: this one agrees with what was
        // heard before it was sent, never with itself.
        let is_earlier = |reading: &Option<Reading>| reading.is_none_or(|earlier| earlier.number <= sent);
        if !is_earlier(&heard.newest) {
            return;
        }
        let heard_already =
            |newest: Reading| newest.unix_ms == unix_ms && ms_between(newest.at, at) >= SAME_DATE_MS;
        if heard.newest.is_some_and(heard_already) {
            return;
        }
        heard.count += 1;
        let reading = Reading {
            number: heard.count,
            unix_ms,
            at,
        };
        heard.judge(reading);
        heard.newest = Some(reading);
    }

    /// The newest Date that can be believed, where the store's newest one is `unix_ms` now.
    pub(crate) fn believed(&self, unix_ms: Option<u64>, at: Moment) -> Option<u64> {
        let heard = self.0.lock();
        let other = |unix_ms: &u64| heard.newest.is_some_and(|newest| newest.unix_ms != *unix_ms);
        unix_ms
            .filter(|unix_ms| other(unix_ms) && heard.agrees(*unix_ms, at))
            .or(heard.believed.map(|reading| reading.unix_ms))
    }

    /// The same, or the only one that was heard.
    pub(crate) fn not_contradicted(&self, unix_ms: Option<u64>, at: Moment) -> Option<u64> {
        let only = || unix_ms.filter(|_| self.0.lock().count <= 1);
        self.believed(unix_ms, at).or_else(only)
    }

    /// What it may be by now, by how long ago one was heard.
    pub(crate) fn may_be(&self, now: Moment) -> Option<u64> {
        let heard = self.0.lock();
        let reading = heard.believed.or(heard.newest)?;
        Some(reading.unix_ms.saturating_add(ms_between(reading.at, now)))
    }
}

impl Heard {
    /// True if it is what the time since the one that is believed says; since the newest, while none is.
    fn agrees(&self, unix_ms: u64, at: Moment) -> bool {
        let earlier = self.believed.or(self.newest);
        earlier.is_some_and(|earlier| earlier.agrees(unix_ms, at))
    }

    fn judge(&mut self, reading: Reading) {
        let Reading { unix_ms, at, .. } = reading;
        let lasts = |rival: &Reading| ms_between(rival.at, at) >= RIVAL_LASTS_MS;
        match self.rival.filter(|rival| rival.agrees(unix_ms, at)) {
            _ if self.agrees(unix_ms, at) => (self.believed, self.rival) = (Some(reading), None),
            Some(rival) if lasts(&rival) => (self.believed, self.rival) = (Some(reading), None),
            Some(_) => {}
            None => self.rival = self.believed.and(Some(reading)),
        }
    }
}

impl Reading {
    fn agrees(&self, unix_ms: u64, at: Moment) -> bool {
        let expected = self.unix_ms.saturating_add(ms_between(self.at, at));
        unix_ms.abs_diff(expected) <= TOLERANCE_MS
    }
}

fn ms_between(earlier: Moment, later: Moment) -> u64 {
    u64::try_from(later.saturating_sub(earlier).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const NOON: u64 = 1_000 * HOUR;

    /// Takes Dates, each with the time on this handle's clock, and tells what is believed then.
    fn heard(dates: &[(u64, u64)]) -> Option<u64> {
        let known = Dates::default();
        for (unix_ms, at) in dates {
            known.take(Some(*unix_ms), Moment::from_millis(*at), known.mark());
        }
        let (unix_ms, at) = dates.last().copied().unwrap_or_default();
        known.believed(Some(unix_ms), Moment::from_millis(at))
    }

    #[test]
    fn a_date_is_believed_when_it_agrees_with_an_earlier_one() {
        assert_eq!(heard(&[(NOON, 5)]), None, "there is only one");
        assert_eq!(heard(&[(NOON, 5), (NOON + 1_000, 6)]), Some(NOON + 1_000));
        assert_eq!(
            heard(&[(NOON, 5), (NOON + 3 * HOUR, 3 * HOUR)]),
            Some(NOON + 3 * HOUR)
        );
        assert_eq!(heard(&[(NOON, 5), (NOON, 6)]), Some(NOON), "in one second");
    }

    #[test]
    fn answers_that_came_at_once_do_not_agree_with_each_other() {
        let known = Dates::default();
        let (at, sent) = (Moment::ZERO, known.mark());
        known.take(Some(NOON), at, sent);
        known.take(Some(NOON), at, sent);
        assert_eq!(known.believed(Some(NOON), at), None);
        assert_eq!(known.not_contradicted(Some(NOON), at), Some(NOON));
        known.take(Some(NOON), at, known.mark());
        assert_eq!(known.believed(Some(NOON), at), Some(NOON));
    }

    #[test]
    fn the_only_one_is_not_contradicted_and_one_of_two_that_differ_is() {
        let known = Dates::default();
        assert_eq!(known.not_contradicted(None, Moment::ZERO), None);
        known.take(Some(NOON), Moment::ZERO, known.mark());
        assert_eq!(known.not_contradicted(Some(NOON), Moment::ZERO), Some(NOON));
        known.take(Some(NOON + HOUR), Moment::ZERO, known.mark());
        assert_eq!(known.not_contradicted(Some(NOON + HOUR), Moment::ZERO), None);
    }

    #[test]
    fn one_that_is_wrong_is_not_believed_and_the_next_right_one_is() {
        for wrong in [0, NOON - HOUR, NOON + HOUR, u64::MAX] {
            let right = [(NOON, 0), (NOON + 1_000, 1_000)];
            let mut dates = right.to_vec();
            dates.push((wrong, 2_000));
            assert_eq!(heard(&dates), Some(NOON + 1_000), "{wrong}");
            dates.push((NOON + 3_000, 3_000));
            assert_eq!(heard(&dates), Some(NOON + 3_000), "{wrong}");
            // Also where it was the first.
            let dates = [(wrong, 0), (NOON, 1_000), (NOON + 1_000, 2_000)];
            assert_eq!(heard(&dates[..2]), None, "{wrong}");
            assert_eq!(heard(&dates), Some(NOON + 1_000), "{wrong}");
        }
    }

    #[test]
    fn a_store_that_tells_another_time_for_ten_minutes_is_believed_in_the_end() {
        let wrong = NOON + 10 * HOUR;
        let mut dates = vec![(NOON, 0), (NOON + 1_000, 1_000)];
        for at in (2_000..=602_000).step_by(60_000) {
            assert_eq!(heard(&dates), Some(NOON + 1_000), "{at}");
            dates.push((wrong + at, at));
        }
        assert_eq!(heard(&dates), Some(wrong + 602_000));
        // One right answer in between, and it begins anew.
        dates.insert(9, (NOON + 400_000, 400_000));
        assert_eq!(heard(&dates), Some(NOON + 400_000));
    }

    #[test]
    fn an_answer_without_a_date_agrees_with_nothing() {
        let known = Dates::default();
        known.take(Some(NOON), Moment::ZERO, known.mark());
        let at = Moment::from_millis(SAME_DATE_MS);
        known.take(Some(NOON), at, known.mark());
        assert_eq!(known.believed(Some(NOON), at), None);
        assert_eq!(known.not_contradicted(Some(NOON), at), Some(NOON));
    }

    #[test]
    fn a_guess_counts_from_what_is_believed() {
        let known = Dates::default();
        assert_eq!(known.may_be(Moment::ZERO), None);
        for (unix_ms, at) in [(NOON, 0), (NOON + 1_000, 1_000), (NOON + HOUR, 2_000)] {
            known.take(Some(unix_ms), Moment::from_millis(at), known.mark());
        }
        assert_eq!(known.may_be(Moment::from_millis(9_000)), Some(NOON + 9_000));
    }
}
