//! A run under faults in one picture: what broke, what callers waited for, and what became of every commit.

use crate::{
    faults_timeline::{Counted, FaultsTimeline, Row, What},
    plot::{
        figure::{
            Axis, Band, Body, FEW_SAMPLES, Figure, Lane, Lanes, Panel, Point, Series, Span, Stack, WIDTH,
            WIDTH_OF_A_DESK,
        },
        scale::{Scale, plain, thousands},
        style::{Dash, Marker},
    },
};

const TITLE: &str = "What broke, and what became of the commits";
const CAPTION: &str = "One axis of time. Shaded: the time in which the store let nothing through, by its own clock. Faults stand \
     where the request arrived that they hit, response times where the operation was due, everything else where it happened. \
     Recovery is reckoned from the end of the outage to the acknowledgements that clients held.";

/// The colours of what is shown in more than one lane.
const COMMITS: usize = 0;
const UNKNOWN: usize = 1;
const FAILED: usize = 3;
const READS: usize = 2;
const CONFLICT: usize = 5;
/// What fired, in the order of the names; outages are [`OUTAGE`].
const FAULTS: [usize; 5] = [3, 4, 5, 0, 2];
const OUTAGE: usize = 1;

/// The picture for a desk and for a phone; none without a timeline.
pub(super) fn figures(timeline: Option<&FaultsTimeline>) -> Vec<Figure> {
    let Some(timeline) = timeline else {
        return Vec::new();
    };
    let figure = |name: &str, width: f64| Figure {
        name: name.to_owned(),
        title: TITLE.to_owned(),
        caption: CAPTION.to_owned(),
        hollow: FEW_SAMPLES,
        width,
        body: Body::Lanes(lanes(timeline)),
    };
    vec![figure("faults", WIDTH_OF_A_DESK), figure("faults_narrow", WIDTH)]
}

fn lanes(timeline: &FaultsTimeline) -> Lanes {
    let windows = timeline.of(What::Window).chain(timeline.of(What::Outage));
    let bands = windows.map(|row| {
        let (from, to) = (tenths(row.start_s), tenths(row.end_s()));
        let what = match row.what {
            What::Outage => "outage",
            _ => row.name.as_str(),
        };
        Band {
            label: format!("{what} {from} to {to} s"),
            from: row.start_s,
            to: row.end_s(),
        }
    });
    Lanes {
        bands: bands.collect(),
        lanes: vec![
            faults(timeline),
            responses(timeline),
            attempts(timeline),
            waiting(timeline),
            told(timeline),
        ],
    }
}

fn tenths(seconds: f64) -> String {
    plain((seconds * 10.0).round() / 10.0)
}

fn every(timeline: &FaultsTimeline) -> String {
    format!("per {} s", plain(timeline.interval_s()))
}

fn lane(timeline: &FaultsTimeline, heading: String, y: Scale, height: f64) -> Lane {
    let length = timeline.interval_s();
    let end = timeline.end_s();
    let starts = timeline.starts();
    let intervals = starts.into_iter().map(|start| (start, (start + length).min(end)));
    Lane {
        panel: Panel {
            x: Axis::new("time since the measurement began, s", Scale::until(end, 8.0)),
            y: Axis::new(heading, y),
            height,
            series: Vec::new(),
        },
        intervals: intervals.collect(),
        stacks: Vec::new(),
        spans: Vec::new(),
        notes: Vec::new(),
    }
}

fn heights(counts: Vec<u64>) -> Vec<f64> {
    counts.into_iter().map(|count| count as f64).collect()
}

/// A scale from 0 to the highest of the bars that stand on one another.
fn scale_of(stacks: &[Stack]) -> Scale {
    let intervals = stacks.iter().map(|stack| stack.heights.len()).max().unwrap_or(0);
    let sum = |place: usize| -> f64 { stacks.iter().filter_map(|stack| stack.heights.get(place)).sum() };
    counting((0..intervals).map(sum))
}

/// Of what is counted there are no fractions.
fn counting(values: impl Iterator<Item = f64>) -> Scale {
    let mut scale = Scale::from_zero(values.chain([2.0]));
    scale.ticks.retain(|tick| tick.at.fract().abs() < 1e-9);
    scale
}

/// What a rule's action means, in words.
fn meaning(action: &str) -> String {
    match action {
        "after drop" => "reply lost".to_owned(),
        "after reset" => "reply lost (reset)".to_owned(),
        "drop" => "request lost".to_owned(),
        "reset" => "connection reset".to_owned(),
        "stall" => "held up".to_owned(),
        action => match action.strip_prefix("status=") {
            Some(status) => format!("refused with {status}"),
            None => action.to_owned(),
        },
    }
}

fn faults(timeline: &FaultsTimeline) -> Lane {
    let outages: Vec<&str> = timeline.of(What::Outage).map(|row| row.name.as_str()).collect();
    let mut others = FAULTS.iter().cycle();
    let stacks: Vec<Stack> = timeline
        .names(What::Fault)
        .into_iter()
        .map(|name| Stack {
            label: format!("{}: {}", meaning(name), count(timeline.total(What::Fault, name))),
            colour: match outages.contains(&name) {
                true => OUTAGE,
                false => others.next().copied().unwrap_or_default(),
            },
            filled: true,
            heights: heights(timeline.counts(What::Fault, name)),
        })
        .collect();
    let heading = match stacks.is_empty() {
        true => "No fault fired".to_owned(),
        false => format!("Faults that fired, requests hit {}", every(timeline)),
    };
    let mut lane = lane(timeline, heading, scale_of(&stacks), 95.0);
    lane.stacks = stacks;
    lane
}

fn count(number: u64) -> String {
    thousands(&number.to_string())
}

fn responses(timeline: &FaultsTimeline) -> Lane {
    let half = timeline.interval_s() / 2.0;
    let points = |what: What, name: &str, value: fn(&Row) -> Option<f64>| -> Vec<Point> {
        let rows = timeline.of(what).filter(|row| row.name == name);
        let point = |row: &Row| Point {
            x: (row.start_s + half).min(timeline.end_s()),
            y: value(row).unwrap_or(f64::NAN),
            few: false,
        };
        rows.map(point).collect()
    };
    let line = |label: &str, colour, dash, points| Series {
        marker: None,
        ..Series::new(label, colour, points).dashed(dash)
    };
    let marks = |label: &str, colour, points| Series::new(label, colour, points).dashed(Dash::Absent);
    let p50 = |row: &Row| row.p50_ms;
    let most = |row: &Row| row.max_ms;
    let mut committed = line(
        "commits, median",
        COMMITS,
        Dash::Solid,
        points(What::Commit, "committed", p50),
    );
    committed.marker = Some(Marker::of(COMMITS));
    let series = vec![
        committed,
        line(
            "commits, longest",
            COMMITS,
            Dash::Dotted,
            points(What::Commit, "committed", most),
        ),
        line(
            "reads, median",
            READS,
            Dash::Solid,
            points(What::Read, "read", p50),
        ),
        line(
            "reads, longest",
            READS,
            Dash::Dotted,
            points(What::Read, "read", most),
        ),
        marks(
            "commit told unknown",
            UNKNOWN,
            points(What::Commit, "unknown", most),
        ),
        marks("conflict", CONFLICT, points(What::Commit, "conflict", most)),
        marks("failed", FAILED, points(What::Commit, "failed", most)),
        marks("read failed", READS, points(What::Read, "failed", most)),
    ];
    let values = series.iter().flat_map(|line| &line.points).map(|point| point.y);
    let scale = Scale::log(values.collect::<Vec<_>>());
    let mut lane = lane(
        timeline,
        "Response time, from due to answer, ms".to_owned(),
        scale,
        190.0,
    );
    lane.panel.series = series;
    lane
}

/// One point an interval, 0 where nothing happened.
fn counted(
    timeline: &FaultsTimeline,
    (label, colour, dash): (&str, usize, Dash),
    counts: Vec<u64>,
) -> Series {
    let half = timeline.interval_s() / 2.0;
    let points = timeline
        .starts()
        .into_iter()
        .zip(counts)
        .map(|(start, count)| Point {
            x: (start + half).min(timeline.end_s()),
            y: count as f64,
            few: false,
        });
    Series {
        marker: None,
        ..Series::new(label, colour, points.collect()).dashed(dash)
    }
}

fn lines(timeline: &FaultsTimeline, heading: String, series: Vec<Series>) -> Lane {
    let values = series.iter().flat_map(|line| &line.points).map(|point| point.y);
    let scale = counting(values.collect::<Vec<_>>().into_iter());
    let mut lane = lane(timeline, heading, scale, 95.0);
    lane.panel.series = series;
    lane
}

fn attempts(timeline: &FaultsTimeline) -> Lane {
    let total = |what, name: &str| count(timeline.total(what, name));
    let [lost, retry] = ["lost precondition", "retry"];
    let conflict = Counted::Conflict.name();
    let labels = [
        format!("lost their precondition: {}", total(What::Attempt, lost)),
        format!("sent again: {}", total(What::Attempt, retry)),
        format!("told as conflicts: {}", total(What::Told, conflict)),
    ];
    let [lost_label, retry_label, conflict_label] = labels.each_ref().map(String::as_str);
    let mut series = vec![
        counted(
            timeline,
            (lost_label, CONFLICT, Dash::Solid),
            timeline.counts(What::Attempt, lost),
        ),
        counted(
            timeline,
            (retry_label, FAILED, Dash::Dashed),
            timeline.counts(What::Attempt, retry),
        ),
    ];
    if timeline.total(What::Told, conflict) > 0 {
        let counts = timeline.counts(What::Told, conflict);
        series.push(counted(timeline, (conflict_label, UNKNOWN, Dash::Dotted), counts));
    }
    let heading = format!("Lost races and retries, PUTs of HEAD {}", every(timeline));
    lines(timeline, heading, series)
}

fn waiting(timeline: &FaultsTimeline) -> Lane {
    let series = vec![
        counted(
            timeline,
            ("commits", COMMITS, Dash::Solid),
            timeline.counts(What::Open, "commits"),
        ),
        counted(
            timeline,
            ("reads", READS, Dash::Dashed),
            timeline.counts(What::Open, "reads"),
        ),
    ];
    let heading = "Due and not answered, and recovery".to_owned();
    let said = [
        ("first commit", "first commit"),
        ("every writer", "every writer"),
        ("latency", "latency as before"),
    ];
    let spans = said.iter().filter_map(|(name, said)| {
        let row = timeline.named(What::Recovery, name)?;
        let ms = thousands(&format!("{:.0}", row.seconds * 1_000.0));
        Some(Span {
            label: format!("{said} after {ms} ms"),
            colour: COMMITS,
            from: row.start_s,
            to: row.end_s(),
        })
    });
    Lane {
        spans: spans.collect(),
        ..lines(timeline, heading, series)
    }
}

fn told(timeline: &FaultsTimeline) -> Lane {
    let look = |outcome| match outcome {
        Counted::Acknowledged => (COMMITS, true),
        Counted::UnknownApplied => (UNKNOWN, true),
        Counted::UnknownNotApplied => (UNKNOWN, false),
        Counted::UnknownOpen => (4, false),
        Counted::Conflict => (CONFLICT, true),
        Counted::Failed => (FAILED, true),
    };
    let told = Counted::ALL
        .into_iter()
        .filter(|outcome| timeline.total(What::Told, outcome.name()) > 0);
    let stacks: Vec<Stack> = told
        .map(|outcome| {
            let (colour, filled) = look(outcome);
            let total = count(timeline.total(What::Told, outcome.name()));
            Stack {
                label: format!("{}: {total}", outcome.name()),
                colour,
                filled,
                heights: heights(timeline.counts(What::Told, outcome.name())),
            }
        })
        .collect();
    let heading = format!("What clients were told, commits {}", every(timeline));
    let mut lane = lane(timeline, heading, scale_of(&stacks), 95.0);
    lane.stacks = stacks;
    lane.notes = account(timeline);
    lane
}

/// Whether every commit is accounted for, with the numbers that say so.
fn account(timeline: &FaultsTimeline) -> Vec<String> {
    let number = |name: &str| timeline.named(What::Account, name).map(|row| row.count);
    let (Some(ok), Some(end)) = (number("acknowledged"), number("in the final state")) else {
        return vec![
            "The final state could not be read: nothing is known of what became of the commits.".to_owned(),
        ];
    };
    let held = |name: &str| number(name).unwrap_or_default();
    let (applied, set_up, open) = (
        held("unknown, applied"),
        held("of the set-up"),
        held("unknown, still open"),
    );
    let wrong = held("lost") + held("doubled") + held("failed, but applied");
    let adds_up = ok + applied + set_up <= end && end <= ok + applied + set_up + open;
    let (verdict, sign) = match (wrong, adds_up) {
        (0, true) => ("Every commit is accounted for", "="),
        (_, true) => ("NOT every commit is accounted for", "="),
        (_, false) => ("NOT every commit is accounted for", "≠"),
    };
    let not_applied = held("unknown").saturating_sub(applied + open);
    vec![
        format!(
            "{verdict}: {} acknowledged + {} unknown but applied + {} of the set-up {sign} {} in the final state.",
            count(ok),
            count(applied),
            count(set_up),
            count(end)
        ),
        format!(
            "{} lost, {} there twice, {} there though told that they failed. {} failed, {} unknown and not applied, {} still \
             unknown.",
            held("lost"),
            held("doubled"),
            held("failed, but applied"),
            count(held("failed")),
            count(not_applied),
            count(open)
        ),
    ]
}

#[cfg(test)]
mod tests;
