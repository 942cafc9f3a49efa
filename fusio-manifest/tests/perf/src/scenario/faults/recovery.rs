//! How soon commits went on once the store was back.
//!
//! The clock starts when the outage ends by the clock of the store that had it, whatever clients know of that; for a client
//! that wanted nothing then, with its next commit. It stops when a client holds the acknowledgement, not when the store
//! has applied the commit. A commit counts also if it was begun before or during the outage; what a client was told as
//! unknown does not, whatever became of it.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    faults_timeline::{Commit, Counted},
    metrics::Series,
};

/// Responses that are at most this many times the median before the outage are as before: what others' lost replies cost
/// is in both.
const AS_BEFORE: u32 = 2;
/// As many commits in a row, at least, by whose median latency is judged.
const IN_A_ROW: usize = 8;

/// From when to when something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

impl Span {
    pub(super) fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }

    pub(super) fn ms(&self) -> f64 {
        self.length().as_secs_f64() * 1_000.0
    }
}

/// What recovery from an outage came to; each none if it did not come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Recovery {
    /// To the first commit that any client was told of as committed.
    pub(super) first: Option<Span>,
    /// The slowest client, to its first one.
    pub(super) every: Option<Span>,
    /// To when a commit was due from which on response times were as before.
    pub(super) latency: Option<Span>,
    /// The median response before the outage.
    pub(super) before: Option<Duration>,
}

impl Recovery {
    /// Of commits by what they were told, and of the acknowledged ones by when they were due.
    pub(super) fn of(commits: &[Commit], acknowledged: &Series, outage: (Duration, Duration)) -> Self {
        let end = outage.1;
        // Those that were under way or came after it.
        let mut clients: BTreeMap<u32, Vec<&Commit>> = BTreeMap::new();
        for commit in commits {
            if commit.told.is_none_or(|told| told >= end) {
                clients.entry(commit.client).or_default().push(commit);
            }
        }
        let each: Vec<Option<Span>> = clients.values().map(|commits| span(commits, end)).collect();
        let before = median_before(acknowledged, outage.0);
        let all: Vec<&Commit> = clients.into_values().flatten().collect();
        let every: Option<Vec<Span>> = each.into_iter().collect();
        Self {
            first: span(&all, end),
            every: every.and_then(|each| each.into_iter().max_by_key(Span::length)),
            latency: before.and_then(|before| as_before(acknowledged, end, before)),
            before,
        }
    }
}

/// From the end of the outage, or from when the first of these commits was wanted, to the first acknowledgement.
fn span(commits: &[&Commit], end: Duration) -> Option<Span> {
    let wanted = commits.iter().map(|commit| commit.invoked).min()?;
    let acknowledged = commits
        .iter()
        .filter(|commit| commit.outcome == Counted::Acknowledged);
    Some(Span {
        from: end.max(wanted),
        to: acknowledged.filter_map(|commit| commit.told).min()?,
    })
}

fn median(responses: &mut [Duration]) -> Option<Duration> {
    responses.sort_unstable();
    responses.get(responses.len() / 2).copied()
}

fn median_before(acknowledged: &Series, begins: Duration) -> Option<Duration> {
    let answered_before = acknowledged
        .iter()
        .filter(|(due, response)| *due + *response < begins);
    median(&mut answered_before.map(|(_, response)| response).collect::<Vec<_>>())
}

/// The first commit that was due after the outage with which a row begins whose median is as before.
fn as_before(acknowledged: &Series, end: Duration, before: Duration) -> Option<Span> {
    let mut after: Vec<_> = acknowledged.iter().filter(|(due, _)| *due >= end).collect();
    after.sort_unstable();
    let mut rows = after.windows(IN_A_ROW);
    let begins = rows.find(|row| {
        let mut responses: Vec<_> = row.iter().map(|(_, response)| *response).collect();
        median(&mut responses).is_some_and(|median| median <= before * AS_BEFORE)
    })?;
    let (due, _) = begins.first()?;
    Some(Span { from: end, to: *due })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn commit(client: u32, invoked: u64, told: u64, outcome: Counted) -> Commit {
        Commit {
            client,
            invoked: ms(invoked),
            told: (told > 0).then(|| ms(told)),
            outcome,
        }
    }

    const OUTAGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));

    fn of(commits: &[Commit]) -> Recovery {
        Recovery::of(commits, &Series::default(), OUTAGE)
    }

    fn lengths(recovery: &Recovery) -> [Option<u64>; 2] {
        [recovery.first, recovery.every]
            .map(|span| span.map(|span| u64::try_from(span.length().as_millis()).unwrap_or(u64::MAX)))
    }

    #[test]
    fn the_first_acknowledgement_ends_it_for_one_and_the_slowest_client_for_all() {
        use Counted::{Acknowledged, UnknownApplied};
        let commits = [
            commit(1, 100, 900, Acknowledged),
            // Begun before the outage, acknowledged after it.
            commit(1, 990, 2_300, Acknowledged),
            // Nobody was told of it when it was committed.
            commit(2, 1_500, 2_100, UnknownApplied),
            commit(2, 2_101, 2_700, Acknowledged),
            commit(1, 2_301, 2_400, Acknowledged),
        ];
        assert_eq!(lengths(&of(&commits)), [Some(300), Some(700)]);
    }

    #[test]
    fn who_wanted_nothing_is_not_waited_for() {
        let late = [commit(1, 5_000, 5_060, Counted::Acknowledged)];
        let recovery = of(&late);
        assert_eq!(lengths(&recovery), [Some(60), Some(60)]);
        assert_eq!(recovery.first.map(|span| span.from), Some(ms(5_000)));
        assert_eq!(lengths(&of(&[])), [None, None]);
    }

    #[test]
    fn a_client_that_is_never_told_has_not_recovered() {
        let commits = [
            commit(1, 1_200, 2_100, Counted::Acknowledged),
            commit(2, 1_200, 2_100, Counted::Failed),
            commit(3, 1_200, 0, Counted::UnknownOpen),
        ];
        assert_eq!(lengths(&of(&commits)), [Some(100), None]);
    }

    #[test]
    fn latency_is_as_before_from_the_first_row_whose_median_is() {
        let mut series = Series::default();
        for number in 0..9 {
            series.push(ms(100 * number), ms(50));
        }
        // Under way when the outage began: not what it was before.
        series.push(ms(950), ms(1_200));
        for number in 0..20 {
            let response = if number < 7 { 400 } else { 90 };
            series.push(ms(2_000 + 100 * number), ms(response));
        }
        let recovery = Recovery::of(&[], &series, OUTAGE);
        assert_eq!(recovery.before, Some(ms(50)));
        // Of the eight from the fifth on, five are as before.
        assert_eq!(recovery.latency.map(|span| span.length()), Some(ms(400)));
        assert_eq!(Recovery::of(&[], &Series::default(), OUTAGE), Recovery::default());
    }
}
