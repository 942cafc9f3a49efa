//! Spills that race with commits, with other spills and with each other: every commit keeps its place, once.

use fusio_manifest::{Manifest, MemoryStore, SharedSettings};

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    spill::{KIB, all_there, fill},
    support::{founded, founded_with, increment, log_objects, open_faulty, options, settle, spilled_at_once},
};

/// A handle behind scripted faults whose HEAD carries `count` kilobytes, less than what makes a spill due.
async fn filled(store: &MemoryStore, count: usize) -> (FaultyStore, Manifest) {
    let (faulty, manifest) = open_faulty(store, options(2)).await;
    fill(&manifest, 0..count).await.unwrap();
    faulty.forget_requests();
    (faulty, manifest)
}

#[tokio::test(start_paused = true)]
async fn a_commit_while_a_foreign_spill_lands_is_in_its_place_once() {
    let (store, founder) = founded_with(spilled_at_once()).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    fill(&founder, 0..3).await.unwrap();
    founder.maintain().await.unwrap();
    manifest.get("key 0").await.unwrap();
    let before = founder.info().unwrap();
    fill(&founder, [3]).await.unwrap();
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    manifest.get("key 0").await.unwrap();
    let commit = tokio::spawn({
        let manifest = manifest.clone();
        async move { increment(&manifest, "own").await }
    });
    gate.reached().await;
    // A HEAD that commits nothing lands in between.
    founder.maintain().await.unwrap();
    let after = founder.info().unwrap();
    assert_eq!((after.txn, after.log_objects), (4, before.log_objects + 1));
    gate.open();
    let receipt = commit.await.unwrap().unwrap();
    assert_eq!((receipt.txn, receipt.attempts.len()), (Some(5), 2));
    all_there(&store, 4, 1).await.unwrap();
    founder.close().await;
    manifest.close().await;
}

/// A handle whose spill is held at `gate`, before or after its PUT takes effect; HEAD crossed the threshold.
async fn spilling(store: &MemoryStore, fault: fn(Gate) -> Fault) -> (FaultyStore, Manifest, Gate) {
    let (faulty, manifest) = filled(store, 60).await;
    let gate = Gate::closed();
    faulty.on_log_put(fault(gate.clone()));
    fill(&manifest, 60..70).await.unwrap();
    gate.reached().await;
    (faulty, manifest, gate)
}

#[tokio::test(start_paused = true)]
async fn commits_go_on_while_a_spill_is_on_the_wire_and_foreign_ones_do_not_stop_it() {
    let (store, founder) = founded().await;
    let (faulty, manifest, gate) = spilling(&store, Fault::HoldBefore).await;
    founder.get("key 0").await.unwrap();
    increment(&founder, "foreign").await.unwrap();
    fill(&manifest, 70..75).await.unwrap();
    assert_eq!(manifest.info().unwrap().log_objects, 0);
    gate.open();
    settle().await;
    fill(&manifest, [75]).await.unwrap();
    assert_eq!(manifest.info().unwrap().log_objects, 1);
    assert_eq!(faulty.log_puts().len(), 1);
    // One race was lost; the spill took no HEAD of its own.
    assert_eq!(faulty.bodies().len(), 10 + 5 + 1 + 1);
    all_there(&store, 76, 1).await.unwrap();
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_spills_of_the_same_commits_one_is_swapped_in_and_no_object_is_deleted() {
    for fault in [Fault::HoldBefore as fn(Gate) -> Fault, Fault::HoldAfter] {
        let (store, founder) = founded().await;
        let (_, manifest, gate) = spilling(&store, fault).await;
        founder.get("key 0").await.unwrap();
        founder.maintain().await.unwrap();
        assert_eq!(founder.info().unwrap().log_objects, 1);
        gate.open();
        settle().await;
        fill(&manifest, 70..80).await.unwrap();
        assert_eq!(manifest.info().unwrap().log_objects, 1);
        assert_eq!(
            log_objects(&store).await.len(),
            2,
            "the loser's is garbage, and stays"
        );
        all_there(&store, 80, 0).await.unwrap();
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_spills_in_two_heads_at_once_one_wins() {
    for maintainer_first in [true, false] {
        let (store, founder) = founded().await;
        let (faulty, manifest, gate) = spilling(&store, Fault::HoldBefore).await;
        let (other_faulty, other) = open_faulty(&store, options(3)).await;
        let [own, others] = [Gate::closed(), Gate::closed()];
        other_faulty.on_put(Fault::HoldBefore(others.clone()));
        let maintaining = tokio::spawn({
            let other = other.clone();
            async move { other.maintain().await }
        });
        others.reached().await;
        gate.open();
        settle().await;
        faulty.on_put(Fault::HoldBefore(own.clone()));
        let committing = tokio::spawn({
            let manifest = manifest.clone();
            async move { fill(&manifest, [70]).await }
        });
        own.reached().await;
        // Both HEADs are on the wire, each with a reference to its own object of the same commits.
        let order = if maintainer_first {
            [&others, &own]
        } else {
            [&own, &others]
        };
        for gate in order {
            gate.open();
            settle().await;
        }
        committing.await.unwrap().unwrap();
        maintaining.await.unwrap().unwrap();
        other.get("key 0").await.unwrap();
        assert_eq!(other.info().unwrap().log_objects, 1);
        assert_eq!(log_objects(&store).await.len(), 2);
        all_there(&store, 71, 0).await.unwrap();
        for handle in [founder, manifest, other] {
            handle.close().await;
        }
    }
}

/// The newest HEADs of two handles overlap in part: a spill that holds more than what another one has moved out
/// already is let go as a whole.
#[tokio::test(start_paused = true)]
async fn a_spill_of_which_only_a_part_still_stands_is_let_go() {
    let shared = SharedSettings {
        spill_keep_bytes: 0,
        spill_bytes: 8 * KIB as u64,
        ..SharedSettings::default()
    };
    let (store, founder) = founded_with(shared).await;
    let (early_faulty, early) = open_faulty(&store, options(3)).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let [small, large] = [Gate::closed(), Gate::closed()];
    early_faulty.on_log_put(Fault::HoldBefore(small.clone()));
    faulty.on_log_put(Fault::HoldBefore(large.clone()));
    // The first spill holds 8 commits, the second one those and 12 more.
    fill(&early, 0..8).await.unwrap();
    small.reached().await;
    manifest.get("key 0").await.unwrap();
    fill(&manifest, 8..20).await.unwrap();
    large.reached().await;
    small.open();
    settle().await;
    fill(&early, [20]).await.unwrap();
    assert_eq!(early.info().unwrap().log_objects, 1);
    large.open();
    settle().await;
    fill(&manifest, 21..24).await.unwrap();
    all_there(&store, 24, 0).await.unwrap();
    for handle in [founder, early, manifest] {
        handle.close().await;
    }
    all_there(&store, 24, 0).await.unwrap();
}
