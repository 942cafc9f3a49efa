//! The properties notice when the engine is broken on purpose. `every_breakage_is_noticed` prints which property
//! notices which breakage, and by what, with `--nocapture`.

use std::collections::BTreeMap;

use fusio_manifest::{Mutant, Options, store::BoxFuture};
use manifest_perf::case::Case;

use crate::{
    collect_races::what_is_about_to_be_named_is_spared,
    fault_table::every_row_in_memory_holds,
    fold::what_was_folded_is_read_by_everybody,
    fold_races::{
        a_fold_that_no_longer_stands_is_let_go, a_lost_race_at_a_fold_resurrects_nothing,
        writers_that_all_fold_lose_nothing,
    },
    fold_validation::what_was_read_before_a_fold_is_read_again,
    large_batches::{DropsOut, an_object_is_named_only_with_all_its_members},
    outcomes::{
        a_lost_reply_resolves_to_committed, a_proxys_replay_resolves_to_committed,
        every_single_fault_resolves,
    },
    outcomes_at_random::{told_outcomes_are_true, told_outcomes_of_spilled_commits_are_true},
    outcomes_in_log_objects::{a_body_is_resolved_by_a_log_object, outcome_is_found_in_a_log_object},
    outcomes_of_callers::{who_left_enters_no_second_body, who_ran_out_of_time_enters_no_later_body},
    outcomes_of_late_puts::nothing_is_told_while_a_late_put_may_land,
    reads::{
        an_own_put_serves_no_later_reader, fresh_reads_see_what_was_acknowledged,
        overtaken_answers_change_nothing, waiting_reads_share_no_earlier_look,
    },
    spill::{
        a_lost_race_at_the_threshold_resurrects_nothing, a_spill_waits_until_its_commits_have_landed,
        spilled_commits_are_read_by_others,
    },
    support::{Tune, Verdict, sound},
    transact::{a_read_only_closure_is_fresh, concurrent_increments_are_exact},
    transactions::write_skew_is_impossible,
};

macro_rules! breakages {
    ($($tune:ident: $mutant:ident;)*) => {
        $(fn $tune(options: Options) -> Options {
            Options {
                mutant: Some(Mutant::$mutant),
                ..options
            }
        })*
    };
}

breakages! {
    skips_validation: SkipValidation;
    skips_keys: SkipKeyValidation;
    skips_ranges: SkipRangeValidation;
    forgets_the_end_of_scans: ScanEndForgotten;
    forgets_absences: AbsenceForgotten;
    skips_its_batch: SkipBatchValidation;
    reads_cached: ReadCached;
    shares_earlier_looks: RefreshSentTooEarly;
    serves_later_reads: PutServesLaterReads;
    installs_lower_revisions: LowerRevisionInstalled;
    skips_own_id_check: SkipOwnIdCheck;
    takes_unknown_for_lost: UnknownMeansLost;
    tells_unknown_as_failed: UnknownToldAsFailed;
    tells_unknown_as_committed: UnknownToldAsCommitted;
    tells_a_late_one_as_dead: AtBaseToldAsNotCommitted;
    commits_for_who_left: DroppedCallerCommits;
    judges_the_base_by_commits: BaseJudgedByCommits;
    takes_forgotten_for_dead: ForgottenMeansDead;
    believes_a_later_refusal: RefusalBelievedWhileUnknown;
    spills_all_but_the_last: SpillLeavesOutLast;
    spills_no_deletions: SpillLeavesOutDeletions;
    spills_what_has_not_landed: SpillOfUnlanded;
    swaps_by_numbers: SwapByNumbers;
    names_objects_without_a_member: ObjectNamedWithoutMember;
    does_not_read_again: SkipReadAgain;
    drops_tombstones: DropsTombstones;
    folds_what_stands_no_more: FoldLeavesInputs;
    folds_its_overlay: FoldOfOverlay;
    collects_without_a_fence: NoEpochFence;
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

type Property = fn(Tune) -> BoxFuture<'static, Verdict>;

/// A property and its name.
type Named = (&'static str, Property);

/// A breakage in words, how it is switched on, and the properties that have to notice.
type Breakage = (&'static str, Tune, Vec<Named>);

/// A property by its name, as one type.
macro_rules! property {
    ($property:path) => {
        (
            stringify!($property),
            (|tune| Box::pin($property(tune))) as Property,
        )
    };
}

async fn random_outcomes_are_true(tune: Tune) -> Verdict {
    for seed in 1..=50 {
        told_outcomes_are_true(seed, tune).await?;
    }
    Ok(())
}

async fn random_outcomes_of_spilled_commits_are_true(tune: Tune) -> Verdict {
    for seed in 1..=50 {
        told_outcomes_of_spilled_commits_are_true(seed, tune).await?;
    }
    Ok(())
}

async fn no_object_is_named_without_its_members(tune: Tune) -> Verdict {
    for why in [DropsOut::LeavesEarly, DropsOut::LeavesLate, DropsOut::Conflicts] {
        an_object_is_named_only_with_all_its_members(tune, why, 7).await?;
    }
    Ok(())
}

/// Seeds 0 up to, without, this one are played.
const SEEDS: u64 = 100;

/// What the clients, faults and checkers of the harness make of the engine, with one seed after the other.
async fn seeds_show_no_contradiction(tune: Tune) -> Verdict {
    let mutant = tune(Options::default()).mutant;
    let play = move || {
        (0..SEEDS).try_for_each(|seed| {
            let played = Case::draw(seed).play(mutant);
            let problem = played.problems.into_iter().next();
            problem.map_or(Ok(()), |problem| Err(format!("seed {seed}: {}", problem.text)))
        })
    };
    // On a thread of its own: each case has a runtime of its own.
    std::thread::spawn(play).join().unwrap()
}

/// What is validated, by what the seeds show.
fn breakages_of_validation() -> Vec<Breakage> {
    let seeds = || vec![property!(seeds_show_no_contradiction)];
    vec![
        ("keys are not validated", skips_keys, seeds()),
        ("ranges are not validated", skips_ranges, seeds()),
        (
            "a scan counts only up to its last entry",
            forgets_the_end_of_scans,
            seeds(),
        ),
        ("absences are not validated", forgets_absences, seeds()),
        (
            "a batch is not validated against itself",
            skips_its_batch,
            seeds(),
        ),
        ("a spill leaves out deletions", spills_no_deletions, seeds()),
        (
            "unknown at the deadline is told as committed",
            tells_unknown_as_committed,
            seeds(),
        ),
    ]
}

fn breakages_of_looks() -> Vec<Breakage> {
    vec![
        (
            "a read shares a look that was sent before it began",
            shares_earlier_looks,
            vec![property!(waiting_reads_share_no_earlier_look)],
        ),
        (
            "an own PUT serves reads that began after it was sent",
            serves_later_reads,
            vec![property!(an_own_put_serves_no_later_reader)],
        ),
        (
            "a lower revision is installed",
            installs_lower_revisions,
            vec![property!(overtaken_answers_change_nothing)],
        ),
        (
            "asked while HEAD is at its base, a commit is told as dead",
            tells_a_late_one_as_dead,
            vec![property!(nothing_is_told_while_a_late_put_may_land)],
        ),
    ]
}

/// Which breakage each property has to notice.
fn breakages_of_the_path() -> Vec<Breakage> {
    let table = property!(every_row_in_memory_holds);
    let random = property!(random_outcomes_are_true);
    vec![
        (
            "commits are not validated",
            skips_validation,
            vec![table, random, property!(write_skew_is_impossible)],
        ),
        (
            "a fresh read uses the cached state",
            reads_cached,
            vec![property!(fresh_reads_see_what_was_acknowledged)],
        ),
        (
            "a 412 is believed without a look for one's own nonce",
            skips_own_id_check,
            vec![table, random, property!(a_proxys_replay_resolves_to_committed)],
        ),
        (
            "no answer is taken for a lost race",
            takes_unknown_for_lost,
            vec![table, random, property!(a_lost_reply_resolves_to_committed)],
        ),
        (
            "unknown at the deadline is told as not committed",
            tells_unknown_as_failed,
            vec![table, random],
        ),
        (
            "a transaction whose caller is gone enters a new body",
            commits_for_who_left,
            vec![
                property!(who_left_enters_no_second_body),
                property!(who_ran_out_of_time_enters_no_later_body),
            ],
        ),
        (
            "HEAD at its base is judged by its last commit",
            judges_the_base_by_commits,
            vec![table],
        ),
        (
            "past the nonces a body is dead, wherever its transactions stand",
            takes_forgotten_for_dead,
            vec![
                property!(outcome_is_found_in_a_log_object),
                property!(a_body_is_resolved_by_a_log_object),
            ],
        ),
        (
            "a refusal of a later copy is believed while an earlier one is unknown",
            believes_a_later_refusal,
            vec![table],
        ),
    ]
}

fn breakages_of_log_objects() -> Vec<Breakage> {
    let random = property!(random_outcomes_of_spilled_commits_are_true);
    vec![
        (
            "a spill leaves out what its last commit wrote",
            spills_all_but_the_last,
            vec![
                property!(spilled_commits_are_read_by_others),
                property!(every_row_in_memory_holds),
                random,
            ],
        ),
        (
            "a spill is taken from a body that is on the wire",
            spills_what_has_not_landed,
            vec![property!(a_spill_waits_until_its_commits_have_landed)],
        ),
        (
            "the same, and a swap compares numbers only",
            swaps_by_numbers,
            vec![property!(a_lost_race_at_the_threshold_resurrects_nothing)],
        ),
        (
            "a batch's log object is named although a member dropped out",
            names_objects_without_a_member,
            vec![property!(no_object_is_named_without_its_members)],
        ),
        (
            "a collection lists names of HEAD's own epoch",
            collects_without_a_fence,
            vec![property!(what_is_about_to_be_named_is_spared)],
        ),
    ]
}

fn breakages_of_folds() -> Vec<Breakage> {
    vec![
        (
            "what was read before a fold is not read again",
            does_not_read_again,
            vec![property!(what_was_read_before_a_fold_is_read_again)],
        ),
        (
            "folds and merges keep no deletions",
            drops_tombstones,
            vec![
                property!(what_was_folded_is_read_by_everybody),
                property!(writers_that_all_fold_lose_nothing),
            ],
        ),
        (
            "a fold is swapped in though its inputs stand no more",
            folds_what_stands_no_more,
            vec![property!(a_fold_that_no_longer_stands_is_let_go)],
        ),
        (
            "a run is built from an overlay while the body is on the wire",
            folds_its_overlay,
            vec![property!(a_lost_race_at_a_fold_resurrects_nothing)],
        ),
    ]
}

fn every_breakage() -> Vec<Breakage> {
    let mut all = breakages_of_the_path();
    all.extend(breakages_of_log_objects());
    all.extend(breakages_of_folds());
    all.extend(breakages_of_validation());
    all.extend(breakages_of_looks());
    all
}

/// What the engine's own tests show (`src/maintenance/tests.rs`), which can put a HEAD together by hand.
const SHOWN_INSIDE: [Mutant; 3] = [
    Mutant::PinsNotSubtracted,
    Mutant::CollectedStatePinned,
    Mutant::DeletedBeforeCondemned,
];

#[test]
fn no_breakage_is_left_out() {
    let listed = every_breakage();
    let listed: Vec<_> = listed
        .iter()
        .map(|(_, tune, _)| tune(Options::default()).mutant)
        .chain(SHOWN_INSIDE.map(Some))
        .collect();
    for mutant in Mutant::ALL {
        assert!(listed.contains(&Some(mutant)), "{mutant:?}");
    }
    assert_eq!(listed.len(), Mutant::ALL.len());
}

#[tokio::test(start_paused = true)]
async fn every_breakage_is_noticed() {
    println!("\n| breakage | property that turns red | what it sees |\n|---|---|---|");
    let mut unnoticed = Vec::new();
    for (breakage, tune, properties) in every_breakage() {
        for (name, property) in properties {
            match property(tune).await {
                Ok(()) => unnoticed.push(format!("{name}: {breakage}")),
                Err(what) => {
                    let seen = what.lines().next().unwrap_or_default().replace('|', "/");
                    println!(
                        "| {breakage} | `{name}` | {} |",
                        seen.chars().take(160).collect::<String>()
                    );
                }
            }
        }
    }
    assert!(unnoticed.is_empty(), "nobody notices:\n{}", unnoticed.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn the_engine_as_it_is_is_found_to_be_sound() {
    let mut held = BTreeMap::new();
    for (name, property) in every_breakage()
        .into_iter()
        .flat_map(|(_, _, properties)| properties)
    {
        if !held.contains_key(name) {
            held.insert(name, property(sound).await);
        }
    }
    held.retain(|_, verdict| verdict.is_err());
    assert!(held.is_empty(), "{held:?}");
}
