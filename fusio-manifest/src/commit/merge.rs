//! Merges runs into larger ones, beside the path, so that a reader has few to ask and a key's old versions go.

use std::{ops::Range, sync::Arc};

use crate::{
    error::{Error, ErrorKind, Result},
    head::{Head, Merge, Run},
    head_io::HeadIo,
    immutable::{Destination, Unread},
    mutant::{Broken, Mutant},
    options::SharedSettings,
    run_writer::RunWriter,
    versions::Versions,
};

/// The size at which tiers begin: about what a fold of small commits makes is one tier above.
const TIER_BYTES: u64 = 64 * 1024;

/// Which runs, newest first, are to be merged; none if none are.
///
/// A run is of tier t if its bytes are at least `TIER_BYTES * ratio^t`; smaller ones are of tier 0. Of each tier up to
/// `ratio - 1` runs stand. Where `ratio` runs of one tier stand with none of a higher tier between them, they are
/// merged, and so is what stands between them; lower tiers first. So an entry is rewritten about once a tier, and of a
/// manifest of n bytes there are at most `(ratio - 1) * (1 + log(n / TIER_BYTES) / log(ratio))` runs.
pub(super) fn pick(runs: &[u64], ratio: u32, count: usize) -> Option<Range<usize>> {
    let tiers: Vec<u32> = runs.iter().map(|bytes| tier(*bytes, ratio)).collect();
    let highest = tiers.iter().max()?;
    (0..=*highest).find_map(|tier| {
        let mut members: Vec<usize> = Vec::new();
        for (place, of) in tiers.iter().enumerate() {
            if *of > tier {
                if members.len() >= count {
                    break;
                }
                members.clear();
            } else if *of == tier {
                members.push(place);
            }
        }
        let (first, last) = (members.first()?, members.last()?);
        (members.len() >= count).then_some(*first..last + 1)
    })
}

/// The tier of a run of so many bytes.
pub(crate) fn tier(bytes: u64, ratio: u32) -> u32 {
    (bytes / TIER_BYTES).max(1).ilog(u64::from(ratio))
}

/// At the hard limit: so many neighbours as are cheapest to merge.
pub(super) fn pick_cheapest(runs: &[u64], ratio: u32) -> Option<Range<usize>> {
    let count = (ratio as usize).min(runs.len());
    let cost = |window: &[u64]| window.iter().fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
    let windows = runs.windows(count.max(2)).enumerate();
    let (place, window) = windows.min_by_key(|(_, window)| cost(window))?;
    Some(place..place + window.len())
}

fn sizes(head: &Head) -> Vec<u64> {
    head.runs.iter().map(Run::bytes).collect()
}

/// The runs of `head` that are due to be merged.
pub(super) fn due(head: &Head) -> Option<Range<usize>> {
    let ratio = head.settings.tier_ratio;
    pick(&sizes(head), ratio, ratio as usize)
}

/// The runs to merge when HEAD names as many as it may.
pub(super) fn at_hard_limit(head: &Head) -> Option<Range<usize>> {
    due(head).or_else(|| pick_cheapest(&sizes(head), head.settings.tier_ratio))
}

/// True if the writer of `after` is the one to merge, by the same rule as for folds.
pub(super) fn is_ours(before: &Head, after: &Head, swapped: bool) -> bool {
    let ratio = after.settings.tier_ratio;
    due(after).is_some()
        && (swapped || due(before).is_none() || pick(&sizes(after), ratio, 2 * ratio as usize).is_some())
}

/// Writes the run that takes the place of `inputs`, which are newest first.
pub(super) async fn write(
    io: Arc<HeadIo>,
    to: Destination,
    settings: SharedSettings,
    inputs: Vec<Run>,
    broken: Broken,
) -> Result<Merge> {
    let (Some(newest), Some(oldest)) = (inputs.first(), inputs.last()) else {
        return Err(Error::new(ErrorKind::Invalid, "a merge of no runs"));
    };
    let (first_txn, last_txn) = (oldest.first_txn, newest.last_txn);
    let drops_deletions = first_txn == 1 || broken.by(Mutant::DropsTombstones);
    let bytes = inputs.iter().map(Run::bytes).sum();
    let mut writer = RunWriter::new(Arc::clone(&io.tables), to, &settings, bytes);
    let mut versions = Versions::of_runs(&inputs, &io.tables).await.map_err(unread)?;
    while let Some(entry) = versions.next().await.map_err(unread)? {
        if entry.version.value.is_some() || !drops_deletions {
            writer.add(&entry.key, &entry.version).await?;
        }
    }
    Ok(Merge {
        run: Run {
            first_txn,
            last_txn,
            tables: writer.finish().await?,
        },
        inputs,
    })
}

fn unread(unread: Unread) -> Error {
    match unread {
        Unread::Failed(error) => error,
        Unread::Gone(name) => Error::new(
            ErrorKind::Unavailable,
            format!("table {name} is gone: it cannot be merged"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = TIER_BYTES;

    fn picked(sizes: &[u64]) -> Option<Range<usize>> {
        let bytes: Vec<u64> = sizes.iter().map(|size| size * T).collect();
        pick(&bytes, 4, 4)
    }

    #[test]
    fn a_tier_is_merged_when_it_is_full() {
        assert_eq!(picked(&[]), None);
        assert_eq!(picked(&[4, 4, 4]), None);
        assert_eq!(picked(&[4, 4, 4, 4]), Some(0..4));
        assert_eq!(picked(&[4, 4, 4, 4, 16, 16, 16]), Some(0..4));
        assert_eq!(picked(&[4, 16, 16, 16, 16]), Some(1..5));
    }

    #[test]
    fn smaller_runs_between_go_along_and_larger_ones_part() {
        assert_eq!(picked(&[4, 1, 4, 4, 1, 4, 20]), Some(0..6));
        assert_eq!(picked(&[4, 4, 20, 4, 4]), None);
    }

    #[test]
    fn lower_tiers_come_first() {
        assert_eq!(picked(&[1, 1, 1, 1, 4, 4, 4, 4]), Some(0..4));
    }

    /// Runs of one size come one after the other: how many there are, and how often each byte is written.
    #[test]
    fn runs_stay_few_and_are_rewritten_once_a_tier() {
        let (mut runs, mut written): (Vec<u64>, u64) = (Vec::new(), 0);
        let mut most = 0;
        for _ in 0..4_096 {
            runs.insert(0, 8 * T);
            while let Some(range) = pick(&runs, 4, 4) {
                let bytes = runs[range.clone()].iter().sum();
                written += bytes;
                runs.splice(range, [bytes]);
            }
            most = most.max(runs.len());
        }
        // 4,096 folds of equal size are 4 to the power of 6: six tiers.
        assert_eq!((runs.len(), most), (1, 18));
        assert_eq!(written, 6 * 4_096 * 8 * T);
    }

    #[test]
    fn at_the_hard_limit_the_cheapest_neighbours_are_merged() {
        assert_eq!(pick_cheapest(&[9, 1, 2, 3, 1, 50], 4), Some(1..5));
        assert_eq!(pick_cheapest(&[9, 8], 4), Some(0..2));
        assert_eq!(pick_cheapest(&[9], 4), None);
    }
}
