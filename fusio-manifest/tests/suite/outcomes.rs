//! What a commit's caller is told when its PUT goes wrong: always the truth.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{
    AttemptOutcome, CommitOptions, CommitOutcome, Error, ErrorKind, Manifest, MemoryStore, Receipt,
};

use crate::{
    faulty::{Fault, FaultyStore, Hook},
    support::{
        Tune, Verdict, ensure, final_txn, final_value, founded, increment, incremented, open_faulty, options,
        sound, unexpected,
    },
};

/// What happens between a PUT's effect and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    Nothing,
    /// A commit of other keys.
    Disjoint,
    /// A commit of the key that was read and is written.
    Conflicting,
}

/// One way for a commit to go wrong.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) puts: Vec<Fault>,
    pub(crate) gets: Vec<Fault>,
    /// What happens during the last of the PUTs.
    pub(crate) foreign: Foreign,
    /// The commit reads nothing.
    pub(crate) blind: bool,
}

/// What is left in the end.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) result: Result<Receipt, Error>,
    pub(crate) bodies: usize,
}

pub(crate) fn foreign_commit(founder: &Manifest, key: &'static str) -> Hook {
    let founder = founder.clone();
    Arc::new(move || {
        let founder = founder.clone();
        Box::pin(async move {
            founder.get(key).await.unwrap();
            increment(&founder, key).await.unwrap();
        })
    })
}

fn script(faulty: &FaultyStore, founder: &Manifest, case: &Case) {
    for fault in &case.gets {
        faulty.on_get(fault.clone());
    }
    for (number, fault) in case.puts.iter().enumerate() {
        let key = match case.foreign {
            Foreign::Nothing => None,
            Foreign::Disjoint => Some("foreign"),
            Foreign::Conflicting => Some("count"),
        };
        match key.filter(|_| number + 1 == case.puts.len()) {
            Some(key) => faulty.on_put_then(fault.clone(), foreign_commit(founder, key)),
            None => faulty.on_put(fault.clone()),
        }
    }
}

/// Commits once while `case` happens, and holds what is told against what a new handle finds, also after
/// everything that is late has arrived.
pub(crate) async fn the_told_outcome_is_true(tune: Tune, case: &Case) -> Result<Told, String> {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, tune(options(2))).await;
    let mut transaction = incremented(&manifest, "count").await.map_err(unexpected)?;
    if case.blind {
        transaction = manifest
            .begin_on(transaction.snapshot().clone())
            .map_err(unexpected)?;
    }
    transaction.put("own", "v").map_err(unexpected)?;
    script(&faulty, &founder, case);
    let seconds = CommitOptions {
        timeout: Some(Duration::from_secs(10)),
        ..CommitOptions::default()
    };
    let result = transaction.commit_with(seconds).await;
    faulty.heal();
    let asked = ask(&manifest, &result).await?;
    let early = final_value(&store, "own").await.is_some();
    let foreign = final_txn(&store).await - u64::from(early);
    faulty.deliver_late().await;
    let asked_again = ask(&manifest, &result).await?;
    let durable = final_value(&store, "own").await.is_some();
    manifest.close().await;
    founder.close().await;

    let told = format!(
        "told {result:?}, then {asked:?} and {asked_again:?}; durable at first: {early}, in the end: {durable}"
    );
    match &result {
        Ok(receipt) => {
            ensure!(early && durable, "{told}");
            ensure!(
                receipt.txn.is_some_and(|txn| (1..=foreign + 1).contains(&txn)),
                "{told}"
            );
        }
        Err(error) if error.outcome_unknown() => {
            ensure!(error.token().is_some(), "no token: {told}");
            ensure!(asked != Some(CommitOutcome::NotCommitted) || !durable, "{told}");
            ensure!(
                !matches!(asked, Some(CommitOutcome::Committed { .. })) || early,
                "{told}"
            );
            ensure!(
                asked_again != Some(CommitOutcome::NotCommitted) || !durable,
                "{told}"
            );
            ensure!(
                !matches!(asked_again, Some(CommitOutcome::Committed { .. })) || durable,
                "{told}"
            );
        }
        Err(_) => ensure!(!durable, "{told}"),
    }
    check_once(&store, case, foreign, durable)
        .await
        .map_err(|what| format!("{what}; {told}"))?;
    Ok(Told {
        result,
        bodies: faulty.bodies().len(),
    })
}

async fn ask(manifest: &Manifest, result: &Result<Receipt, Error>) -> Result<Option<CommitOutcome>, String> {
    match result.as_ref().err().and_then(Error::token) {
        Some(token) => manifest.outcome(token).await.map(Some).map_err(unexpected),
        None => Ok(None),
    }
}

/// Every commit took one place, and the counter counted each once.
async fn check_once(store: &MemoryStore, case: &Case, foreign: u64, durable: bool) -> Verdict {
    let txns = final_txn(store).await;
    ensure!(txns == foreign + u64::from(durable), "{txns} commits");
    let own = u64::from(durable && !case.blind);
    let conflicting = if case.foreign == Foreign::Conflicting {
        foreign
    } else {
        0
    };
    let count = final_value(store, "count")
        .await
        .unwrap_or_else(|| "0".to_owned());
    ensure!(
        count == (own + conflicting).to_string(),
        "the counter ends at {count}"
    );
    Ok(())
}

pub(crate) fn every_fault() -> Vec<Fault> {
    let mut faults = vec![
        Fault::Pass,
        Fault::LostRequest,
        Fault::LostReply,
        Fault::ConnectionBefore,
        Fault::ConnectionAfter,
        Fault::Replay,
        Fault::Late,
        Fault::Delay(Duration::from_secs(2)),
    ];
    faults.extend([500, 503, 429, 408, 307].map(Fault::StatusAfter));
    faults.extend([500, 503, 429, 408, 307, 409, 412, 404, 403, 400, 413].map(Fault::StatusBefore));
    faults
}

fn applies_at_once(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Pass
            | Fault::LostReply
            | Fault::ConnectionAfter
            | Fault::StatusAfter(_)
            | Fault::Replay
            | Fault::Delay(_)
    )
}

/// What the caller has to be told where one PUT goes wrong and everything else is well.
fn expected(case: &Case) -> Result<u64, ErrorKind> {
    let fault = &case.puts[0];
    match fault {
        Fault::StatusBefore(404) => Err(ErrorKind::HeadLost),
        Fault::StatusBefore(400 | 403 | 413) => Err(ErrorKind::Refused),
        fault if applies_at_once(fault) => Ok(1),
        _ if case.foreign == Foreign::Conflicting && !case.blind => Err(ErrorKind::Conflict),
        _ if case.foreign == Foreign::Nothing => Ok(1),
        _ => Ok(2),
    }
}

fn single_fault_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for fault in every_fault() {
        for foreign in [Foreign::Nothing, Foreign::Disjoint, Foreign::Conflicting] {
            for blind in [false, true] {
                for gets in [
                    vec![],
                    vec![Fault::StatusBefore(503)],
                    vec![Fault::LostReply, Fault::ConnectionBefore],
                ] {
                    cases.push(Case {
                        puts: vec![fault.clone()],
                        gets,
                        foreign,
                        blind,
                    });
                }
            }
        }
    }
    cases
}

/// Each fault alone, with and without a foreign commit in between, resolves to what happened.
pub(crate) async fn every_single_fault_resolves(tune: Tune) -> Verdict {
    let mut wrong = Vec::new();
    for case in single_fault_cases() {
        match the_told_outcome_is_true(tune, &case).await {
            Err(what) => wrong.push(format!("{case:?}: {what}")),
            Ok(told) => {
                let told = told
                    .result
                    .map(|receipt| receipt.txn.unwrap_or_default())
                    .map_err(|error| error.kind());
                if told != expected(&case) {
                    wrong.push(format!("{case:?}: told {told:?}, expected {:?}", expected(&case)));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_fault_of_the_put_resolves_to_what_happened() {
    every_single_fault_resolves(sound).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_faults_in_a_row_never_make_a_told_outcome_false() {
    let mut wrong = Vec::new();
    for first in every_fault() {
        for second in every_fault() {
            for foreign in [Foreign::Nothing, Foreign::Disjoint, Foreign::Conflicting] {
                let puts = vec![first.clone(), second.clone()];
                let case = Case {
                    puts,
                    gets: Vec::new(),
                    foreign,
                    blind: false,
                };
                if let Err(what) = the_told_outcome_is_true(sound, &case).await {
                    wrong.push(format!("{case:?}: {what}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// The case, which has to end as committed, and the outcomes of its attempts.
async fn attempts(tune: Tune, puts: Vec<Fault>, foreign: Foreign) -> Result<Vec<AttemptOutcome>, String> {
    let case = Case {
        puts,
        gets: Vec::new(),
        foreign,
        blind: false,
    };
    let told = the_told_outcome_is_true(tune, &case).await?;
    let receipt = told.result.map_err(unexpected)?;
    ensure!(
        told.bodies == receipt.attempts.len(),
        "{} PUTs, {:?}",
        told.bodies,
        receipt.attempts
    );
    Ok(receipt.attempts.iter().map(|attempt| attempt.outcome).collect())
}

/// The answer to a proxy's replay of our PUT is not believed.
pub(crate) async fn a_proxys_replay_resolves_to_committed(tune: Tune) -> Verdict {
    for foreign in [Foreign::Nothing, Foreign::Disjoint, Foreign::Conflicting] {
        let seen = attempts(tune, vec![Fault::Replay], foreign).await?;
        ensure!(
            seen == [AttemptOutcome::OwnEarlierSuccess],
            "{foreign:?}: {seen:?}"
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_412_to_a_proxys_replay_resolves_to_committed() {
    a_proxys_replay_resolves_to_committed(sound).await.unwrap();
}

/// A commit whose reply was lost is committed once, and its caller is told so.
pub(crate) async fn a_lost_reply_resolves_to_committed(tune: Tune) -> Verdict {
    for foreign in [Foreign::Nothing, Foreign::Disjoint, Foreign::Conflicting] {
        let seen = attempts(tune, vec![Fault::LostReply], foreign).await?;
        ensure!(seen == [AttemptOutcome::Unknown], "{foreign:?}: {seen:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn lost_reply_resolves_to_committed() {
    a_lost_reply_resolves_to_committed(sound).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn attempts_say_what_became_of_each_put() {
    use AttemptOutcome::{Committed, LostConflict, LostRace, Unknown};
    let nothing = Foreign::Nothing;
    assert_eq!(
        attempts(sound, vec![Fault::LostRequest], nothing).await.unwrap(),
        [Unknown, Committed]
    );
    assert_eq!(
        attempts(sound, vec![Fault::StatusBefore(409)], nothing)
            .await
            .unwrap(),
        [LostConflict, Committed]
    );
    let two = vec![Fault::StatusBefore(412), Fault::StatusBefore(409)];
    assert_eq!(
        attempts(sound, two, Foreign::Disjoint).await.unwrap(),
        [LostRace, LostConflict, Committed]
    );
}

/// A 409 tells that another write of HEAD was under way. If a proxy sent our PUT twice, that was our own.
#[tokio::test(start_paused = true)]
async fn a_409_may_be_about_a_proxys_first_copy() {
    let mut wrong = Vec::new();
    for second in every_fault() {
        for foreign in [Foreign::Nothing, Foreign::Disjoint] {
            let puts = vec![Fault::ReplayRaces(409), second.clone()];
            let case = Case {
                puts,
                gets: Vec::new(),
                foreign,
                blind: false,
            };
            if let Err(what) = the_told_outcome_is_true(sound, &case).await {
                wrong.push(format!("{case:?}: {what}"));
            }
        }
    }
    let always = Case {
        puts: vec![Fault::ReplayRaces(409); 500],
        gets: vec![],
        foreign: Foreign::Nothing,
        blind: false,
    };
    if let Err(what) = the_told_outcome_is_true(sound, &always).await {
        wrong.push(format!("nothing but 409 until the deadline: {what}"));
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}
