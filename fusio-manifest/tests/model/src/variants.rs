//! Every rule taken out, in a world that holds with it; and what then goes wrong.

use std::fmt;

use crate::{
    broken::Broken,
    configuration::Configuration,
    configurations,
    exploration::{Counterexample, explore, shortest_counterexample},
};

/// A rule that is taken out.
pub struct Variant {
    /// The rule.
    pub broken: Broken,
    /// A world that holds with it.
    pub configuration: Configuration,
    /// What must go wrong without it. Nothing, if other rules are enough in the world's bounds.
    pub violates: &'static [&'static str],
    /// Steps without which that would have another reason.
    pub by: &'static [&'static str],
}

/// What became of a variant.
pub struct Verdict {
    /// The rule.
    pub broken: Broken,
    /// For each property that must be violated, how it is, if it is.
    pub violated: Vec<(&'static str, Option<Counterexample>)>,
    /// What went wrong besides, or for another reason, or did not go wrong.
    pub complaints: Vec<String>,
}

impl Variant {
    /// Looks for the shortest way to each violation.
    pub fn check(&self) -> Verdict {
        let mut complaints = Vec::new();
        let mut violated = Vec::new();
        if self.violates.is_empty() {
            let found = explore(&self.configuration, 1, None);
            complaints.extend(found.violations.iter().map(|found| format!("{found:?}")));
        }
        for property in self.violates {
            let found = shortest_counterexample(&self.configuration, property);
            let steps = found.as_ref().map_or(&[][..], |found| &found.steps);
            for by in self.by {
                if !steps.iter().any(|step| step.contains(by)) {
                    complaints.push(format!("{property}: without {by}"));
                }
            }
            if found.is_none() {
                complaints.push(format!("{property}: not violated"));
            }
            violated.push((*property, found));
        }
        Verdict {
            broken: self.broken,
            violated,
            complaints,
        }
    }
}

/// Rows of a table.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{:?}", self.broken);
        if self.violated.is_empty() {
            writeln!(f, "| {name} | nothing: other rules are enough | | |")?;
        }
        for (property, found) in &self.violated {
            let steps = found.as_ref().map_or(&[][..], |found| &found.steps);
            writeln!(
                f,
                "| {name} | {property} | {} | {} |",
                steps.len(),
                steps.join(", ")
            )?;
        }
        for complaint in &self.complaints {
            writeln!(f, "| {name} | WRONG: {complaint} | | |")?;
        }
        Ok(())
    }
}

const FALSELY: &str = "no caller is told falsely";
const DOUBLED: &str = "no commit is doubled";
const LOST: &str = "no commit is lost";
const RESURRECTED: &str = "no commit is resurrected";
const SERIALIZABLE: &str = "strictly serializable";
const STALE: &str = "no fresh read is stale";
const ALARM: &str = "no false alarm";
const HEAD: &str = "no object is deleted that HEAD needs";
const PIN: &str = "no object is deleted that a pin needs";
const VAIN: &str = "no copy is sent in vain";
const READER: &str = "no object is deleted that a reader needs";

fn variant(
    broken: Broken,
    world: fn() -> Configuration,
    violates: &'static [&'static str],
    by: &'static [&'static str],
) -> Variant {
    Variant {
        broken,
        configuration: world().broken_by(broken),
        violates,
        by,
    }
}

/// All of them.
pub fn variants() -> Vec<Variant> {
    let mut all = of_commits();
    all.extend(of_objects());
    all.extend(of_collection());
    all.extend(of_reads());
    all
}

pub(crate) fn of_commits() -> Vec<Variant> {
    use configurations::{batches, commits, large_transactions, retries, spills};
    vec![
        variant(Broken::SkipValidation, commits, &[SERIALIZABLE], &[]),
        variant(
            Broken::BatchConflictAtOnce,
            batches,
            &[ALARM],
            &["Commit(TransactionId(1))"],
        ),
        variant(Broken::SkipOwnIdCheck, retries, &[DOUBLED], &["Replayed"]),
        variant(
            Broken::EarlyAnswerBelieved,
            retries,
            &[DOUBLED],
            &["AnsweredEarly"],
        ),
        variant(Broken::UnknownMeansLost, retries, &[DOUBLED], &[]),
        variant(Broken::UnknownToldAsFailed, commits, &[FALSELY], &["Leave"]),
        variant(Broken::AtBaseToldAsNotCommitted, commits, &[FALSELY], &["Ask"]),
        variant(Broken::BaseJudgedByCommits, spills, &[VAIN], &["Spill", "Look"]),
        variant(Broken::ForgottenMeansDead, spills, &[DOUBLED], &[]),
        variant(
            Broken::RefusalBelievedWhileUnknown,
            commits,
            &[FALSELY],
            &["Refused"],
        ),
        variant(
            Broken::DroppedCallerCommits,
            retries,
            &[FALSELY, DOUBLED],
            &["Leave", "Look"],
        ),
        variant(
            Broken::ObjectNamedWithoutMember,
            large_transactions,
            &[FALSELY],
            &["Upload"],
        ),
    ]
}

pub(crate) fn of_objects() -> Vec<Variant> {
    use configurations::{folds, log_objects, merges, racing_folds, spills};
    vec![
        variant(Broken::SkipReadAgain, folds, &[SERIALIZABLE], &["Spill", "Fold"]),
        variant(Broken::SpillLeavesOutLast, spills, &[LOST], &["Spill"]),
        variant(Broken::SpillOfUnlanded, racing_folds, &[], &[]),
        variant(Broken::LandedSwapByNumbers, racing_folds, &[], &[]),
        variant(Broken::SwapByNumbers, spills, &[LOST, RESURRECTED], &["Spill"]),
        variant(Broken::OrderByLess, racing_folds, &[LOST], &["Fold"]),
        variant(Broken::LoserDeletes, racing_folds, &[HEAD], &["Fold"]),
        variant(Broken::DropsTombstones, merges, &[RESURRECTED], &["Fold"]),
        variant(Broken::NamedInsideAnother, log_objects, &[HEAD], &["Delete"]),
    ]
}

pub(crate) fn of_collection() -> Vec<Variant> {
    use configurations::{fence, pins};
    vec![
        variant(Broken::OldEpochNamed, fence, &[HEAD], &["RaiseEpoch", "Delete"]),
        variant(Broken::NoEpochFence, fence, &[HEAD], &["List", "Delete"]),
        variant(Broken::NameUsedTwice, fence, &[HEAD], &["RaiseEpoch", "Delete"]),
        variant(Broken::PinsNotSubtracted, pins, &[PIN], &["Pin", "Delete"]),
        variant(Broken::CollectedStatePinned, pins, &[PIN], &["Pin", "Delete"]),
        variant(
            Broken::DeletedBeforeCondemned,
            pins,
            &[PIN],
            &["Condemn", "Delete"],
        ),
        variant(
            Broken::RetentionNotAwaited,
            pins,
            &[READER],
            &["Hold", "Condemn", "Delete"],
        ),
    ]
}

pub(crate) fn of_reads() -> Vec<Variant> {
    use configurations::reads;
    vec![
        variant(Broken::ReadCached, reads, &[STALE], &["Read"]),
        variant(Broken::RefreshSentTooEarly, reads, &[STALE], &["AnswerLook"]),
        variant(Broken::OvertakenMeansWentBack, reads, &[ALARM], &["ReceiveLook"]),
        variant(Broken::LowerRevisionInstalled, reads, &[STALE], &["ReceiveLook"]),
    ]
}
