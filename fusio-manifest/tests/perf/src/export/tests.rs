use std::collections::BTreeSet;

use super::*;
use crate::{report::example, summary::Columns};

const HEADER: &str = "config_label,num_writers,num_readers,writer_rate,reader_rate,key_pool_size,\
    key_overlap_ratio,max_retry_count,duration,precondition_failure_rate,write_tps,read_tps,write_p50_ms,\
    write_p95_ms,write_p99_ms,precond_p50_ms,precond_p99_ms,read_p50_ms,read_p95_ms,read_p99_ms,\
    avg_retry_count,total_reads,total_retry_failures,total_max_retries_exceeded,retry_failure_rate,\
    retry_success_rate";

fn text(csv: Vec<u8>) -> String {
    String::from_utf8(csv).unwrap()
}

#[test]
fn the_csv_has_exactly_the_26_columns() {
    let csv = text(columns_csv(&[example::cell()]).unwrap());
    assert_eq!(csv.lines().next(), Some(HEADER));
    assert_eq!((HEADER.split(',').count(), csv.lines().count()), (26, 2));
    assert_eq!(HEADER, Columns::NAMES.join(","));
}

#[test]
fn a_percentile_without_samples_is_an_empty_field() {
    let csv = text(columns_csv(&[example::cell()]).unwrap());
    let row: Vec<_> = csv.lines().nth(1).unwrap().split(',').collect();
    let place = |name| HEADER.split(',').position(|column| column == name).unwrap();
    assert_eq!(
        (row[place("precond_p50_ms")], row[place("precond_p99_ms")]),
        ("", "")
    );
    assert_eq!(
        (row[place("config_label")], row[place("total_reads")]),
        ("w1_r0.1", "24000")
    );
}

#[test]
fn the_csv_reads_back_as_it_was() {
    let cell = example::cell();
    let csv = columns_csv(std::slice::from_ref(&cell)).unwrap();
    let rows: Vec<Columns> = csv::Reader::from_reader(csv.as_slice())
        .deserialize()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows, [cell.columns]);
}

#[test]
fn every_detail_is_named_once_and_has_a_value_in_each_row() {
    let csv = detail_csv(&[example::cell(), example::cell()], &example::facts()).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let names = reader.headers().unwrap().clone();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let value = |name: &str| &rows[1][names.iter().position(|column| column == name).unwrap()];
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (value("verdict"), value("valid"), value("reason")),
        ("pass", "true", "")
    );
    assert_eq!((value("write_response_samples"), value("seed")), ("12", "42"));
    assert_eq!(
        (
            value("requests_per_commit_path"),
            value("floor_conditional_put_requests")
        ),
        ("1", "240")
    );
    assert_eq!((value("cores"), value("steal_share")), ("2", ""));
}

#[test]
fn repeats_have_their_number_before_the_columns() {
    let csv = text(repeats_csv(&[example::cell(), example::cell()]).unwrap());
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines[0], format!("repeat,{HEADER}"));
    assert!(
        lines[1].starts_with("1,w1_r0.1,") && lines[2].starts_with("2,w1_r0.1,"),
        "{csv}"
    );
}

#[test]
fn a_run_is_read_back_with_what_lies_beside_it() {
    let out = std::env::temp_dir().join(format!("manifest-perf-read-back-{}", std::process::id()));
    let folder = RunFolder::create(&out, "test").unwrap();
    let cells = [example::cell()];
    let [csv, detail, _] = write_numbers(&folder, "test", &cells, &example::facts()).unwrap();
    assert!(read_recording(&csv).unwrap().repeats.is_empty());
    write_repeats(&folder, "test", &[example::cell(), example::cell()]).unwrap();
    let old = read_recording(&csv).unwrap();
    assert_eq!(
        (old.rows.len(), old.repeats.len(), old.facts.is_some()),
        (1, 2, true)
    );
    std::fs::remove_file(detail).unwrap();
    assert!(read_recording(&csv).unwrap().facts.is_none());
    let error = read_recording(&out.join("none.csv")).unwrap_err();
    assert!(error.ends_with("none.csv is not there"), "{error}");
    let error = read_recording(folder.path()).unwrap_err();
    assert!(error.contains("cannot be read"), "{error}");
    std::fs::remove_dir_all(&out).unwrap();
}
