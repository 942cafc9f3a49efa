use super::*;
use crate::{
    export::{columns_csv, detail_csv},
    settings::Settings,
};

/// What a run of these settings expects of an earlier one.
fn expected(vars: &[(&str, &str)]) -> Expected {
    let settings = Settings::from_env(vars.iter().copied()).unwrap();
    Expected::new(vec![settings.workload.clone()], true, &settings)
}

fn written() -> (String, String) {
    let (cells, facts) = ([example::cell()], example::facts());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(columns_csv(&cells).unwrap()),
        text(detail_csv(&cells, &facts).unwrap()),
    )
}

#[test]
fn what_a_run_wrote_reads_back_as_it_was() {
    let (csv, detail) = written();
    let old = Recording::parse("old.csv", &csv, Some(&detail), None).unwrap();
    assert_eq!(old.rows, [row()]);
    old.check(&expected(&[])).unwrap();
    old.check(&expected(&[
        ("PERF_SEED", "7"),
        ("PERF_LATENCY", "get=27:0.62,put=60:0.29,cas=61:0.14"),
    ]))
    .unwrap();
    // Without details there is nothing to hold the store against, and no request counts.
    let bare = Recording::parse("old.csv", &csv, None, None).unwrap();
    bare.check(&expected(&[("PERF_LATENCY", "none")])).unwrap();
    let comparison = compare(&bare, &[row()], CONDITIONS);
    assert_eq!(
        judged(&comparison, Metric::RequestsPerRead),
        Judged::Open("no value")
    );
    assert_eq!(comparison.notes.len(), 1);
}

#[test]
fn a_csv_of_something_else_is_refused_in_one_line_that_says_why() {
    let (csv, detail) = written();
    let refusal = |text: &str| {
        let error = Recording::parse("old.csv", text, None, None).unwrap_err();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    };
    assert!(refusal("").contains("it has 0 columns, not 26"));
    assert!(refusal(&detail).contains("columns, not 26"));
    assert!(refusal("\u{0}\u{1}\n").contains("it has 1 columns, not 26"));
    let renamed = csv.replacen("write_tps", "write_ops", 1);
    assert!(refusal(&renamed).contains("column 11 is \"write_ops\", not \"write_tps\""));
    let header = csv.lines().next().unwrap();
    assert_eq!(refusal(&format!("{header}\n")), "old.csv has no rows");
    assert!(refusal(&csv.replacen(",120.0,", ",soon,", 1)).starts_with("old.csv, row 1: "));
    assert!(refusal(&csv.replacen(",120.0,", ",0.0,", 1)).contains("a duration of 0"));
    let cut: String = csv.chars().take(csv.len() - 40).collect();
    assert!(refusal(&cut).starts_with("old.csv, row 1: "));
}

#[test]
fn a_run_under_other_conditions_is_refused_by_what_differs() {
    let (csv, detail) = written();
    let old = Recording::parse("old.csv", &csv, Some(&detail), None).unwrap();
    for (vars, why) in [
        (
            ("PERF_WRITER_RATE", "1"),
            "is of another configuration: it has w1_r0.1, not w1_r1",
        ),
        (("PERF_DURATION_SECS", "60"), "w1_r0.1 lasted 120 s, not 60 s"),
        (
            ("PERF_STORE", "simulated"),
            "was measured with the store embedded, this run has simulated",
        ),
        (
            ("PERF_LATENCY", "none"),
            "was measured with the latency s3-standard, this run has none",
        ),
        (
            ("PERF_FAULTS", "cas drop"),
            "was measured with the faults none, this run has cas drop",
        ),
        (
            ("PERF_WRITER_KIND", "writer"),
            "was measured with the client monotonic, this run has writer",
        ),
        (
            ("PERF_ARRIVALS", "poisson"),
            "was measured with arrivals periodic, this run has poisson",
        ),
    ] {
        let error = old.check(&expected(&[vars])).unwrap_err();
        assert!(error.starts_with("old.csv ") && error.contains(why), "{error}");
    }
    let mut closed = expected(&[("PERF_WRITER_RATE", "1"), ("PERF_DURATION_SECS", "60")]);
    closed.open_loop = false;
    old.check(&closed).unwrap();
    closed.cells[0].num_readers = 8;
    assert!(
        old.check(&closed)
            .unwrap_err()
            .contains("1 writers and 2 readers")
    );
}

#[test]
fn repeats_read_back_with_their_numbers_before_the_columns() {
    let (csv, detail) = written();
    let mut lines = csv.lines();
    let (header, row) = (lines.next().unwrap(), lines.next().unwrap());
    let text = format!("repeat,{header}\n1,{row}\n2,{row}\n");
    let old = Recording::parse("old.csv", &csv, Some(&detail), Some(&text)).unwrap();
    assert_eq!(old.repeats.len(), 2);
    let error = Recording::parse("old.csv", &csv, None, Some(&csv)).unwrap_err();
    assert!(
        error.contains("the repeats beside old.csv") && error.contains("26 columns, not 27"),
        "{error}"
    );
    // The row of the CSV is of all repeats together; what was asked for is the length of one.
    let long = csv.replacen(",120.0,", ",720.0,", 1);
    let old = Recording::parse("old.csv", &long, Some(&detail), Some(&text)).unwrap();
    old.check(&expected(&[])).unwrap();
    assert!(old.check(&expected(&[("PERF_DURATION_SECS", "720")])).is_err());
}

#[test]
fn runs_on_different_stores_are_not_held_against_each_other_unless_asked() {
    let (csv, detail) = written();
    let read = |detail: &str| Recording::parse("a.csv", &csv, Some(detail), None).unwrap();
    let (old, new) = (
        read(&detail),
        read(&detail.replace(",s3-standard,", ",s3-express,")),
    );
    let error = turns::hold(std::slice::from_ref(&old), std::slice::from_ref(&new), false).unwrap_err();
    assert!(
        error.contains("latency s3-standard, this run has s3-express"),
        "{error}"
    );
    assert!(turns::hold(&[old], &[new], true).is_ok());
}
