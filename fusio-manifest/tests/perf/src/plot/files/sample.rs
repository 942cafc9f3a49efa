//! Folders of runs that never happened, for tests.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, UNIX_EPOCH},
};

use hdrhistogram::{
    Histogram,
    serialization::{
        V2DeflateSerializer,
        interval_log::{IntervalLogWriterBuilder, Tag},
    },
};

use crate::{
    export::{columns_csv, detail_csv},
    report::example,
    summary::CellSummary,
};

/// Names and contents.
pub(in crate::plot) type Files = Vec<(String, Vec<u8>)>;

/// A new folder with these files.
pub(in crate::plot) fn folder(name: &str, files: &[(String, Vec<u8>)]) -> PathBuf {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("manifest-perf-plot-{name}-{}-{call}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    for (name, content) in files {
        std::fs::write(path.join(name), content).unwrap();
    }
    path
}

/// A log of intervals of a second: a tag, the second, microseconds.
pub(in crate::plot) fn hlog(intervals: &[(&str, u64, &[u64])]) -> String {
    let mut text = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.with_start_time(UNIX_EPOCH).with_base_time(UNIX_EPOCH);
    let mut log = builder.begin_log_with(&mut text, &mut serializer).unwrap();
    for (tag, second, values) in intervals {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).unwrap();
        values.iter().for_each(|value| histogram.record(*value).unwrap());
        let (start, second) = (Duration::from_secs(*second), Duration::from_secs(1));
        log.write_histogram(&histogram, start, second, Tag::new(tag))
            .unwrap();
    }
    drop(log);
    String::from_utf8(text).unwrap()
}

fn cell(writers: u32, rate: f64) -> CellSummary {
    let mut cell = example::cell();
    cell.columns.config_label = format!("w{writers}_r{rate}");
    (cell.columns.num_writers, cell.columns.writer_rate) = (writers, rate);
    cell.detail.conflicts.rate = f64::from(writers - 1) * rate / 8.0;
    cell.detail.conflicts.predicted = f64::from(writers - 1) * rate / 10.0;
    cell
}

fn files(stem: &str, scenario: &str, cells: &[CellSummary]) -> Files {
    let mut log = Vec::new();
    let tags: Vec<_> = (cells.iter())
        .map(|cell| ["writer-committed", "reader-read"].map(|end| format!("{}-{end}", cell.label())))
        .collect();
    for [writer, reader] in &tags {
        for second in 0..5 {
            log.push((writer.as_str(), second, &[60_000, 90_000][..]));
            log.push((reader.as_str(), second, &[27_000; 150][..]));
        }
    }
    let result = format!(
        "{{\"scenario\":\"{scenario}\",\"store\":\"embedded\",\"latency\":\"s3-standard\",\"seed\":42,\
         \"verdict\":\"pass\",\"valid\":true,\"reason\":null}}"
    );
    vec![
        (format!("{stem}.csv"), columns_csv(cells).unwrap()),
        (
            format!("{stem}_detail.csv"),
            detail_csv(cells, &example::facts()).unwrap(),
        ),
        (format!("{stem}.hlog"), hlog(&log).into_bytes()),
        (format!("{scenario}.result.json"), result.into_bytes()),
    ]
}

/// 1 and 2 writers at three rates.
pub(in crate::plot) fn sweep() -> Files {
    let cells: Vec<_> = [1, 2]
        .into_iter()
        .flat_map(|writers| [0.05, 0.1, 0.2].map(|rate| cell(writers, rate)))
        .collect();
    files("comprehensive_sweep_v2", "test_comprehensive_sweep", &cells)
}

/// One cell.
pub(in crate::plot) fn baseline() -> Files {
    files("test_baseline", "test_baseline", &[cell(1, 0.1)])
}

/// A run under faults, with a timeline that was made by hand.
pub(in crate::plot) fn faults() -> Files {
    let mut files = files("test_faults", "test_faults", &[cell(4, 2.0)]);
    files.push((
        "test_faults_timeline.csv".to_owned(),
        faults_timeline().as_bytes().to_vec(),
    ));
    files
}

/// Four seconds, of which one and a half are an outage; nothing happens in most intervals.
pub(in crate::plot) fn faults_timeline() -> &'static str {
    include_str!("sample_timeline.csv")
}
