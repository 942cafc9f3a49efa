//! Folds and merges that race with commits and with each other: one wins, the others delete nothing.

use fusio_manifest::{Freshness, Manifest, MemoryStore, SharedSettings};

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    fold::{Content, folded_soon, holds, step},
    support::{
        Tune, Verdict, cached, ensure, founded_with, increment, number, open, open_faulty, options, pause,
        put, settle, sound, tables, unexpected,
    },
};

/// A handle whose first table is held at the gate while it goes on committing.
async fn folding(
    store: &MemoryStore,
    fault: fn(Gate) -> Fault,
    content: &mut Content,
) -> (FaultyStore, Manifest, Gate) {
    let (faulty, manifest) = open_faulty(store, options(2)).await;
    let gate = Gate::closed();
    faulty.on_table_put(fault(gate.clone()));
    for number in 0..6 {
        step(&manifest, number, content).await.unwrap();
    }
    gate.reached().await;
    (faulty, manifest, gate)
}

async fn everybody_reads(store: &MemoryStore, content: &Content) {
    let reader = open(store, options(77)).await;
    let snapshot = reader.snapshot(Freshness::Latest).await.unwrap();
    holds(&snapshot, content, "a newcomer").await.unwrap();
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn commits_go_on_while_a_fold_is_on_the_wire_and_foreign_ones_do_not_stop_it() {
    let mut content = Content::new();
    let (store, founder) = founded_with(folded_soon()).await;
    let (_, manifest, gate) = folding(&store, Fault::HoldBefore, &mut content).await;
    founder.get("x").await.unwrap();
    put(&founder, "foreign", "v").await.unwrap();
    content.insert("foreign".to_owned(), Some("v".to_owned()));
    step(&manifest, 6, &mut content).await.unwrap();
    assert_eq!(manifest.info().unwrap().runs, 0);
    gate.open();
    settle().await;
    step(&manifest, 7, &mut content).await.unwrap();
    assert_eq!(manifest.info().unwrap().runs, 1);
    everybody_reads(&store, &content).await;
    manifest.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_folds_of_the_same_log_one_is_swapped_in_and_no_object_is_deleted() {
    for fault in [Fault::HoldBefore as fn(Gate) -> Fault, Fault::HoldAfter] {
        let mut content = Content::new();
        let (store, founder) = founded_with(folded_soon()).await;
        let (_, manifest, gate) = folding(&store, fault, &mut content).await;
        founder.get("x").await.unwrap();
        founder.maintain().await.unwrap();
        let theirs = founder.info().unwrap();
        assert!(theirs.runs >= 1, "{theirs:?}");
        let written = tables(&store).await.len();
        gate.open();
        settle().await;
        for number in 6..9 {
            step(&manifest, number, &mut content).await.unwrap();
        }
        assert!(manifest.info().unwrap().folded_through >= theirs.folded_through);
        assert!(
            tables(&store).await.len() >= written,
            "the loser's is garbage, and stays"
        );
        everybody_reads(&store, &content).await;
        manifest.close().await;
        founder.close().await;
    }
}

/// Three writers, all of which fold and merge, over a store that takes its time: a counter of each and one of all.
pub(crate) async fn writers_that_all_fold_lose_nothing(tune: Tune) -> Verdict {
    const ROUNDS: u64 = 40;
    let (store, founder) = founded_with(folded_soon()).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..3 {
        let slow =
            FaultyStore::over(store.clone()).with_latency(std::time::Duration::from_millis(7 + writer));
        let manifest = Manifest::open(std::sync::Arc::new(slow), "m", tune(options(10 + writer)))
            .await
            .map_err(unexpected)?;
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let own = format!("own {writer}");
                manifest
                    .transact(async move |txn: &mut fusio_manifest::Transaction| -> Result<_, fusio_manifest::Error> {
                        let all = number(txn.get("all").await?.as_ref());
                        let mine = number(txn.get(&own).await?.as_ref());
                        txn.put("all", (all + 1).to_string())?;
                        txn.put(own.clone(), (mine + 1).to_string())?;
                        // Comes and goes.
                        let passing = format!("passing {writer} {}", round % 5);
                        match round % 2 {
                            0 => txn.put(passing, "v"),
                            _ => txn.delete(format!("passing {writer} {}", (round - 1) % 5)),
                        }
                    })
                    .await
                    .map_err(unexpected)?;
                pause(std::time::Duration::from_millis(30)).await;
            }
            manifest.close().await;
            Ok::<_, String>(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done.map_err(unexpected)??;
    }
    let (entries, txn) = crate::support::final_state(&store).await.map_err(unexpected)?;
    ensure!(txn == 3 * ROUNDS, "{txn} commits");
    let count = |key: &str| number(entries.get(key));
    ensure!(count("all") == 3 * ROUNDS, "{} in all", count("all"));
    for writer in 0..3 {
        let own = count(&format!("own {writer}"));
        ensure!(own == ROUNDS, "writer {writer}: {own}");
    }
    ensure!(
        entries.len() == 4,
        "what was deleted is back: {:?}",
        entries.keys()
    );
    founder.get("x").await.map_err(unexpected)?;
    let info = founder.info().map_err(unexpected)?;
    ensure!(info.folded_through > 80, "{info:?}");
    founder.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn three_writers_that_all_fold_lose_nothing() {
    writers_that_all_fold_lose_nothing(sound).await.unwrap();
}

/// A commit loses its race just when the log is due to be folded: what it would have written is nowhere.
pub(crate) async fn a_lost_race_at_a_fold_resurrects_nothing(tune: Tune) -> Verdict {
    let settings = SharedSettings {
        fold_objects: 4,
        ..folded_soon()
    };
    let (store, founder) = founded_with(settings).await;
    let (faulty, manifest) = open_faulty(&store, tune(options(2))).await;
    for round in 0..20 {
        manifest.get("x").await.map_err(unexpected)?;
        let mut doomed = cached(&manifest).await;
        doomed.get("race").await.map_err(unexpected)?;
        doomed.put("doomed", "v").map_err(unexpected)?;
        let gate = Gate::closed();
        faulty.on_put(Fault::HoldBefore(gate.clone()));
        let commit = tokio::spawn(doomed.commit());
        gate.reached().await;
        // What it began beside its PUT has time.
        settle().await;
        founder.get("x").await.map_err(unexpected)?;
        put(&founder, "race", &round.to_string())
            .await
            .map_err(unexpected)?;
        settle().await;
        gate.open();
        let result = commit.await.map_err(unexpected)?;
        ensure!(
            result.as_ref().is_err_and(fusio_manifest::Error::is_conflict),
            "round {round}: {result:?}"
        );
        increment(&manifest, "count").await.map_err(unexpected)?;
        settle().await;
    }
    let (entries, _) = crate::support::final_state(&store).await.map_err(unexpected)?;
    ensure!(
        !entries.contains_key("doomed"),
        "a commit that was told as lost is there"
    );
    ensure!(number(entries.get("count")) == 20, "{:?}", entries.get("count"));
    let info = manifest.info().map_err(unexpected)?;
    ensure!(info.folded_through > 20, "{info:?}");
    manifest.close().await;
    founder.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_loses_its_race_at_a_fold_is_nowhere() {
    a_lost_race_at_a_fold_resurrects_nothing(sound).await.unwrap();
}

/// A foreign fold lands first; the own one, of the same log, no longer stands.
pub(crate) async fn a_fold_that_no_longer_stands_is_let_go(tune: Tune) -> Verdict {
    let (store, founder) = founded_with(folded_soon()).await;
    let (faulty, manifest) = open_faulty(&store, tune(options(2))).await;
    let gate = Gate::closed();
    faulty.on_table_put(Fault::HoldBefore(gate.clone()));
    let mut content = Content::new();
    for number in 0..4 {
        step(&manifest, number, &mut content).await.map_err(unexpected)?;
    }
    gate.reached().await;
    // The foreign fold takes less of the log than the own one; more of it is still there.
    founder.get("x").await.map_err(unexpected)?;
    founder.maintain().await.map_err(unexpected)?;
    gate.open();
    settle().await;
    for number in 4..10 {
        step(&manifest, number, &mut content).await.map_err(unexpected)?;
    }
    let snapshot = manifest.snapshot(Freshness::Latest).await.map_err(unexpected)?;
    holds(&snapshot, &content, "its writer").await?;
    manifest.close().await;
    founder.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_fold_whose_inputs_are_folded_already_is_let_go() {
    a_fold_that_no_longer_stands_is_let_go(sound).await.unwrap();
}
