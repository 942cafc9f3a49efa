//! Fold and merge: the log becomes runs beside the path, and whoever reads finds the same as before.

use std::collections::BTreeMap;

use bytes::Bytes;
use fusio_manifest::{
    Freshness, KeyRange, Maintenance, Manifest, MemoryStore, Options, SharedSettings, Snapshot,
};

use crate::support::{
    Tune, Verdict, cached, ensure, final_state, founded_by, founded_with, open, options, put, settle, sound,
    tables, unexpected,
};

/// Settings with which every commit is spilled at once, two log objects make a run and two runs a larger one, in tables
/// and blocks of a few entries.
pub(crate) fn folded_soon() -> SharedSettings {
    SharedSettings {
        spill_bytes: 1,
        spill_keep_bytes: 0,
        fold_objects: 2,
        tier_ratio: 2,
        block_bytes: 1_024,
        table_bytes: 1_024,
        ..SharedSettings::default()
    }
}

/// What a manifest holds.
pub(crate) type Content = BTreeMap<String, Option<String>>;

/// Commits number `number` of a history in which keys are written, written again and deleted, and keeps `content` up to
/// date.
pub(crate) async fn step(
    manifest: &Manifest,
    number: usize,
    content: &mut Content,
) -> Result<(), fusio_manifest::Error> {
    let mut transaction = cached(manifest).await;
    for write in 0..5 {
        // Some keys are written often, some once; every third write deletes.
        let key = match write {
            0 => format!("often {}", number % 7),
            1 => format!("sometimes {:03}", (number * 31) % 101),
            _ => format!("once {:04}", number * 5 + write),
        };
        let deletes = write < 2 && number % 3 == write;
        let value = (!deletes).then(|| format!("{number}/{write} {}", "x".repeat(50)));
        match &value {
            Some(value) => transaction.put(key.clone(), value.clone())?,
            None => transaction.delete(key.clone())?,
        }
        content.insert(key, value);
    }
    transaction.commit().await?;
    settle().await;
    Ok(())
}

fn live(content: &Content) -> Vec<(Bytes, Bytes)> {
    let entry = |(key, value): (&String, &Option<String>)| {
        value
            .clone()
            .map(|value| (Bytes::from(key.clone()), Bytes::from(value)))
    };
    content.iter().filter_map(entry).collect()
}

/// Holds that a snapshot has exactly this content, whichever way it is read.
pub(crate) async fn holds(snapshot: &Snapshot, content: &Content, who: &str) -> Verdict {
    for (key, value) in content {
        let read = snapshot.get(key).await.map_err(unexpected)?;
        ensure!(
            read.as_deref() == value.as_ref().map(String::as_bytes),
            "{who}: {key} holds {read:?}, {value:?} was written"
        );
    }
    let absent = snapshot.get("often").await.map_err(unexpected)?;
    ensure!(
        absent.is_none(),
        "{who}: a key that nobody wrote holds {absent:?}"
    );
    let all = live(content);
    for range in [
        KeyRange::all(),
        KeyRange::prefix("often"),
        KeyRange::between("once 0100", "sometimes 050"),
        KeyRange::from("sometimes 0"),
        KeyRange::between("once 0007", "once 0007"),
    ] {
        let mut expected = all.clone();
        expected.retain(|(key, _)| range.contains(key));
        let scan = || snapshot.scan(range.clone());
        let forward = scan().collect().await.map_err(unexpected)?;
        ensure!(
            forward == expected,
            "{who}: {range:?} has {} entries, {} belong",
            forward.len(),
            expected.len()
        );
        let backward = scan().reversed().collect().await.map_err(unexpected)?;
        expected.reverse();
        ensure!(backward == expected, "{who}: {range:?} backward is another");
    }
    Ok(())
}

/// A manifest whose log has become runs many times over, what it holds, and the handle that wrote it.
async fn written(tune: Tune, steps: usize) -> Result<(MemoryStore, Manifest, Content), String> {
    let (store, manifest) = founded_by(tune(Options {
        shared: folded_soon(),
        ..options(1)
    }))
    .await;
    let mut content = Content::new();
    for number in 0..steps {
        step(&manifest, number, &mut content).await.map_err(unexpected)?;
    }
    Ok((store, manifest, content))
}

pub(crate) async fn what_was_folded_is_read_by_everybody(tune: Tune) -> Verdict {
    let (store, manifest, content) = written(tune, 150).await?;
    let info = manifest.info().map_err(unexpected)?;
    ensure!(
        info.folded_through > 140 && info.runs > 1 && info.log_objects < 4,
        "{info:?}"
    );
    let own = manifest.snapshot(Freshness::Cached).await.map_err(unexpected)?;
    holds(&own, &content, "its writer").await?;
    let newcomer = open(&store, options(9)).await;
    let theirs = newcomer.snapshot(Freshness::Latest).await.map_err(unexpected)?;
    ensure!(theirs.txn() == 150, "{} commits", theirs.txn());
    holds(&theirs, &content, "a newcomer").await?;
    newcomer.close().await;
    manifest.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_folded_and_merged_is_read_by_everybody() {
    what_was_folded_is_read_by_everybody(sound).await.unwrap();
}

/// Merges take runs out of HEAD: of 75 folds few are left, and what was merged away is garbage.
#[tokio::test(start_paused = true)]
async fn runs_stay_few() {
    let (store, manifest, content) = written(sound, 150).await.unwrap();
    manifest.maintain().await.unwrap();
    let info = manifest.info().unwrap();
    assert!(info.runs <= 8, "{info:?}");
    assert!(info.head_bytes < 32 * 1024, "{info:?}");
    assert!(!tables(&store).await.is_empty() && content.len() > 400);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_reads_the_same_across_folds_and_merges() {
    let (store, manifest) = founded_with(folded_soon()).await;
    let reader = open(&store, options(2)).await;
    let mut content = Content::new();
    let mut held = Vec::new();
    for number in 0..90 {
        step(&manifest, number, &mut content).await.unwrap();
        if number % 15 == 7 {
            held.push((reader.snapshot(Freshness::Latest).await.unwrap(), content.clone()));
        }
    }
    let through = manifest.info().unwrap().folded_through;
    for (snapshot, content) in &held {
        assert!(snapshot.txn() < through);
        holds(snapshot, content, &format!("at {}", snapshot.txn()))
            .await
            .unwrap();
    }
    reader.close().await;
    manifest.close().await;
}

/// A scan that has begun goes on over what it began on, though all of it is folded and merged meanwhile.
#[tokio::test(start_paused = true)]
async fn a_scan_goes_on_across_folds() {
    let (_store, manifest, content) = written(sound, 40).await.unwrap();
    let mut scan = manifest.scan(KeyRange::all()).await.unwrap();
    let mut read = vec![scan.next().await.unwrap().unwrap()];
    let mut later = content.clone();
    for number in 40..80 {
        step(&manifest, number, &mut later).await.unwrap();
        read.extend(scan.next().await.unwrap());
    }
    read.extend(scan.collect().await.unwrap());
    assert_eq!(read, live(&content));
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_was_away_for_many_folds_reads_what_is_there() {
    let (store, manifest) = founded_with(folded_soon()).await;
    let reader = open(&store, options(2)).await;
    let mut content = Content::new();
    for number in 0..60 {
        step(&manifest, number, &mut content).await.unwrap();
        if number % 20 == 0 {
            let snapshot = reader.snapshot(Freshness::Latest).await.unwrap();
            holds(&snapshot, &content, "a reader").await.unwrap();
        }
    }
    let snapshot = reader.snapshot(Freshness::Latest).await.unwrap();
    holds(&snapshot, &content, "a reader").await.unwrap();
    reader.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_manifest_of_which_everything_was_deleted_is_empty() {
    let (store, manifest) = founded_with(folded_soon()).await;
    for value in [Some("v"), None] {
        for number in 0..20 {
            let mut transaction = cached(&manifest).await;
            let key = format!("key {number}");
            match value {
                Some(value) => transaction.put(key, value).unwrap(),
                None => transaction.delete(key).unwrap(),
            }
            transaction.commit().await.unwrap();
            settle().await;
        }
    }
    manifest.maintain().await.unwrap();
    assert!(final_state(&store).await.unwrap().0.is_empty());
    put(&manifest, "key 3", "again").await.unwrap();
    let (entries, txn) = final_state(&store).await.unwrap();
    assert_eq!((entries.len(), txn), (1, 41));
    manifest.close().await;
}

/// A process that only commits leaves folding to one that only maintains.
#[tokio::test(start_paused = true)]
async fn on_demand_only_maintain_folds() {
    let (store, founder) = founded_with(folded_soon()).await;
    let writer = open(
        &store,
        Options {
            maintenance: Maintenance::OnDemand,
            ..options(2)
        },
    )
    .await;
    let mut content = Content::new();
    for number in 0..30 {
        step(&writer, number, &mut content).await.unwrap();
    }
    assert_eq!(writer.info().unwrap().runs, 0);
    assert!(tables(&store).await.is_empty());
    founder.snapshot(Freshness::Latest).await.unwrap();
    founder.maintain().await.unwrap();
    let info = founder.info().unwrap();
    assert!(info.runs >= 1 && info.log_objects < 2, "{info:?}");
    let snapshot = writer.snapshot(Freshness::Latest).await.unwrap();
    holds(&snapshot, &content, "the writer").await.unwrap();
    writer.close().await;
    founder.close().await;
}
