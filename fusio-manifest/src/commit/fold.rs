//! Folds the oldest items of the log into a run, beside the path: their newest versions are written to tables while
//! commits go on, and the next HEAD has the run in their place.
//!
//! A fold is built from a HEAD that has landed, and from what lies in its log, never from what this handle believes the
//! state to be. It is swapped in only where all that it was built from still stands, in place. Whoever loses that race
//! deletes nothing.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use crate::{
    access::Purpose,
    error::{Error, ErrorKind, Result},
    head::{FOLDED_MAX, Fold, Head, Input, LogItem, Run},
    head_io::HeadIo,
    immutable::{Destination, Unread},
    mutant::{Broken, Mutant},
    options::SharedSettings,
    run_writer::RunWriter,
    state::Overlay,
    version::Version,
};

use super::spill::STRETCH_BYTES_MIN;

/// The oldest items of the log that one fold takes.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    items: Vec<LogItem>,
    first_txn: u64,
    last_txn: u64,
    pub(super) objects: usize,
    /// Of the log objects.
    pub(super) bytes: u64,
}

/// How urgent a fold is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// HEAD has passed a threshold.
    Due,
    /// HEAD names as many log objects as it may: whatever can be folded is.
    HardLimit,
}

impl Plan {
    /// What a fold of `head` would take; none if that is too little.
    ///
    /// From the oldest item on, up to a log object. Commits that stand inline before one go along if they are not
    /// worth a spill, or old enough for one, or if log objects for another fold lie behind them; and no more of them
    /// than HEAD keeps the ids of. At the hard limit they all go along: else a log of small commits between large ones
    /// could never be folded.
    pub(super) fn of(head: &Head, urgency: Urgency) -> Option<Self> {
        let settings = &head.settings;
        let mut plan = Self {
            items: Vec::new(),
            first_txn: head.folded_through().saturating_add(1),
            last_txn: 0,
            objects: 0,
            bytes: 0,
        };
        let mut taken = 0;
        let (mut inline, mut stretch) = (0, 0);
        let mut newer = head.inline_bytes() as u64;
        let objects = head.log_objects().count();
        for (index, item) in head.log.iter().enumerate() {
            match item {
                LogItem::Object(reference) => {
                    plan.objects += 1;
                    plan.bytes += reference.object.bytes;
                    plan.last_txn = reference.last_txn();
                    (taken, stretch) = (index + 1, 0);
                    // All of it lies in memory while it is sorted.
                    if plan.bytes >= settings.fold_bytes.saturating_mul(2) {
                        break;
                    }
                }
                LogItem::Inline(commit) => {
                    let bytes = commit.encoded_bytes();
                    (inline, stretch) = (inline + 1, stretch + bytes);
                    newer -= bytes as u64;
                    let behind = objects.saturating_sub(plan.objects);
                    let may_go = stretch < STRETCH_BYTES_MIN
                        || newer >= settings.spill_keep_bytes
                        || behind as u64 >= u64::from(settings.fold_objects);
                    if urgency == Urgency::Due && (inline > FOLDED_MAX || !may_go) {
                        break;
                    }
                }
            }
        }
        plan.items = head.log.get(..taken).unwrap_or_default().to_vec();
        let enough = match urgency {
            Urgency::Due => plan.reaches(settings, 1),
            Urgency::HardLimit => plan.objects > 0,
        };
        enough.then_some(plan)
    }

    fn reaches(&self, settings: &SharedSettings, times: u64) -> bool {
        self.objects as u64 >= u64::from(settings.fold_objects).saturating_mul(times)
            || self.bytes >= settings.fold_bytes.saturating_mul(times)
    }
}

/// True if the writer of `after` is the one to fold: its HEAD crossed the threshold, or did not get below it by the fold
/// that it swapped in. At twice the threshold whoever sees it is, in case that writer is gone.
pub(super) fn is_ours(before: &Head, after: &Head, swapped: bool) -> bool {
    Plan::of(after, Urgency::Due).is_some_and(|plan| {
        swapped || Plan::of(before, Urgency::Due).is_none() || plan.reaches(&after.settings, 2)
    })
}

/// Writes the run. `overlay` is a deliberate breakage: it is taken for what the inputs hold.
pub(super) async fn write(
    io: Arc<HeadIo>,
    to: Destination,
    settings: SharedSettings,
    plan: Plan,
    overlay: Option<Overlay>,
    broken: Broken,
) -> Result<Fold> {
    let newest = match overlay {
        Some(overlay) => overlay.into_iter().collect(),
        None => newest_versions(&io, to, &plan).await?,
    };
    let oldest_run = plan.first_txn == 1;
    let mut writer = RunWriter::new(Arc::clone(&io.tables), to, &settings, plan.bytes);
    for (key, version) in &newest {
        // Below the oldest run there is nothing that a deletion could hide.
        if version.value.is_some() || !(oldest_run || broken.by(Mutant::DropsTombstones)) {
            writer.add(key, version).await?;
        }
    }
    Ok(Fold {
        inputs: plan.items.iter().map(Input::of).collect(),
        run: Run {
            first_txn: plan.first_txn,
            last_txn: plan.last_txn,
            tables: writer.finish().await?,
        },
    })
}

/// The newest version of every key that the inputs wrote.
async fn newest_versions(io: &Arc<HeadIo>, to: Destination, plan: &Plan) -> Result<BTreeMap<Bytes, Version>> {
    let objects = plan.items.iter().filter_map(|item| match item {
        LogItem::Object(reference) => Some(*reference),
        LogItem::Inline(_) => None,
    });
    let loaded = io
        .log
        .load_all(to.manifest, objects.collect(), to.deadline, Purpose::Maintenance)
        .await;
    let logged = loaded.map_err(|unread| match unread {
        Unread::Failed(error) => error,
        // Somebody has folded it, and it is collected; or it is lost, which readers are told.
        Unread::Gone(name) => Error::new(
            ErrorKind::Unavailable,
            format!("log object {name} is gone: it cannot be folded"),
        ),
    })?;
    let mut newest = BTreeMap::new();
    let mut apply = |txn: u64, writes: &[crate::head::Write]| {
        for write in writes {
            let value = write.value.clone();
            newest.insert(write.key.clone(), Version { txn, value });
        }
    };
    for item in &plan.items {
        match item {
            LogItem::Inline(commit) => apply(commit.txn, &commit.writes),
            LogItem::Object(reference) => {
                let commits = logged
                    .get(&reference.object.name)
                    .map(|object| object.commits.as_slice());
                for (commit, txn) in commits.unwrap_or_default().iter().zip(reference.first_txn..) {
                    apply(txn, &commit.writes);
                }
            }
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests;
