//! Many commits of several handles while PUTs and GETs go wrong at random: whatever each caller was told is true
//! in the end, and the counter counted what is durable. Once with everything in HEAD, once with settings that move
//! commits into log objects all the time, once with such that fold and merge those all the time.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{
    CommitOptions, CommitOutcome, Entropy as _, Error, Manifest, MemoryStore, Receipt, SeededEntropy,
    SharedSettings,
};

use crate::{
    faulty::{Fault, FaultyStore},
    outcomes::every_fault,
    support::{
        PREFIX, Tune, Verdict, ensure, final_txn, final_value, founded_with, incremented, options, pause,
        sound, unexpected, within,
    },
};

const SEEDS: u64 = 300;
const HANDLES: u64 = 3;
const TASKS: u64 = 3;
const COMMITS: u64 = 4;

fn below(entropy: &SeededEntropy, bound: u64) -> u64 {
    entropy.bits().unwrap() % bound
}

/// One in three requests goes wrong.
fn script(faulty: &FaultyStore, entropy: &SeededEntropy) {
    let faults = every_fault();
    for _ in 0..40 {
        let fault = if below(entropy, 3) == 0 {
            let number = usize::try_from(below(entropy, faults.len() as u64)).unwrap();
            faults[number].clone()
        } else {
            Fault::Delay(Duration::from_millis(below(entropy, 100)))
        };
        faulty.on_put(fault);
        // A look that is told 404 or 403 ends its commit as unknown, which is no news.
        faulty.on_get(match below(entropy, 6) {
            0 => Fault::StatusBefore(503),
            1 => Fault::LostReply,
            _ => Fault::Delay(Duration::from_millis(below(entropy, 50))),
        });
    }
    for _ in 0..20 {
        let number = usize::try_from(below(entropy, 3 * faults.len() as u64)).unwrap();
        let late = Fault::Delay(Duration::from_millis(below(entropy, 300)));
        faulty.on_log_put(faults.get(number).cloned().unwrap_or(late));
        faulty.on_log_get(match below(entropy, 6) {
            0 => Fault::StatusBefore(503),
            1 => Fault::LostReply,
            _ => Fault::Delay(Duration::from_millis(below(entropy, 50))),
        });
    }
}

/// The same of tables, by draws of its own.
fn script_tables(faulty: &FaultyStore, entropy: &SeededEntropy) {
    let faults = every_fault();
    for _ in 0..20 {
        let number = usize::try_from(below(entropy, 3 * faults.len() as u64)).unwrap();
        let late = Fault::Delay(Duration::from_millis(below(entropy, 300)));
        faulty.on_table_put(faults.get(number).cloned().unwrap_or(late));
        faulty.on_table_get(match below(entropy, 6) {
            0 => Fault::StatusBefore(503),
            1 => Fault::LostReply,
            _ => Fault::Delay(Duration::from_millis(below(entropy, 50))),
        });
    }
}

/// Settings under which half of the commits are too large to stand in HEAD, and the others soon leave it.
fn restless() -> SharedSettings {
    SharedSettings {
        spill_bytes: 300,
        spill_keep_bytes: 100,
        transaction_inline_bytes: 100,
        ..SharedSettings::default()
    }
}

/// The same, and each two log objects are folded, each two runs merged.
fn folded() -> SharedSettings {
    SharedSettings {
        fold_objects: 2,
        tier_ratio: 2,
        block_bytes: 1_024,
        table_bytes: 1_024,
        ..restless()
    }
}

/// A commit that counts, and that leaves a key of its own.
async fn commit_one(manifest: &Manifest, name: &str, entropy: &SeededEntropy) -> Result<Receipt, Error> {
    if below(entropy, 2) == 0 {
        manifest.get("count").await?;
    }
    let mut transaction = incremented(manifest, "count").await?;
    let large = usize::try_from(below(entropy, 2)).unwrap();
    transaction.put(name.to_owned(), "v".repeat(1 + large * 150))?;
    let options = CommitOptions {
        timeout: Some(Duration::from_millis(50 + below(entropy, 3_000))),
        single_attempt: below(entropy, 4) == 0,
    };
    transaction.commit_with(options).await
}

struct Told {
    name: String,
    manifest: Manifest,
    /// `None`: its caller was dropped, so nobody was told anything.
    result: Option<Result<Receipt, Error>>,
}

async fn run(store: &MemoryStore, seed: u64, tune: Tune) -> Result<(Vec<FaultyStore>, Vec<Told>), String> {
    let entropy = Arc::new(SeededEntropy::new(seed));
    let mut tasks = tokio::task::JoinSet::new();
    let mut stores = Vec::new();
    for handle in 0..HANDLES {
        let faulty = FaultyStore::over(store.clone());
        let opened = Manifest::open(
            Arc::new(faulty.clone()),
            PREFIX,
            tune(options(seed * 100 + handle)),
        )
        .await;
        let manifest = opened.map_err(unexpected)?;
        script(&faulty, &entropy);
        script_tables(&faulty, &SeededEntropy::new(seed * 100 + handle));
        stores.push(faulty);
        for task in 0..TASKS {
            let (manifest, entropy) = (manifest.clone(), Arc::clone(&entropy));
            tasks.spawn(async move {
                let mut told = Vec::new();
                for number in 0..COMMITS {
                    pause(Duration::from_millis(below(&entropy, 200))).await;
                    let name = format!("{handle}/{task}/{number}");
                    if below(&entropy, 8) == 0 {
                        // Whether it succeeds or not is its own affair.
                        let _ = manifest.maintain().await;
                    }
                    let commit = commit_one(&manifest, &name, &entropy);
                    let result = if below(&entropy, 6) == 0 {
                        within(Duration::from_millis(below(&entropy, 300)), commit).await
                    } else {
                        Some(commit.await)
                    };
                    told.push(Told {
                        name,
                        manifest: manifest.clone(),
                        result,
                    });
                }
                told
            });
        }
    }
    // Requests that were given up arrive now and then.
    for _ in 0..20 {
        pause(Duration::from_millis(below(&entropy, 300))).await;
        let number = usize::try_from(below(&entropy, HANDLES)).unwrap();
        stores[number].deliver_late().await;
    }
    Ok((stores, tasks.join_all().await.into_iter().flatten().collect()))
}

/// Holds what was told in one random run against what is durable.
pub(crate) async fn told_outcomes_are_true(seed: u64, tune: Tune) -> Verdict {
    outcomes_are_true_under(SharedSettings::default(), seed, tune).await
}

/// The same where commits are moved into log objects all the time.
pub(crate) async fn told_outcomes_of_spilled_commits_are_true(seed: u64, tune: Tune) -> Verdict {
    outcomes_are_true_under(restless(), seed, tune).await
}

/// The same where they are folded and merged soon after.
pub(crate) async fn told_outcomes_of_folded_commits_are_true(seed: u64, tune: Tune) -> Verdict {
    outcomes_are_true_under(folded(), seed, tune).await
}

async fn outcomes_are_true_under(shared: SharedSettings, seed: u64, tune: Tune) -> Verdict {
    let (store, founder) = founded_with(shared).await;
    let (stores, told) = run(&store, seed, tune).await?;
    for faulty in &stores {
        faulty.heal();
        faulty.deliver_late().await;
    }
    // What nobody waits for any more is settled, too.
    for Told { manifest, .. } in &told {
        manifest.close().await;
    }
    let mut durable = 0;
    for Told {
        name,
        manifest,
        result,
    } in &told
    {
        let there = final_value(&store, name).await.is_some();
        durable += u64::from(there);
        let Some(result) = result else { continue };
        let asked = match result.as_ref().err().and_then(Error::token) {
            Some(token) => Some(manifest.outcome(token).await.map_err(unexpected)?),
            None => None,
        };
        let true_to_it = match (result, asked) {
            (Ok(_), _) | (Err(_), Some(CommitOutcome::Committed { .. })) => there,
            (Err(_), Some(CommitOutcome::NotCommitted) | None) => !there,
            (Err(_), Some(CommitOutcome::StillUnknown)) => true,
        };
        ensure!(
            true_to_it,
            "seed {seed}: {name} was told {result:?}, then {asked:?}; durable: {there}"
        );
    }
    let mut txns: Vec<_> = told
        .iter()
        .filter_map(|told| told.result.as_ref()?.as_ref().ok()?.txn)
        .collect();
    txns.sort_unstable();
    ensure!(
        txns.windows(2).all(|pair| pair[0] < pair[1]),
        "seed {seed}: two commits in one place: {txns:?}"
    );
    let count = final_value(&store, "count")
        .await
        .unwrap_or_else(|| "0".to_owned());
    let last = final_txn(&store).await;
    ensure!(
        count == durable.to_string() && last == durable,
        "seed {seed}: {durable} are durable, counted {count}, of {last}"
    );
    founder.close().await;
    Ok(())
}

fn none_is_wrong(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} of {SEEDS} seeds:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_what_callers_were_told_is_true() {
    let mut wrong = Vec::new();
    for seed in 1..=SEEDS {
        wrong.extend(told_outcomes_are_true(seed, sound).await.err());
    }
    none_is_wrong(&wrong);
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_with_log_objects_what_callers_were_told_is_true() {
    let mut wrong = Vec::new();
    for seed in 1..=SEEDS {
        wrong.extend(told_outcomes_of_spilled_commits_are_true(seed, sound).await.err());
    }
    none_is_wrong(&wrong);
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_with_folds_what_callers_were_told_is_true() {
    let mut wrong = Vec::new();
    for seed in 1..=SEEDS {
        wrong.extend(told_outcomes_of_folded_commits_are_true(seed, sound).await.err());
    }
    none_is_wrong(&wrong);
}
