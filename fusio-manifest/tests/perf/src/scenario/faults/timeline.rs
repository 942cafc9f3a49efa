//! The run interval by interval, for the file of which its picture is drawn.

use std::time::Duration;

use super::recovery::{Recovery, Span};
use crate::{
    checker::Accounting,
    fault::{FaultPlan, FiredFaults, Window},
    faults_timeline::{Commit, Counted, FaultsTimeline, Intervals, Row, What},
    metrics::{MetricsCollector, Series},
    result::FaultsFields,
};

/// Of what it is made.
pub(super) struct Parts<'a> {
    pub(super) measured: Duration,
    pub(super) plan: &'a FaultPlan,
    pub(super) fired: &'a FiredFaults,
    /// The outage that recovery is reckoned from, if there was one.
    pub(super) outage: Option<Window>,
    pub(super) metrics: &'a MetricsCollector,
    pub(super) commits: &'a [Commit],
    pub(super) recovery: &'a Recovery,
    pub(super) fields: &'a FaultsFields,
    pub(super) books: &'a Accounting,
    /// How many commits a new handle counted in the end; none if it could not read.
    pub(super) in_the_end: Option<u64>,
    /// How many of them nobody measured: those that made the manifest, and moved HEAD on for the sake of answers.
    pub(super) set_up: u64,
}

impl Parts<'_> {
    pub(super) fn timeline(&self) -> FaultsTimeline {
        let intervals = Intervals::of(self.end());
        let mut rows = self.run(intervals);
        rows.extend(self.windows());
        rows.extend(self.faults(intervals));
        rows.extend(self.responses(intervals));
        rows.extend(self.told(intervals));
        rows.extend(self.recovery());
        rows.extend(self.account());
        FaultsTimeline { rows }
    }

    /// When the last operation was answered.
    fn end(&self) -> Duration {
        let answered = self.writes().chain(self.reads()).flat_map(Series::iter);
        let answered = answered.map(|(due, response)| due + response);
        let told = self.commits.iter().filter_map(|commit| commit.told);
        answered.chain(told).fold(self.measured, Duration::max)
    }

    fn run(&self, intervals: Intervals) -> Vec<Row> {
        let row = |name, span: Duration| Row::new(What::Run, name, (0.0, span.as_secs_f64()), 0);
        let mut rows = vec![
            row("measured", self.measured),
            row("interval", intervals.length()),
        ];
        if let (Some(before), Some(outage)) = (self.recovery.before, self.outage) {
            rows.push(Row {
                p50_ms: Some(before.as_secs_f64() * 1_000.0),
                ..row("baseline", outage.from)
            });
        }
        rows
    }

    /// Those that hit something, as far as the run got.
    fn windows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for window in self.plan.windows() {
            let hit = self.fired.of_rule(window.rule);
            let to = window.to.min(self.end());
            if hit == 0 || window.from >= to {
                continue;
            }
            let what = match self.outage == Some(window) {
                true => What::Outage,
                false => What::Window,
            };
            let (from, seconds) = (window.from.as_secs_f64(), (to - window.from).as_secs_f64());
            rows.push(Row::new(what, self.name(window.rule), (from, seconds), hit));
        }
        rows
    }

    fn name(&self, rule: usize) -> String {
        self.plan.action_of(rule).unwrap_or_else(|| "fault".to_owned())
    }

    fn faults(&self, intervals: Intervals) -> Vec<Row> {
        let mut names: Vec<String> = (1..=self.plan.len()).map(|rule| self.name(rule)).collect();
        names.sort();
        names.dedup();
        let of = |name: &String| {
            let slots = self.fired.iter().filter(|(_, rule, _)| self.name(*rule) == *name);
            let moments = slots.map(|(start, _, count)| (start, count));
            intervals.counts(What::Fault, name, moments)
        };
        names.iter().flat_map(of).collect()
    }

    fn writes(&self) -> impl Iterator<Item = &Series> {
        let writer = &self.metrics.writer;
        [
            &writer.acknowledged.series,
            &writer.given_up.series,
            &writer.failed.series,
            &writer.unknown.series,
        ]
        .into_iter()
    }

    fn reads(&self) -> impl Iterator<Item = &Series> {
        let reader = &self.metrics.reader;
        [&reader.succeeded.series, &reader.failed.series].into_iter()
    }

    fn responses(&self, intervals: Intervals) -> Vec<Row> {
        let mut rows = Vec::new();
        let commits = ["committed", "conflict", "failed", "unknown"];
        for (name, series) in commits.into_iter().zip(self.writes()) {
            rows.extend(intervals.responses(What::Commit, name, series));
        }
        for (name, series) in ["read", "failed"].into_iter().zip(self.reads()) {
            rows.extend(intervals.responses(What::Read, name, series));
        }
        let writer = &self.metrics.writer;
        for (name, series) in [("lost precondition", &writer.lost), ("retry", &writer.repeated)] {
            let moments = series.iter().map(|(at, _)| (at, 1));
            rows.extend(intervals.counts(What::Attempt, name, moments));
        }
        let spans = |(due, response): (Duration, Duration)| (due, due + response);
        rows.extend(intervals.open("commits", self.writes().flat_map(Series::iter).map(spans)));
        rows.extend(intervals.open("reads", self.reads().flat_map(Series::iter).map(spans)));
        rows
    }

    fn told(&self, intervals: Intervals) -> Vec<Row> {
        let of = |outcome: Counted| {
            let commits = self
                .commits
                .iter()
                .filter(move |commit| commit.outcome == outcome);
            let moments = commits.filter_map(|commit| Some((commit.told?, 1)));
            intervals.counts(What::Told, outcome.name(), moments)
        };
        Counted::ALL.into_iter().flat_map(of).collect()
    }

    fn recovery(&self) -> Vec<Row> {
        let Recovery {
            first,
            every,
            latency,
            ..
        } = *self.recovery;
        let row = |name, span: Span| {
            let times = (span.from.as_secs_f64(), span.length().as_secs_f64());
            Row::new(What::Recovery, name, times, 1)
        };
        [
            ("first commit", first),
            ("every writer", every),
            ("latency", latency),
        ]
        .into_iter()
        .filter_map(|(name, span)| Some(row(name, span?)))
        .collect()
    }

    fn account(&self) -> Vec<Row> {
        let fields = self.fields;
        let mut counts = vec![
            ("acknowledged", fields.commits_ok),
            ("failed", fields.commits_failed),
            ("unknown", fields.commits_unknown),
            ("unknown, applied", fields.unknown_applied),
            ("unknown, still open", fields.unknown_open),
            ("lost", fields.lost),
            ("doubled", fields.doubled),
            ("failed, but applied", self.books.failed_seen),
        ];
        if let Some(in_the_end) = self.in_the_end {
            counts.push(("of the set-up", self.set_up));
            counts.push(("in the final state", in_the_end));
        }
        let row = |(name, count)| Row::new(What::Account, name, (0.0, 0.0), count);
        counts.into_iter().map(row).collect()
    }
}
