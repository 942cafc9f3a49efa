//! How often each handle replaced HEAD lately, as the nonces in HEAD tell: who leads lets others go first.

use crate::id::{HandleTag, Nonce};

/// After this many revisions a replacement counts for about a third. Long enough to even out what the lottery of
/// 20 s did among 16 handles, short enough that a handle that was away owes nothing for long.
const MEMORY: f64 = 256.0;
/// Who has replaced HEAD within this many revisions is in the race.
const IN_THE_RACE: u64 = 64;

#[derive(Debug)]
struct Standing {
    tag: HandleTag,
    replaced: f64,
    last: u64,
}

/// Replacements of HEAD by handle, old ones counting less.
#[derive(Debug, Default)]
pub(super) struct Standings {
    revision: u64,
    handles: Vec<Standing>,
}

impl Standings {
    /// Takes in what is new among the last (revision, nonce) pairs of a HEAD.
    pub(super) fn learn(&mut self, nonces: &[(u64, Nonce)]) {
        for (revision, nonce) in nonces {
            if *revision > self.revision {
                self.replaced(*revision, HandleTag::of(*nonce));
            }
        }
        let oldest = self.revision.saturating_sub(IN_THE_RACE);
        self.handles.retain(|standing| standing.last > oldest);
    }

    fn replaced(&mut self, revision: u64, by: HandleTag) {
        self.revision = revision;
        for standing in &mut self.handles {
            standing.replaced *= 1.0 - 1.0 / MEMORY;
        }
        match self.handles.iter_mut().find(|standing| standing.tag == by) {
            Some(standing) => {
                standing.replaced += 1.0;
                standing.last = revision;
            }
            None => self.handles.push(Standing {
                tag: by,
                replaced: 1.0,
                last: revision,
            }),
        }
    }

    /// By how many replacements of HEAD this handle is ahead of the mean of those in the race; behind, if negative.
    pub(super) fn lead(&self, own: HandleTag) -> f64 {
        let all: f64 = self.handles.iter().map(|standing| standing.replaced).sum();
        let mean = all / self.handles.len().max(1) as f64;
        let of_own = self.handles.iter().find(|standing| standing.tag == own);
        of_own.map_or(0.0, |standing| standing.replaced) - mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: u32) -> HandleTag {
        HandleTag::of(nonce(number))
    }

    fn nonce(handle: u32) -> Nonce {
        Nonce::from_bits(u128::from(handle) << 96 | 7)
    }

    /// Standings after these handles replaced HEAD, one after the other.
    fn after(winners: &[u32]) -> Standings {
        let mut standings = Standings::default();
        for (revision, handle) in (1..).zip(winners) {
            standings.learn(&[(revision, nonce(*handle))]);
        }
        standings
    }

    #[test]
    fn who_replaced_head_more_often_leads() {
        let standings = after(&[1, 1, 2, 1]);
        assert!((standings.lead(tag(1)) - 1.0).abs() < 0.02);
        assert!((standings.lead(tag(2)) + 1.0).abs() < 0.02);
        assert!((standings.lead(tag(3)) + 2.0).abs() < 0.03, "never replaced it");
    }

    #[test]
    fn nobody_leads_where_nothing_is_known() {
        assert!(Standings::default().lead(tag(1)).abs() < f64::EPSILON);
    }

    #[test]
    fn a_revision_counts_once() {
        let mut standings = Standings::default();
        let pairs = [(1, nonce(1)), (2, nonce(2)), (3, nonce(2))];
        standings.learn(&pairs);
        let once = standings.lead(tag(2));
        standings.learn(&pairs);
        standings.learn(&pairs[..2]);
        assert!((standings.lead(tag(2)) - once).abs() < f64::EPSILON);
    }

    #[test]
    fn who_left_the_race_is_forgotten() {
        let mut winners = vec![2];
        winners.extend([1; 63]);
        assert!(after(&winners).lead(tag(1)) > 10.0, "still in it");
        winners.push(1);
        assert!(after(&winners).lead(tag(1)).abs() < f64::EPSILON, "alone");
    }

    #[test]
    fn old_replacements_count_less() {
        let mut winners = vec![1; 60];
        winners.extend((0..1_024).map(|turn| 1 + turn % 2));
        assert!(after(&winners).lead(tag(1)).abs() < 1.5);
    }
}
