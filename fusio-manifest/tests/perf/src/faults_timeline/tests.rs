use std::time::Duration;

use super::*;
use crate::metrics::Series;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn timeline() -> FaultsTimeline {
    let row = Row::new;
    FaultsTimeline {
        rows: vec![
            row(What::Run, "measured", (0.0, 4.0), 0),
            row(What::Run, "interval", (0.0, 0.5), 0),
            row(What::Outage, "reset", (1.0, 1.5), 9),
            row(What::Fault, "after drop", (0.5, 0.5), 2),
            row(What::Fault, "reset", (1.0, 0.5), 4),
            row(What::Fault, "reset", (2.0, 0.5), 5),
            row(What::Told, "acknowledged", (0.0, 0.5), 3),
            row(What::Told, "unknown, applied", (2.5, 0.5), 1),
            row(What::Told, "acknowledged", (3.5, 0.5), 6),
            row(What::Open, "commits", (1.5, 0.5), 7),
            row(What::Recovery, "first commit", (2.5, 0.2644), 1),
        ],
    }
}

#[test]
fn what_is_written_is_read_back() {
    let csv = String::from_utf8(timeline().csv().unwrap()).unwrap();
    assert_eq!(
        csv.lines().next(),
        Some("what,name,start_s,seconds,count,p50_ms,p99_ms,max_ms")
    );
    assert!(csv.contains("told,\"unknown, applied\",2.5,0.5,1,,,\n"), "{csv}");
    assert_eq!(FaultsTimeline::parse(&csv).unwrap(), timeline());
}

#[test]
fn a_damaged_file_is_told_in_one_line() {
    let csv = String::from_utf8(timeline().csv().unwrap()).unwrap();
    let head = csv.lines().next().unwrap();
    for (text, why) in [
        (String::new(), "it is cut off"),
        (format!("{head}\nrun,measured,0,4,0,,,\n"), "it is cut off"),
        (csv.replace("told,", "said,"), "unknown variant `said`"),
        (csv.replace("1.5,9", "x,9"), "line: 4"),
        (csv.replace("1.5,9", "NaN,9"), "row 3: a time that is none"),
        (csv.replace("1.5,9", "-1,9"), "row 3: a time that is none"),
        (
            csv.replace("interval,0.0,0.5", "interval,0.0,0.0"),
            "it is cut off",
        ),
        (
            csv.replace("told,acknowledged,3.5", "told,acknowledged,3e9"),
            "more intervals",
        ),
        (csv.replace("start_s", "begin"), "missing field `start_s`"),
    ] {
        let error = FaultsTimeline::parse(&text).unwrap_err();
        assert!(error.contains(why) && !error.contains('\n'), "{why}: {error}");
    }
}

#[test]
fn an_interval_without_a_row_is_one_in_which_nothing_happened() {
    let timeline = timeline();
    assert_eq!(timeline.starts().len(), 8);
    assert_eq!(timeline.counts(What::Fault, "reset"), [0, 0, 4, 0, 5, 0, 0, 0]);
    assert_eq!(timeline.counts(What::Fault, "stall"), [0; 8]);
    assert_eq!(timeline.total(What::Told, "acknowledged"), 9);
    assert_eq!(timeline.names(What::Fault), ["after drop", "reset"]);
}

#[test]
fn a_console_shows_the_same_in_a_few_lines() {
    let lines = lines(&timeline());
    assert_eq!(
        lines,
        [
            "Outage (reset): 1.0 s to 2.5 s, 9 requests hit",
            "Faults that fired: after drop 2, reset 9",
            "Commits: 9 acknowledged; 1 unknown, applied",
            "Recovery, from the end of the outage: a commit after 264 ms",
            "faults     | ▄▇ █   | at most 5",
            "committed  |▄      █| at most 6",
            "waiting    |   █    | at most 7",
            "            0 s  4 s",
        ]
    );
}

#[test]
fn without_an_outage_or_a_fault_it_says_so() {
    let mut calm = timeline();
    calm.rows
        .retain(|row| !matches!(row.what, What::Outage | What::Fault | What::Recovery));
    let lines = lines(&calm);
    assert_eq!(lines[0], "Faults that fired: none");
    assert_eq!(lines[1], "Commits: 9 acknowledged; 1 unknown, applied");
    assert_eq!(lines[2], "faults     || at most 0");
}

#[test]
fn long_runs_have_longer_intervals() {
    for (seconds, length_ms) in [(6, 250), (31, 500), (61, 1_000), (600, 10_000), (3_600, 60_000)] {
        assert_eq!(
            Intervals::of(Duration::from_secs(seconds)).length(),
            ms(length_ms),
            "{seconds} s"
        );
    }
    let long = Intervals::of(Duration::from_secs(3_600));
    let rows = long.counts(
        What::Fault,
        "reset",
        (0..3_600).map(|second| (ms(second * 1_000), 2)),
    );
    assert_eq!(rows.len(), 60);
    assert!(rows.iter().all(|row| row.count == 120), "{rows:?}");
}

#[test]
fn what_is_open_is_counted_also_where_nothing_changes() {
    let intervals = Intervals::of(ms(10_000));
    assert_eq!(intervals.length(), ms(250));
    let rows = intervals.open("commits", [(ms(100), ms(900)), (ms(120), ms(130))].into_iter());
    let seen: Vec<_> = rows.iter().map(|row| (row.start_s, row.count)).collect();
    assert_eq!(seen, [(0.0, 2), (0.25, 1), (0.5, 1), (0.75, 1)]);
}

#[test]
fn responses_stand_where_operations_were_due() {
    let mut series = Series::default();
    for (due, response) in [(10, 60), (200, 3_000), (600, 80)] {
        series.push(ms(due), ms(response));
    }
    let rows = Intervals::of(ms(5_000)).responses(What::Commit, "acknowledged", &series);
    let seen: Vec<_> = rows.iter().map(|row| (row.start_s, row.count)).collect();
    assert_eq!(seen, [(0.0, 2), (0.5, 1)]);
    assert!(
        rows[0].max_ms.unwrap() > 2_990.0 && rows[0].p50_ms.unwrap() < 61.0,
        "{rows:?}"
    );
}
