use super::*;
use crate::{
    compare::Facts,
    nights::judge::{Measured, NIGHTS_MIN, hold},
    report::example,
};

/// Repeats of the example, of which each is a little slower than the one before, and all by these factors.
fn repeats(store: &str, commits: f64, floor: f64) -> Vec<Recording> {
    (0..6)
        .map(|number| {
            let own = 1.0 + f64::from(number) * 0.002;
            let mut row = Row::from(&example::cell());
            for ms in [&mut row.columns.write_p50_ms, &mut row.columns.write_p99_ms] {
                *ms = ms.map(|ms| ms * commits * own);
            }
            let floors = &mut row.detail.as_mut().unwrap().floor_put;
            for ms in [&mut floors.p50_ms, &mut floors.p99_ms] {
                *ms = ms.map(|ms| ms * floor);
            }
            Recording {
                name: format!("baseline-{number}.csv"),
                rows: vec![row],
                facts: Some(Facts::of_store(store)),
                repeats: Vec::new(),
            }
        })
        .collect()
}

fn measured(store: &str, commits: f64, floor: f64) -> Measured {
    Measured {
        baseline: repeats(store, commits, floor),
        sweep: None,
    }
}

fn night(day: u32, of: &Measured) -> Night {
    Night::of(&format!("2026-01-{day:02}"), "here", &of.baseline, None)
}

/// Nights whose commits are slower by these factors, beside bare requests that always are the same.
fn history(store: &str, factors: &[f64]) -> Vec<Night> {
    let days = 1..;
    let nights = days
        .zip(factors)
        .map(|(day, factor)| night(day, &measured(store, *factor, 1.0)));
    nights.collect()
}

fn failures(past: &[Night], last: &Measured, now: &Measured) -> Vec<String> {
    hold(last, now, &night(31, now), past, false).failures
}

const CALM: [f64; 9] = [1.0, 1.01, 1.0, 0.99, 1.0, 1.01, 1.0, 0.99, 1.0];
const ROUGH: [f64; 9] = [1.0, 1.2, 0.9, 1.1, 1.25, 1.0, 0.85, 1.1, 1.0];

#[test]
fn the_same_night_twice_passes_and_a_slower_one_does_not() {
    for store in ["embedded", "simulated"] {
        let usual = measured(store, 1.0, 1.0);
        assert!(failures(&[], &usual, &usual).is_empty());
        let slower = failures(&[], &usual, &measured(store, 1.2, 1.2));
        assert_eq!(slower.len(), 2, "{slower:?}");
        assert!(slower[0].contains("write_p50_ms went from"), "{slower:?}");
        assert!(failures(&[], &measured(store, 1.2, 1.2), &usual).is_empty());
    }
}

#[test]
fn how_much_nights_differ_is_read_off_the_nights() {
    let (usual, slower) = (measured("embedded", 1.0, 1.0), measured("embedded", 1.2, 1.0));
    assert!(!failures(&history("embedded", &CALM), &usual, &slower).is_empty());
    assert!(failures(&history("embedded", &ROUGH), &usual, &slower).is_empty());
    // Nights of another load, or that failed, tell nothing.
    let mut others = history("embedded", &ROUGH);
    others
        .iter_mut()
        .for_each(|night| night.load = Some("w9 1s".to_owned()));
    assert!(!failures(&others, &usual, &slower).is_empty());
    let failed: Vec<Night> = history("embedded", &ROUGH)
        .into_iter()
        .map(|night| night.failed(&["lost".to_owned()]))
        .collect();
    assert!(!failures(&failed, &usual, &slower).is_empty());
}

#[test]
fn a_real_store_is_held_against_its_bare_requests_once_nights_are_known() {
    let usual = measured("s3", 1.0, 1.0);
    let calm = history("s3", &CALM);
    let machine_slower = measured("s3", 1.5, 1.5);
    let engine_slower = measured("s3", 1.2, 1.0);
    assert!(failures(&calm, &usual, &machine_slower).is_empty());
    let found = failures(&calm, &usual, &engine_slower);
    assert!(found[0].contains("write_p50 / bare PUT went from"), "{found:?}");
    let few = &calm[..NIGHTS_MIN - 1];
    assert!(failures(few, &usual, &engine_slower).is_empty());
    let judgement = hold(&usual, &engine_slower, &night(31, &engine_slower), few, false);
    assert!(
        judgement.notes[0].contains("latency is not judged"),
        "{judgement:?}"
    );
}

#[test]
fn request_counts_that_grew_fail_a_night_on_any_store() {
    let usual = measured("s3", 1.0, 1.0);
    let grown = |repeats: usize| {
        let mut now = usual.clone();
        for run in now.baseline.iter_mut().take(repeats) {
            run.rows[0].detail.as_mut().unwrap().requests_per_read = Some(2.0);
        }
        failures(&[], &usual, &now)
    };
    assert!(grown(3).is_empty());
    assert!(
        grown(4)[0].contains("requests_per_read grew in 4 of 6"),
        "{:?}",
        grown(4)
    );
    let with_sweep = |requests: f64| {
        let mut run = usual.baseline[0].clone();
        run.rows[0].detail.as_mut().unwrap().requests_per_read = Some(requests);
        Measured {
            sweep: Some(run),
            ..usual.clone()
        }
    };
    let found = failures(&[], &with_sweep(1.0), &with_sweep(1.5));
    assert!(found[0].contains("requests_per_read grew from"), "{found:?}");
}

#[test]
fn nights_of_other_settings_are_not_compared_unless_asked() {
    let (here, there) = (measured("embedded", 1.0, 1.0), measured("simulated", 1.5, 1.0));
    let judgement = hold(&here, &there, &night(31, &there), &[], false);
    assert!(judgement.failures.is_empty() && judgement.tables.is_empty());
    assert!(
        judgement.notes[0].starts_with("no comparison: the last night was measured with the store embedded")
    );
    assert!(
        !hold(&here, &there, &night(31, &there), &[], true)
            .failures
            .is_empty()
    );
    let mut longer = here.clone();
    longer.baseline[0].rows[0].columns.duration = 60.0;
    let judgement = hold(&here, &longer, &night(31, &longer), &[], false);
    assert!(
        judgement.notes[0].contains("the last night's load was"),
        "{judgement:?}"
    );
}

#[test]
fn rows_survive_their_file_and_stand_by_day_and_store() {
    let mut nights = history("embedded", &CALM);
    nights.reverse();
    nights[0] = nights[0]
        .clone()
        .failed(&["a, \"b\"\n c".to_owned(), "d".to_owned()]);
    let text = write(&nights).unwrap();
    nights.reverse();
    assert_eq!(parse("x.csv", &text).unwrap(), nights);
    assert_eq!(nights[8].reason.as_deref(), Some("a, \"b\"  c; d"));
    assert_eq!(line(&nights[0]), "2026-01-01 here: pass");
    assert!(parse("x.csv", "").unwrap().is_empty());
}

#[test]
fn a_second_row_of_a_night_is_refused_unless_it_replaces() {
    let mut nights = history("embedded", &CALM);
    let again = nights[3].clone().failed(&["worse".to_owned()]);
    let refused = add(&mut nights, again.clone(), false).unwrap_err();
    assert!(refused.contains("2026-01-04 of here already"), "{refused}");
    add(&mut nights, again, true).unwrap();
    assert_eq!((nights.len(), nights[3].passed()), (9, false));
    let mut other = nights[3].clone();
    other.store = "there".to_owned();
    add(&mut nights, other, false).unwrap();
    assert_eq!(nights.len(), 10);
}

#[test]
fn bad_rows_are_refused_in_one_line() {
    let good = write(&history("embedded", &[1.0])).unwrap();
    for (from, to, why) in [
        ("2026-01-01", "2026-02-30", "is not a day"),
        ("2026-01-01", "01/01/2026", "is not a day"),
        ("2026-01-01", "2026-1-01", "is not a day"),
        (",here,", ",../up,", "store \"../up\""),
        (",pass,", ",perhaps,", "verdict \"perhaps\""),
        (",pass,,6,", ",pass,,six,", "invalid digit"),
    ] {
        assert!(good.contains(from), "{from} is not in {good}");
        let refused = parse("x.csv", &good.replace(from, to)).unwrap_err();
        assert!(
            refused.starts_with("x.csv, row 1: ") && refused.contains(why),
            "{refused}"
        );
        assert!(!refused.contains('\n'), "{refused}");
    }
    let refused = parse("x.csv", &good.replace("write_p50_ms", "write_p50")).unwrap_err();
    assert!(refused.contains("not a history of nights: column 9"), "{refused}");
    let row = good.lines().nth(1).unwrap();
    let refused = parse("x.csv", &format!("{good}{row}\n")).unwrap_err();
    assert!(
        refused.contains("row 2") && refused.contains("a second time"),
        "{refused}"
    );
    let cut = &good[..good.len() - 20];
    assert!(parse("x.csv", cut).is_err(), "{cut}");
}
