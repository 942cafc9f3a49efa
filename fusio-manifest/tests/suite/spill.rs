//! Spill: the oldest commits leave HEAD beside the path, and nobody but its writer notices.

use std::time::Duration;

use fusio_manifest::{Freshness, Manifest, MemoryStore, RequestClass, limits};

use crate::{
    faulty::{Fault, Gate},
    support::{
        Tune, Verdict, ensure, final_state, founded, founded_with, increment, open, open_faulty, options,
        pause, put, settle, sound, spilled_at_once, unexpected, within,
    },
};

pub(crate) const KIB: usize = 1024;

/// Bytes of commits that a HEAD with default settings carries before a spill is due.
const THRESHOLD: usize = 64 * KIB;

/// So many commits of a kilobyte make a spill due where the settings are the default.
pub(crate) const CROSSING: usize = 63;

/// A value of a kilobyte that only this number has.
pub(crate) fn kilobyte(number: usize) -> String {
    format!("{number:0>1000}")
}

/// Commits these numbers, a kilobyte each.
pub(crate) async fn fill(
    manifest: &Manifest,
    numbers: impl IntoIterator<Item = usize>,
) -> Result<(), fusio_manifest::Error> {
    for number in numbers {
        put(manifest, &format!("key {number}"), &kilobyte(number)).await?;
    }
    Ok(())
}

/// Holds that a new handle finds exactly `0..count`, each with its value, and `others` more commits.
pub(crate) async fn all_there(store: &MemoryStore, count: usize, others: u64) -> Verdict {
    let (entries, txn) = final_state(store).await.map_err(unexpected)?;
    ensure!(txn == count as u64 + others, "{txn} commits");
    for number in 0..count {
        let value = entries.get(&format!("key {number}"));
        ensure!(
            value.is_some_and(|value| *value == kilobyte(number)),
            "key {number} holds {value:?}"
        );
    }
    Ok(())
}

fn maintenance_puts(manifest: &Manifest) -> usize {
    let counts = manifest.info().unwrap().maintenance;
    usize::try_from(counts.requests(RequestClass::ConditionalPut)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn small_commits_are_one_put_each_and_their_spills_come_on_top() {
    const COMMITS: usize = 1_000;
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    fill(&manifest, 0..COMMITS).await.unwrap();
    assert_eq!((faulty.bodies().len(), faulty.looks()), (COMMITS, 0));
    let spills = faulty.log_puts().len();
    // About 48 KiB move out each time.
    assert!((COMMITS / 60..=COMMITS / 40).contains(&spills), "{spills} spills");
    let folds = faulty.table_puts().len();
    assert_eq!((maintenance_puts(&manifest), folds), (spills + folds, 1));
    assert_eq!(faulty.log_reads(), 0, "what it wrote itself it need not read");
    let largest = faulty.bodies().iter().map(|body| body.len()).max().unwrap();
    assert!(
        largest < THRESHOLD + 8 * KIB,
        "HEAD grew to {largest}: the spill of an idle store is quick"
    );
    all_there(&store, COMMITS, 0).await.unwrap();
    manifest.close().await;
    founder.close().await;
}

/// A reader that is at most 8 KiB behind never reads a log object, whoever spills.
#[tokio::test(start_paused = true)]
async fn the_newest_commits_stay_inline_for_those_who_are_a_little_behind() {
    let (store, writer) = founded().await;
    let (faulty, reader) = open_faulty(&store, options(2)).await;
    for step in 0..50 {
        fill(&writer, step * 8..(step + 1) * 8).await.unwrap();
        let seen = reader.get(format!("key {}", step * 8)).await.unwrap();
        assert!(seen.is_some());
    }
    assert!(
        writer.info().unwrap().log_objects > 4,
        "{:?}",
        writer.info().unwrap()
    );
    assert_eq!((faulty.looks(), faulty.log_reads()), (50, 0));
    writer.close().await;
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_loser_of_a_race_to_a_spill_reads_no_log_object() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut objects = 0;
    for number in 0..150 {
        fill(&founder, [number]).await.unwrap();
        increment(&manifest, "own").await.unwrap();
        // What the founder knows it learns by losing, too.
        objects = objects.max(founder.info().unwrap().log_objects);
    }
    assert!(objects > 1, "nothing was spilled");
    assert_eq!(faulty.log_reads(), 0);
    all_there(&store, 150, 150).await.unwrap();
    founder.close().await;
    manifest.close().await;
}

/// While the HEAD that crosses the threshold is on the wire, nothing is spilled that only it holds.
pub(crate) async fn a_spill_waits_until_its_commits_have_landed(tune: Tune) -> Verdict {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, tune(options(2))).await;
    fill(&manifest, 0..CROSSING - 1).await.map_err(unexpected)?;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let crossing = tokio::spawn({
        let manifest = manifest.clone();
        async move { fill(&manifest, [CROSSING - 1]).await }
    });
    gate.reached().await;
    pause(Duration::from_secs(1)).await;
    let early = faulty.log_puts().len();
    gate.open();
    crossing.await.unwrap().map_err(unexpected)?;
    settle().await;
    let after = faulty.log_puts().len();
    manifest.close().await;
    founder.close().await;
    ensure!(early == 0, "{early} log objects of a HEAD that has not landed");
    ensure!(after == 1, "{after} log objects once it had");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_spill_is_built_only_from_a_head_that_has_landed() {
    a_spill_waits_until_its_commits_have_landed(sound).await.unwrap();
}

/// What a handle spilled, another one that has seen nothing before reads.
pub(crate) async fn spilled_commits_are_read_by_others(tune: Tune) -> Verdict {
    let (store, founder) = founded().await;
    let manifest = open(&store, tune(options(2))).await;
    fill(&manifest, 0..200).await.map_err(unexpected)?;
    let objects = manifest.info().map_err(unexpected)?.log_objects;
    ensure!(objects > 1, "{objects} log objects");
    manifest.close().await;
    founder.close().await;
    all_there(&store, 200, 0).await
}

#[tokio::test(start_paused = true)]
async fn what_was_spilled_is_read_by_who_comes_later() {
    spilled_commits_are_read_by_others(sound).await.unwrap();
}

/// The crossing commit loses its race: the spill that follows holds the winner's commit in that place, and
/// nothing of the dead body.
pub(crate) async fn a_lost_race_at_the_threshold_resurrects_nothing(tune: Tune) -> Verdict {
    let (store, founder) = founded_with(spilled_at_once()).await;
    let manifest = open(&store, tune(options(2))).await;
    let mut loser = manifest
        .begin_on(manifest.snapshot(Freshness::Cached).await.map_err(unexpected)?)
        .map_err(unexpected)?;
    // It reads what the winner writes, so it never commits; the same place in the order is the winner's.
    loser.get("contended").await.map_err(unexpected)?;
    loser.put("contended", "loser").map_err(unexpected)?;
    loser.put("loser", "was here").map_err(unexpected)?;
    put(&founder, "contended", "winner").await.map_err(unexpected)?;
    let lost = loser.commit().await;
    ensure!(lost.is_err(), "it committed: {lost:?}");
    for number in 0..3 {
        settle().await;
        put(&manifest, &format!("later {number}"), "v")
            .await
            .map_err(unexpected)?;
    }
    manifest.close().await;
    founder.close().await;
    let (entries, txn) = final_state(&store).await.map_err(unexpected)?;
    ensure!(txn == 4, "{txn} commits");
    ensure!(
        !entries.contains_key("loser"),
        "a commit that was refused is there"
    );
    let contended = entries.get("contended");
    ensure!(contended.is_some_and(|value| value == "winner"), "{contended:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_spill_beside_a_lost_race_holds_nothing_of_the_loser() {
    a_lost_race_at_the_threshold_resurrects_nothing(sound)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_head_at_its_cap_makes_commits_wait_for_the_spill_and_fails_none() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let gate = Gate::closed();
    faulty.on_log_put(Fault::HoldAfter(gate.clone()));
    let filling = tokio::spawn({
        let manifest = manifest.clone();
        async move { fill(&manifest, 0..400).await }
    });
    gate.reached().await;
    pause(Duration::from_secs(5)).await;
    let largest = faulty.bodies().iter().map(|body| body.len()).max().unwrap();
    assert!(
        (limits::HEAD_BYTES_MAX - 4 * KIB..=limits::HEAD_BYTES_MAX).contains(&largest),
        "HEAD has {largest} bytes"
    );
    assert!(!filling.is_finished());
    gate.open();
    within(Duration::from_secs(1), filling)
        .await
        .expect("it still waits")
        .unwrap()
        .unwrap();
    let largest = faulty.bodies().iter().map(|body| body.len()).max().unwrap();
    assert!(largest <= limits::HEAD_BYTES_MAX, "HEAD grew to {largest}");
    all_there(&store, 400, 0).await.unwrap();
    manifest.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_very_slow_spill_delays_commits_and_fails_none() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    // Once within the time that a request may take, once beyond it.
    faulty.on_log_put(Fault::Delay(Duration::from_secs(14)));
    faulty.on_log_put(Fault::Delay(Duration::from_secs(25)));
    fill(&manifest, 0..600).await.unwrap();
    all_there(&store, 600, 0).await.unwrap();
    manifest.close().await;
    founder.close().await;
}
