//! What a run must have kept: the checks that decide its verdict, and the words for those that held.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::{
    checker::{self, ViolationKind, conflicts_justified, keys_monotonic},
    config::WriterKind,
    history::{History, State, write_jsonl},
    output::RunFolder,
    timer,
};

/// The most of a run that its check may take: more, and who reads the result waits for the check rather than for the run.
const CHECKING_MAX: f64 = 0.05;

/// Runs that measure for less than this are too short to say so: what a check begins with weighs too much in them.
const LONG: Duration = Duration::from_secs(10);

/// Why a check took too long for a run of this length in which so much was measured, if it did.
pub(super) fn checked_too_long(checking: Duration, run: Duration, measured: Duration) -> Option<String> {
    let most = run.mul_f64(CHECKING_MAX);
    (measured >= LONG && checking > most).then(|| {
        format!(
            "checking took {:.3} s of {:.3} s, more than {:.0} % of the run",
            checking.as_secs_f64(),
            run.as_secs_f64(),
            CHECKING_MAX * 100.0
        )
    })
}

/// What was checked: what held, in words, and what did not.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// What was checked and held.
    pub(super) verified: Vec<String>,
    /// What did not hold.
    pub(super) failures: Vec<String>,
    /// Whole counterexamples, for the console.
    pub(super) counterexamples: Vec<String>,
    /// How many contradictions of each kind the history holds.
    pub(super) counts: BTreeMap<ViolationKind, u64>,
    /// How long the checkers took, on the wall.
    pub(super) checking: Duration,
    /// The history, written because it is evidence.
    pub(super) files: Vec<PathBuf>,
}

impl Judgement {
    /// Judges what a run recorded.
    pub(super) fn of_history(
        history: &History,
        final_state: &Result<State, String>,
        writer_kind: WriterKind,
        folder: &RunFolder,
    ) -> Self {
        Self::of_part("history", history, final_state, writer_kind, folder)
    }

    /// Judges what one part of a run recorded; `name` is the stem of the file that keeps the evidence.
    pub(super) fn of_part(
        name: &str,
        history: &History,
        final_state: &Result<State, String>,
        writer_kind: WriterKind,
        folder: &RunFolder,
    ) -> Self {
        let began = timer::now();
        let mut judgement = Self::default();
        if writer_kind == WriterKind::Monotonic {
            let verdict = keys_monotonic(history);
            if verdict.passed() {
                judgement
                    .verified
                    .extend(["monotonic keys".to_owned(), "no duplicates".to_owned()]);
            } else {
                judgement.fail("keys are not monotonic and unique", verdict.to_string());
            }
        }
        let seen = match final_state {
            Ok(state) => Some(state),
            Err(error) => {
                judgement
                    .failures
                    .push(format!("a new handle could not read the final state: {error}"));
                None
            }
        };
        let verdict = checker::check(history, seen);
        if !verdict.passed() {
            judgement.fail("the history is not strictly serializable", verdict.to_string());
        } else {
            if verdict.final_state_checked {
                judgement
                    .verified
                    .push("all writes in the final state".to_owned());
            }
            judgement.verified.push(match verdict.left_open {
                0 => "strictly serializable".to_owned(),
                open => format!("no contradiction ({open} reads left open by unknown outcomes)"),
            });
        }
        judgement.counts = verdict.counts;
        judgement.judge_conflicts(history, seen);
        judgement.checking = began.elapsed();
        if !judgement.counterexamples.is_empty() {
            judgement.keep_evidence(name, history, seen, folder);
        }
        judgement
    }

    /// A conflict is told only where there is one. Says nothing of a run in which none was told.
    fn judge_conflicts(&mut self, history: &History, seen: Option<&State>) {
        let verdict = conflicts_justified(history, seen);
        if !verdict.passed() {
            self.fail("a conflict was told where there was none", verdict.to_string());
        } else if verdict.conflicts > 0 {
            self.verified
                .push(format!("every conflict had a reason ({})", verdict.conflicts));
        }
        self.counts.extend(verdict.counts);
    }

    /// Both: what holds must hold of each, what does not is told of each.
    #[must_use]
    pub(super) fn and(mut self, other: Self) -> Self {
        self.verified.retain(|what| other.verified.contains(what));
        self.failures.extend(other.failures);
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        self.counterexamples.extend(other.counterexamples);
        self.files.extend(other.files);
        self.checking += other.checking;
        self
    }

    /// Adds a failure if `broken` holds.
    pub(super) fn fail_if(&mut self, broken: bool, what: impl FnOnce() -> String) {
        if broken {
            self.failures.push(what());
        }
    }

    fn fail(&mut self, what: &str, counterexample: String) {
        self.failures.push(what.to_owned());
        self.counterexamples.push(counterexample);
    }

    fn keep_evidence(
        &mut self,
        name: &str,
        history: &History,
        final_state: Option<&State>,
        folder: &RunFolder,
    ) {
        let mut lines = Vec::new();
        let written = write_jsonl(&mut lines, history, final_state)
            .map_err(|error| error.to_string())
            .and_then(|()| {
                folder
                    .write(&format!("{name}.jsonl"), &lines)
                    .map_err(|error| error.to_string())
            });
        match written {
            Ok(path) => self.files.push(path),
            Err(error) => self
                .failures
                .push(format!("the history could not be kept: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_takes_no_more_than_a_twentieth_of_a_long_run() {
        let seconds = Duration::from_secs;
        assert_eq!(checked_too_long(seconds(1), seconds(20), seconds(15)), None);
        let told = checked_too_long(Duration::from_millis(1_001), seconds(20), seconds(15));
        let told = told.unwrap();
        assert_eq!(
            told,
            "checking took 1.001 s of 20.000 s, more than 5 % of the run"
        );
        assert_eq!(
            checked_too_long(seconds(9), seconds(12), Duration::from_millis(9_999)),
            None
        );
    }
}
