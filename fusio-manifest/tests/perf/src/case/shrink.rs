//! From a case that fails to the smallest that still does.
//!
//! One thing is taken away at a time, the largest first; what still fails is kept, and everything is tried again, until
//! nothing can go. Each step only takes away, so it ends, and the same case always ends as the same.

use std::time::Duration;

use super::{Case, Spill};
use crate::fault::FaultPlan;

/// So many cases are played at most.
const PLAYED_MAX: u32 = 400;

/// A case that cannot be made smaller.
#[derive(Debug, Clone, PartialEq)]
pub struct Shrunk {
    /// It fails, too.
    pub case: Case,
    /// How many smaller ones were played on the way.
    pub played: u32,
}

/// The smallest case below `case` that fails.
pub fn shrink(case: &Case, mut fails: impl FnMut(&Case) -> bool) -> Shrunk {
    let mut smallest = case.clone();
    let mut played = 0;
    loop {
        let mut any = false;
        let mut place = 0;
        // What is taken away shortens the list: the same place then holds another thing.
        while let Some(smaller) = smaller(&smallest).into_iter().nth(place) {
            if played >= PLAYED_MAX {
                return Shrunk {
                    case: smallest,
                    played,
                };
            }
            played += 1;
            if fails(&smaller) {
                smallest = smaller;
                any = true;
            } else {
                place += 1;
            }
        }
        if !any {
            return Shrunk {
                case: smallest,
                played,
            };
        }
    }
}

/// Every case with one thing less, the most promising first.
fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        if smaller != *case {
            all.push(smaller);
        }
    };
    add(&|case| case.faults = FaultPlan::default());
    add(&|case| case.kills.clear());
    add(&|case| case.impatience = 0.0);
    add(&|case| case.span = halved(case.span));
    if case.crew.writers.len() + case.crew.readers.len() > 1 {
        for place in 0..case.crew.readers.len() {
            add(&|case| case.crew.readers = without(&case.crew.readers, place));
        }
        for place in 0..case.crew.writers.len() {
            add(&|case| case.crew.writers = without(&case.crew.writers, place));
        }
    }
    for number in 0..case.faults.len() {
        add(&|case| case.faults = case.faults.without(number));
    }
    for number in 0..case.kills.len() {
        add(&|case| case.kills = without(&case.kills, number));
    }
    add(&|case| case.kills.iter_mut().for_each(|kill| kill.work = None));
    add(&|case| case.collect = None);
    add(&|case| case.ask = false);
    add(&|case| case.shared_handle = false);
    add(&|case| case.spill = Spill::USUAL);
    add(&|case| case.limit = Duration::from_secs(30));
    add(&|case| case.refreshes = 8);
    add(&|case| "none".clone_into(&mut case.latency));
    add(&|case| case.writer_rate = (case.writer_rate / 2.0).max(1.0));
    add(&|case| case.reader_rate = (case.reader_rate / 2.0).max(1.0));
    add(&|case| case.span = shorter(case.span));
    all
}

fn without<T: Copy>(all: &[T], place: usize) -> Vec<T> {
    let others = all.iter().enumerate().filter(|(other, _)| *other != place);
    others.map(|(_, one)| *one).collect()
}

/// To the tenth of a second, down to one of them.
fn halved(span: Duration) -> Duration {
    tenths(span, span.as_millis() / 200)
}

fn shorter(span: Duration) -> Duration {
    tenths(span, span.as_millis() / 100 - 1)
}

fn tenths(span: Duration, tenths: u128) -> Duration {
    let ms = u64::try_from(tenths).unwrap_or(1).max(1) * 100;
    Duration::from_millis(ms).min(span)
}
