//! Dollars against the log of the server that was asked.

use std::{collections::VecDeque, fs};

use fusio_manifest::SystemClock;

use super::*;
use crate::{
    client::{Client, MonotonicWriter, Reader},
    latency::RequestClass,
    run::Prepared,
    s3::request_log::LoggedRequest,
    scenario::by_turns::now,
};

const COMMITS_OF_EACH: usize = 15;
const READS: usize = 40;

/// What S3 Standard charges for a million of `operations` that made the server answer these requests, by its list
/// prices of 2026: 0.005 dollars for 1,000 PUTs, 0.0004 for 1,000 GETs. Written out here a second time, on purpose.
fn dollars_per_million(requests: &[LoggedRequest], operations: usize) -> f64 {
    let puts = (requests.iter())
        .filter(|request| matches!(request.class, RequestClass::Put | RequestClass::Cas))
        .count();
    let gets = (requests.iter())
        .filter(|request| request.class == RequestClass::Get)
        .count();
    assert_eq!(puts + gets, requests.len(), "nothing else was asked for");
    (puts as f64 * 0.005 + gets as f64 * 0.000_4) / 1_000.0 * 1e6 / operations as f64
}

/// What came to the log since it had `seen` requests.
fn since(log: &VecDeque<LoggedRequest>, seen: usize) -> Vec<LoggedRequest> {
    log.iter().skip(seen).cloned().collect()
}

/// Two writers by turns, so that each always finds HEAD changed: looks and lost races are on the bill too.
#[tokio::test(flavor = "multi_thread")]
async fn dollars_in_the_report_are_what_the_servers_own_log_comes_to() {
    let out = std::env::temp_dir().join(format!("manifest-perf-bill-{}", std::process::id()));
    let vars = [
        ("PERF_OUT", out.to_str().unwrap()),
        ("PERF_STORE", "embedded"),
        ("PERF_LATENCY", "none"),
        ("PERF_NUM_WRITERS", "2"),
        ("PERF_NUM_READERS", "1"),
        ("PERF_WARMUP_SECS", "0"),
    ];
    let settings = Settings::from_env(vars).unwrap();
    let context = Context::open("bill", settings, Arc::new(SystemClock), Interrupt::new())
        .await
        .unwrap();
    let (workload, engine) = (&context.settings.workload, context.engine());
    let cell = context.cell("bill".to_owned(), workload, &engine);
    let mut prepared = Prepared::new(&cell).await.unwrap();
    let owns = prepared.clients.owns.clone();
    let (writers, reader) = owns.split_at(2);
    let log = || context.store.request_log().unwrap();

    prepared.begin();
    let before = log().len();
    for _ in 0..COMMITS_OF_EACH {
        for own in writers {
            MonotonicWriter::new(Arc::clone(own))
                .operate(now(&*context.clock))
                .await;
        }
    }
    let written = log().len();
    let reading = Reader::new(Arc::clone(&reader[0]));
    for _ in 0..READS {
        reading.operate(now(&*context.clock)).await;
    }
    let all = log();
    let outcome = prepared.finish(Duration::from_secs(1), false, 0).await;

    let of_commits: Vec<_> = since(&all, before).into_iter().take(written - before).collect();
    let per_commit = dollars_per_million(&of_commits, 2 * COMMITS_OF_EACH);
    let per_read = dollars_per_million(&since(&all, written), READS);
    assert!(
        per_commit > 5.3,
        "{per_commit}: looks or lost races cost something"
    );

    let summary = context.summarize(workload, &outcome);
    let close = |told: Option<f64>, by_hand: f64| (told.unwrap() * 1e6 / by_hand - 1.0).abs() < 1e-9;
    let detail = &summary.detail;
    assert!(
        close(detail.dollars_per_commit, per_commit),
        "{detail:?} {per_commit}"
    );
    assert!(close(detail.dollars_per_read, per_read), "{detail:?} {per_read}");

    let facts = RunFacts::new(&context.settings, context.environment.finish(), Verdict::Pass);
    write_numbers(&context.folder, "test", std::slice::from_ref(&summary), &facts).unwrap();
    plot::draw(context.folder.path()).unwrap();
    let page = fs::read_to_string(context.folder.path().join(plot::REPORT)).unwrap();
    let sum = page
        .split("<th scope=\"row\">all</th>")
        .nth(1)
        .unwrap_or_default();
    let row = sum.split("</tr>").next().unwrap_or_default();
    for dollars in [per_commit, per_read] {
        assert!(
            row.contains(&format!("<td>{dollars:.4}</td>")),
            "{dollars} is not in {row}"
        );
    }
    assert_eq!(context.store.clean_up().await, None);
    drop(context);
    fs::remove_dir_all(out).unwrap();
}
