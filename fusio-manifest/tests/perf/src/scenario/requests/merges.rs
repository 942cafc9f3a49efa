//! Commits while their handle merges, against commits of the same handle while it does not.
//!
//! A manifest of small blocks, so that a merge sends many requests and lasts for dozens of commits. Large transactions
//! fill folds until there are enough runs to merge; then small commits are made one after the other until the merge is in
//! HEAD, and afterwards as many while nothing is merged.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{Freshness, Manifest, Options, RequestClass, SharedSettings};

use super::super::{Context, judge::Judgement};
use crate::{
    metrics::Latencies,
    result::RequestsFields,
    trace::{Trace, TracedRequest, TracedStore},
};

/// Commits of each kind that are enough to judge: the p50 of so many is known to about 1 %.
const SAMPLES_JUDGED: u64 = 300;
/// What commits beside a merge may take at p50, against those beside none.
const MERGING_MAX: f64 = 1.05;
/// Commits of each kind at most.
const SAMPLES_MAX: u64 = 320;

/// Of large transactions, each of which fills a fold: their blocks do not compress much.
const WRITES: u32 = 6_000;
const FOLD_BYTES: u64 = 512 * 1024;
const BLOCK_BYTES: u64 = 1_024;
const SPILL_BYTES: u64 = 4 * 1024;
/// Large transactions of which some must have made a merge due.
const LARGE_MAX: u32 = 16;
/// Commits that a fold or a merge may last: far more than one takes.
const MERGE_COMMITS_MAX: u32 = 2_000;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct BesideMerges {
    /// Commits of 100 bytes while nothing was merged.
    pub(super) quiet: Latencies,
    /// While a merge was under way, from its first request to the HEAD that has its run.
    pub(super) merging: Latencies,
    pub(super) merges: u64,
}

impl BesideMerges {
    pub(super) fn tell(&self, fields: &mut RequestsFields) {
        let p50 = |latencies: &Latencies| latencies.quantile_ms(0.5);
        (fields.merges, fields.commits_merging) = (self.merges, self.merging.count());
        fields.commits_quiet = self.quiet.count();
        (fields.commit_p50_ms_quiet, fields.commit_p50_ms_merging) = (p50(&self.quiet), p50(&self.merging));
        let both = fields.commit_p50_ms_merging.zip(fields.commit_p50_ms_quiet);
        fields.merging_ratio = both.map(|(merging, quiet)| merging / quiet);
    }
}

/// As many of each kind as a third of the commits that the scenario makes.
pub(super) fn samples(commits: u64) -> u64 {
    (commits / 3).clamp(1, SAMPLES_MAX)
}

pub(super) async fn commit_beside_merges(context: &Context) -> Result<BesideMerges, String> {
    let sent = context.store.store(&context.store.meters.other);
    let traced = TracedStore::new(sent, Arc::clone(&context.clock));
    let trace = traced.trace();
    let options = Options {
        shared: SharedSettings {
            fold_bytes: FOLD_BYTES,
            block_bytes: BLOCK_BYTES,
            // Else a fold of a large transaction waits until the small ones before it are old enough to be spilled.
            spill_bytes: SPILL_BYTES,
            spill_keep_bytes: 0,
            ..SharedSettings::default()
        },
        ..context.engine().next_options()
    };
    let prefix = context.store.prefix("merges");
    let created = Manifest::create(Arc::new(traced), &prefix, options).await;
    let (manifest, _) = created.map_err(|error| error.to_string())?;
    let writer = Writer {
        context,
        manifest,
        trace,
    };
    let mut done = BesideMerges::default();
    let wanted = samples(context.settings.commits);
    while done.merging.count() < wanted && !context.should_stop() {
        writer.until_merging().await?;
        let before = done.merging.count();
        writer.while_merging(&mut done).await?;
        // As many of the other kind, in the same weather.
        for _ in before..done.merging.count() {
            done.quiet.record(writer.commit().await?);
        }
        if writer.merges() {
            return Err("a merge began while none was due".to_owned());
        }
    }
    writer.manifest.close().await;
    Ok(done)
}

struct Writer<'a> {
    context: &'a Context,
    manifest: Manifest,
    trace: Arc<Trace>,
}

impl Writer<'_> {
    async fn write(&self, writes: impl Iterator<Item = (Bytes, Bytes)>) -> Result<Duration, String> {
        let clock = &self.context.clock;
        let began = clock.now();
        let committed = async {
            let snapshot = self.manifest.snapshot(Freshness::Cached).await?;
            let mut transaction = self.manifest.begin_on(snapshot)?;
            for (key, value) in writes {
                transaction.put(key, value)?;
            }
            transaction.commit().await
        };
        committed.await.map_err(|error| error.to_string())?;
        Ok(clock.now().saturating_sub(began))
    }

    /// One commit of 100 bytes, key and value.
    async fn commit(&self) -> Result<Duration, String> {
        let write = (Bytes::from_static(b"small"), Bytes::from(vec![b'v'; 95]));
        self.write(std::iter::once(write)).await
    }

    /// True if a merge is under way: this handle reads tables for nothing else. Counts from the last merge that ended.
    fn merges(&self) -> bool {
        let reads =
            |request: &TracedRequest| request.class == RequestClass::Get && request.key.contains("/table/");
        self.trace.any(reads)
    }

    fn runs(&self) -> Result<usize, String> {
        let info = self.manifest.info().map_err(|error| error.to_string())?;
        Ok(info.runs)
    }

    /// Makes folds until there are enough runs, and their merge has begun.
    async fn until_merging(&self) -> Result<(), String> {
        self.trace.take();
        for number in 0..LARGE_MAX {
            let writes = (0..WRITES).map(|key| {
                let text = format!("{key:06}_{number:03}_{:040x}", u128::from(key) << (number % 64));
                (
                    Bytes::from(format!("large_{key:06}")),
                    Bytes::from(text.repeat(2)),
                )
            });
            self.write(writes).await?;
            let runs = self.runs()?;
            // Until it is folded, and what that makes due has begun.
            for _ in 0..MERGE_COMMITS_MAX {
                if self.runs()? > runs || self.merges() || self.context.should_stop() {
                    break;
                }
                self.commit().await?;
            }
            self.commit().await?;
            if self.merges() || self.context.should_stop() {
                return Ok(());
            }
        }
        Err(format!("{LARGE_MAX} runs made no merge due"))
    }

    /// Commits until the merge is in HEAD.
    async fn while_merging(&self, done: &mut BesideMerges) -> Result<(), String> {
        let runs = self.runs()?;
        for _ in 0..MERGE_COMMITS_MAX {
            let took = self.commit().await?;
            done.merging.record(took);
            if self.runs()? < runs {
                done.merges += 1;
                self.trace.take();
                return Ok(());
            }
        }
        Err(format!("a merge was not done after {MERGE_COMMITS_MAX} commits"))
    }
}

/// Maintenance beside the path is nothing that a caller waits for. Below `judged_ms` the scheduling of tasks is as much.
pub(super) fn judge(fields: &RequestsFields, judged_ms: f64, judgement: &mut Judgement) {
    let samples = fields.commits_quiet.min(fields.commits_merging);
    let slow = fields.commit_p50_ms_quiet.is_some_and(|quiet| quiet >= judged_ms);
    let Some(ratio) = fields.merging_ratio.filter(|_| samples >= SAMPLES_JUDGED && slow) else {
        return;
    };
    judgement.fail_if(ratio > MERGING_MAX, || {
        format!("p50 of commits beside a merge is {ratio:.3} x that of others, allowed is {MERGING_MAX}")
    });
    if ratio <= MERGING_MAX {
        judgement
            .verified
            .push(format!("commit p50 beside merges / beside none {ratio:.3}"));
    }
}

pub(super) fn write(out: &mut impl Write, fields: &RequestsFields) -> io::Result<()> {
    let shown = |number: Option<f64>| number.map_or("n/a".to_owned(), |number| format!("{number:.3}"));
    writeln!(
        out,
        "--- Merges ---\nCommit p50 beside {} merges: {} ms (n={}), beside none {} ms (n={}): ratio {}\n",
        fields.merges,
        shown(fields.commit_p50_ms_merging),
        fields.commits_merging,
        shown(fields.commit_p50_ms_quiet),
        fields.commits_quiet,
        shown(fields.merging_ratio)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_samples_to_judge_from_a_thousand_commits_on() {
        for (commits, wanted) in [(1, 1), (20, 6), (899, 299), (1_000, 320), (10_000, 320)] {
            assert_eq!(samples(commits), wanted, "{commits}");
        }
        assert!(samples(1_000) >= SAMPLES_JUDGED);
    }

    #[test]
    fn slow_commits_beside_merges_fail_where_there_are_enough_of_them() {
        let told = |ratio, samples, quiet_ms| {
            let fields = RequestsFields {
                merging_ratio: Some(ratio),
                commits_merging: samples,
                commits_quiet: SAMPLES_JUDGED,
                commit_p50_ms_quiet: Some(quiet_ms),
                ..RequestsFields::default()
            };
            let mut judgement = Judgement::default();
            judge(&fields, 10.0, &mut judgement);
            (judgement.failures.len(), judgement.verified.len())
        };
        assert_eq!(told(1.051, SAMPLES_JUDGED, 60.0), (1, 0));
        assert_eq!(told(1.05, SAMPLES_JUDGED, 60.0), (0, 1));
        for (samples, quiet_ms) in [(SAMPLES_JUDGED - 1, 60.0), (SAMPLES_JUDGED, 9.9)] {
            assert_eq!(told(2.0, samples, quiet_ms), (0, 0));
        }
    }
}
