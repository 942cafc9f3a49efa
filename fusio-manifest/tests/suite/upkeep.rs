//! `maintain` and `close`: they finish what is due, and a HEAD that only maintains is as careful as any other.

use std::time::Duration;

use fusio_manifest::{ErrorKind, SharedSettings};

use crate::{
    faulty::{Fault, Gate},
    outcomes::{every_fault, foreign_commit},
    spill::{CROSSING, KIB, all_there, fill},
    support::{
        founded, founded_with, increment, log_objects, open_faulty, options, pause, settle, spilled_at_once,
        within,
    },
};

#[tokio::test(start_paused = true)]
async fn maintain_spills_what_is_due_in_a_head_without_commits() {
    let (store, founder) = founded_with(spilled_at_once()).await;
    fill(&founder, 0..3).await.unwrap();
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let before = manifest.info().unwrap();
    manifest.maintain().await.unwrap();
    let after = manifest.info().unwrap();
    assert_eq!((after.txn, after.revision), (before.txn, before.revision + 1));
    assert_eq!((after.inline_bytes, faulty.log_puts().len()), (0, 1));
    assert_eq!((faulty.bodies().len(), faulty.looks()), (1, 0));
    assert_eq!(after.maintenance.puts(), 2, "both are maintenance");
    all_there(&store, 3, 0).await.unwrap();
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn maintain_costs_nothing_where_nothing_is_due() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    manifest.maintain().await.unwrap();
    fill(&manifest, 0..10).await.unwrap();
    faulty.forget_requests();
    manifest.maintain().await.unwrap();
    manifest.close().await;
    assert_eq!(
        (faulty.bodies().len(), faulty.looks(), faulty.log_puts().len()),
        (0, 0, 0)
    );
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn close_swaps_in_the_spill_that_is_under_way() {
    for fault in [
        Fault::Pass,
        Fault::LostReply,
        Fault::Delay(Duration::from_secs(3)),
    ] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        faulty.on_log_put(fault.clone());
        fill(&manifest, 0..CROSSING).await.unwrap();
        assert_eq!(manifest.info().unwrap().log_objects, 0);
        manifest.close().await;
        let info = manifest.info().unwrap();
        assert_eq!((info.log_objects, info.txn), (1, CROSSING as u64), "{fault:?}");
        // A copy whose reply was lost is garbage: the name that is known to be new is the one that HEAD names.
        let copies = if matches!(fault, Fault::LostReply) { 2 } else { 1 };
        assert_eq!(log_objects(&store).await.len(), copies, "{fault:?}");
        all_there(&store, CROSSING, 0).await.unwrap();
        founder.close().await;
    }
}

/// Every answer to the HEAD that only maintains, alone and with a foreign commit before the answer.
#[tokio::test(start_paused = true)]
async fn a_maintenance_head_that_goes_wrong_loses_and_doubles_nothing() {
    for fault in every_fault() {
        for foreign in [false, true] {
            for closes in [false, true] {
                let (store, founder) = founded().await;
                let (faulty, manifest) = open_faulty(&store, options(2)).await;
                fill(&manifest, 0..CROSSING).await.unwrap();
                settle().await;
                match foreign {
                    true => faulty.on_put_then(fault.clone(), foreign_commit(&founder, "foreign")),
                    false => faulty.on_put(fault.clone()),
                }
                let told = match closes {
                    true => {
                        manifest.close().await;
                        Ok(())
                    }
                    false => manifest.maintain().await,
                };
                let refused = matches!(fault, Fault::StatusBefore(400 | 403 | 404 | 413));
                assert_eq!(
                    told.is_err(),
                    refused && !closes,
                    "{fault:?}, {foreign}: {told:?}"
                );
                faulty.deliver_late().await;
                let (_, next) = open_faulty(&store, options(3)).await;
                fill(&next, CROSSING..75).await.unwrap();
                if !closes {
                    fill(&manifest, 75..80).await.unwrap();
                }
                let count = if closes { 75 } else { 80 };
                let named = next.info().unwrap().log_objects;
                assert!(named == 1 || refused, "{fault:?}, {foreign}, {closes}: {named}");
                all_there(&store, count, u64::from(foreign)).await.unwrap();
                for handle in [founder, manifest, next] {
                    handle.close().await;
                }
            }
        }
    }
}

/// A maintenance-only body that is itself unknown: its caller is told an error, the next commits are built on
/// what is known, and whichever of the two lands first wins.
#[tokio::test(start_paused = true)]
async fn a_maintenance_head_that_stays_unknown_stands_in_no_commits_way() {
    for arrives_first in [true, false] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        fill(&manifest, 0..CROSSING).await.unwrap();
        settle().await;
        faulty.on_put(Fault::Late);
        (0..10_000).for_each(|_| faulty.on_get(Fault::StatusBefore(503)));
        let error = manifest.maintain().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        faulty.heal();
        if arrives_first {
            faulty.deliver_late().await[0].as_ref().unwrap();
        }
        fill(&manifest, CROSSING..80).await.unwrap();
        if !arrives_first {
            faulty.deliver_late().await[0].as_ref().unwrap_err();
        }
        assert_eq!(manifest.info().unwrap().log_objects, 1);
        assert_eq!(log_objects(&store).await.len(), 1);
        all_there(&store, 80, 0).await.unwrap();
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn maintain_after_a_batch_is_done_though_nobody_commits_any_more() {
    let (store, founder) = founded_with(spilled_at_once()).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let mut callers = Vec::new();
    for number in 0..4 {
        let manifest = manifest.clone();
        callers.push(tokio::spawn(async move {
            increment(&manifest, &format!("{number}")).await.unwrap();
            within(Duration::from_secs(60), manifest.maintain()).await
        }));
    }
    gate.reached().await;
    gate.open();
    for caller in callers {
        caller.await.unwrap().expect("it waits for ever").unwrap();
    }
    assert_eq!(manifest.info().unwrap().inline_bytes, 0);
    manifest.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn maintain_loses_races_and_goes_on() {
    let (store, founder) = founded_with(SharedSettings {
        spill_bytes: 8 * KIB as u64,
        spill_keep_bytes: 0,
        ..SharedSettings::default()
    })
    .await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    fill(&founder, 0..7).await.unwrap();
    founder.close().await;
    let (_, rival) = open_faulty(&store, options(3)).await;
    // One commit over the threshold, by a process that is gone before it spilled.
    let (gone_faulty, gone) = open_faulty(&store, options(4)).await;
    gone_faulty.on_log_put(Fault::StatusBefore(403));
    fill(&gone, 7..9).await.unwrap();
    gone.close().await;
    manifest.get("key 0").await.unwrap();
    for _ in 0..5 {
        faulty.on_put_then(Fault::LostRequest, foreign_commit(&rival, "foreign"));
    }
    manifest.maintain().await.unwrap();
    pause(Duration::from_secs(1)).await;
    all_there(&store, 9, 5).await.unwrap();
    assert!(manifest.info().unwrap().inline_bytes < 8 * KIB);
    rival.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn commits_go_on_while_maintenance_writes_its_objects() {
    let (store, founder) = founded_with(spilled_at_once()).await;
    fill(&founder, 0..3).await.unwrap();
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let gate = Gate::closed();
    faulty.on_log_put(Fault::HoldBefore(gate.clone()));
    let upkeep = manifest.clone();
    let upkeep = tokio::spawn(async move { upkeep.maintain().await });
    gate.reached().await;
    let done = within(Duration::from_secs(1), increment(&manifest, "count")).await;
    done.expect("it waits for the spill").unwrap();
    assert!(!upkeep.is_finished());
    gate.open();
    upkeep.await.unwrap().unwrap();
    assert_eq!(manifest.info().unwrap().inline_bytes, 0);
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn maintenance_whose_objects_cannot_be_written_ends_with_its_deadline() {
    let (store, founder) = founded_with(spilled_at_once()).await;
    fill(&founder, 0..3).await.unwrap();
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    (0..1_000).for_each(|_| faulty.on_log_put(Fault::StatusBefore(503)));
    let ended = within(Duration::from_secs(31), manifest.maintain()).await;
    assert_eq!(
        ended.expect("its deadline passed").unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    faulty.heal();
    increment(&manifest, "count").await.unwrap();
    founder.close().await;
    manifest.close().await;
}
