//! The whole table, printed as Markdown with `--nocapture`.

use super::{
    Case, Setting,
    bench::{Bench, Row, run, verdict},
    every_case,
    memory::Memory,
};
use crate::support::sound;

async fn rows(bench: &impl Bench, cases: &[Case], settings: &[Setting]) -> Vec<Row> {
    let mut rows = Vec::new();
    for case in cases {
        for setting in settings {
            match run(bench, case, *setting).await {
                Ok(row) => rows.push(row),
                Err(what) => panic!("{} in {setting:?}: {what}", case.name),
            }
        }
    }
    rows
}

fn print(rows: &[Row]) {
    println!("\n| case | setting | store | outcome told | outcome true | verdict |");
    println!("|---|---|---|---|---|---|");
    for row in rows {
        println!("{row}");
    }
    let untrue = rows.iter().filter(|row| !row.is_true()).count();
    println!("\n{} rows, {untrue} false", rows.len());
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_told_in_memory_is_false() {
    let mut cases = every_case();
    cases.retain(|case| !case.puts.is_empty());
    let rows = rows(&Memory::tuned(sound), &cases, &Setting::ALL).await;
    print(&rows);
    verdict(&rows).unwrap();
}

/// One endpoint for each setting, all at once: most of the time is spent in waiting for what is late.
#[cfg(feature = "s3")]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_told_over_http_is_false() {
    let mut cases = every_case();
    cases.retain(|case| !case.rules.is_empty());
    let in_setting = |setting| {
        let cases = &cases;
        async move {
            let bench = super::http::Http::start().await;
            rows(&bench, cases, &[setting]).await
        }
    };
    let [alone, foreign, conflicting, maintenance] = Setting::ALL.map(in_setting);
    let (alone, foreign, conflicting, maintenance) = tokio::join!(alone, foreign, conflicting, maintenance);
    let rows: Vec<_> = [alone, foreign, conflicting, maintenance]
        .into_iter()
        .flatten()
        .collect();
    print(&rows);
    verdict(&rows).unwrap();
}
