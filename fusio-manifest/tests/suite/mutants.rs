//! The properties notice when the engine is broken on purpose.

use fusio_manifest::{Mutant, Options};

use crate::{
    outcomes::{
        a_lost_reply_resolves_to_committed, a_proxys_replay_resolves_to_committed,
        every_single_fault_resolves,
    },
    outcomes_at_random::told_outcomes_are_true,
    reads::fresh_reads_see_what_was_acknowledged,
    support::{Tune, Verdict},
    transact::{a_read_only_closure_is_fresh, concurrent_increments_are_exact},
    transactions::write_skew_is_impossible,
};

fn broken(options: Options, mutant: Mutant) -> Options {
    Options {
        mutant: Some(mutant),
        ..options
    }
}

fn skips_validation(options: Options) -> Options {
    broken(options, Mutant::SkipValidation)
}

fn reads_cached(options: Options) -> Options {
    broken(options, Mutant::ReadCached)
}

fn skips_own_id_check(options: Options) -> Options {
    broken(options, Mutant::SkipOwnIdCheck)
}

fn takes_unknown_for_lost(options: Options) -> Options {
    broken(options, Mutant::UnknownMeansLost)
}

fn violated(verdict: Verdict) -> String {
    assert!(verdict.is_err(), "nobody notices");
    verdict.err().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn skipped_validation_is_noticed() {
    violated(write_skew_is_impossible(skips_validation).await);
    violated(concurrent_increments_are_exact(skips_validation).await);
    violated(every_single_fault_resolves(skips_validation).await);
}

#[tokio::test(start_paused = true)]
async fn reads_from_the_cache_are_noticed() {
    violated(fresh_reads_see_what_was_acknowledged(reads_cached).await);
    violated(a_read_only_closure_is_fresh(reads_cached).await);
}

#[tokio::test(start_paused = true)]
async fn a_skipped_look_for_ones_own_id_is_noticed() {
    violated(a_proxys_replay_resolves_to_committed(skips_own_id_check).await);
    let what = violated(every_single_fault_resolves(skips_own_id_check).await);
    assert!(what.contains("Replay"), "{what}");
}

#[tokio::test(start_paused = true)]
async fn unknown_outcomes_taken_for_lost_ones_are_noticed() {
    violated(a_lost_reply_resolves_to_committed(takes_unknown_for_lost).await);
    let what = violated(every_single_fault_resolves(takes_unknown_for_lost).await);
    assert!(what.contains("LostReply"), "{what}");
}

async fn first_seed_that_notices(tune: Tune) -> Option<u64> {
    for seed in 1..=50 {
        if told_outcomes_are_true(seed, tune).await.is_err() {
            return Some(seed);
        }
    }
    None
}

#[tokio::test(start_paused = true)]
async fn random_faults_find_every_breakage_of_the_commit_path() {
    for tune in [
        skips_validation as Tune,
        skips_own_id_check,
        takes_unknown_for_lost,
    ] {
        assert!(first_seed_that_notices(tune).await.is_some());
    }
}
