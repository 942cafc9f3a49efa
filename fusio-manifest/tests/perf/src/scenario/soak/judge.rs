//! What a run must have kept: every commit, every read, every object; and its bounds.

use std::sync::Arc;

use super::{flat, watch::Watched};
use crate::{
    checker::{ViolationKind, account},
    config::WriterKind,
    crash::{
        final_collection::{Ended, LATE},
        journal::Told,
    },
    history::{History, OperationId},
    result::SoakFields,
    scenario::{
        Context,
        aftermath::{collected, contents, few, store},
        judge::Judgement,
    },
    soak::Row,
};

/// What HEAD may have at most: the engine's own limit.
const HEAD_BYTES_MAX: f64 = 262_144.0;
/// What must have been answered of what was due. In short runs what is open at the end weighs more than this.
const ACHIEVED_MIN: f64 = 0.98;
/// Runs of at least so many offered transactions are held to it.
const ACHIEVED_JUDGED_FROM: u64 = 500;

/// A run, judged.
pub(super) struct Judged {
    pub(super) fields: SoakFields,
    pub(super) judgement: Judgement,
    pub(super) told: Told,
}

/// Looks at what the process has left, and at all that it did. An error is one line.
pub(super) async fn judge(context: &Context, watched: &mut Watched) -> Result<Judged, String> {
    context.store.calm();
    context.clock.sleep(LATE).await;
    let mut told = watched.child.told()?;
    let prefix = watched.child.order.prefix.clone();
    let ended = Ended {
        store: store(context),
        prefix: &prefix,
        clock: Arc::clone(&context.clock),
    };
    let final_state = contents(context, &prefix).await;
    let aftermath = collected(context, &ended, &final_state).await;
    let history = history(&mut told, watched);
    let kind = WriterKind::ReadModifyWrite;
    let mut judgement = Judgement::of_history(&history, &final_state, kind, &context.folder);
    judgement.failures.append(&mut watched.failures);
    judgement.failures.extend(few(&told.wrong));
    judgement.failures.extend(aftermath.failures);
    let books = final_state.as_ref().map(|state| account(&history, state));
    let books = books.unwrap_or_default();
    let found =
        |kinds: &[ViolationKind]| -> u64 { kinds.iter().filter_map(|kind| judgement.counts.get(kind)).sum() };
    let fields = SoakFields {
        lost: books.lost.max(found(&[ViolationKind::LostWrite])),
        doubled: books.doubled.max(found(&[
            ViolationKind::DuplicateCommit,
            ViolationKind::DuplicateTxn,
            ViolationKind::ForeignCommit,
        ])),
        orphans_after_collect: aftermath.orphans_after,
        missing: aftermath.missing,
        verify_findings: aftermath.verify_findings,
        commits_ok: books.acknowledged,
        commits_unknown: books.unknown,
        reads: history
            .operations
            .iter()
            .map(|operation| operation.reads.len() as u64)
            .sum(),
        ..of_rows(context, &watched.rows)
    };
    judgement.fail_if(fields.commits_ok == 0, || "nothing was committed".to_owned());
    judgement.fail_if(fields.lost > 0, || format!("{} commits are missing", fields.lost));
    judgement.fail_if(fields.doubled > 0, || {
        format!("{} commits are there more than once", fields.doubled)
    });
    judgement.fail_if(books.failed_seen > 0, || {
        format!("{} commits are there although they failed", books.failed_seen)
    });
    bounds(&fields, &mut judgement);
    Ok(Judged {
        fields,
        judgement,
        told,
    })
}

/// What the process did and what this one saw, in the order of its beginning.
fn history(told: &mut Told, watched: &mut Watched) -> History {
    let mut history = told.history();
    history.operations.append(&mut watched.observed);
    let order = |operation: &crate::history::Operation| (operation.invoked, operation.client, operation.id);
    history.operations.sort_by_key(order);
    for (place, operation) in history.operations.iter_mut().enumerate() {
        operation.id = OperationId(place as u64);
    }
    history
}

fn of_rows(context: &Context, rows: &[Row]) -> SoakFields {
    let duration = context.settings.workload.duration;
    let sum = |field: fn(&Row) -> u64| rows.iter().map(field).sum::<u64>();
    let offered = sum(|row| row.commits_offered);
    let answered = sum(|row| row.commits + row.conflicts + row.commits_failed + row.commits_unknown);
    // An interrupted run is judged by what there is of it.
    let seconds = rows.last().map_or(0.0, |row| row.second);
    let whole = seconds >= duration.as_secs_f64() * 0.9;
    SoakFields {
        seconds,
        intervals: rows.len() as u64,
        judged_from_s: flat::judged_from(duration)
            .map(|from| from.as_secs_f64())
            .filter(|_| whole),
        commits_offered: offered,
        conflicts: sum(|row| row.conflicts),
        kept: sum(|row| row.kept),
        visits: sum(|row| row.visits),
        folds: sum(|row| row.folds),
        merges: sum(|row| row.merges),
        collections: sum(|row| row.collections),
        head_bytes_max: rows.iter().map(|row| row.head_bytes_max).fold(0.0, f64::max),
        achieved: (offered > 0).then(|| answered as f64 / offered as f64),
        trends: match whole {
            true => flat::trends(rows, duration),
            false => Vec::new(),
        },
        ..SoakFields::default()
    }
}

fn bounds(fields: &SoakFields, judgement: &mut Judgement) {
    judgement.fail_if(fields.head_bytes_max > HEAD_BYTES_MAX, || {
        format!(
            "HEAD had {} bytes, more than {HEAD_BYTES_MAX}",
            fields.head_bytes_max
        )
    });
    let achieved = fields
        .achieved
        .filter(|_| fields.commits_offered >= ACHIEVED_JUDGED_FROM);
    judgement.fail_if(achieved.is_some_and(|achieved| achieved < ACHIEVED_MIN), || {
        format!(
            "{:.1} % of the transactions that were due were answered, fewer than {:.0} %",
            achieved.unwrap_or_default() * 100.0,
            ACHIEVED_MIN * 100.0
        )
    });
    for trend in fields.trends.iter().filter(|trend| trend.flat == Some(false)) {
        let number = |value: Option<f64>| value.unwrap_or_default();
        judgement.failures.push(format!(
            "{} moved by {:.2} (± {:.2}) from a level of {:.2}, more than {:.2}",
            trend.what,
            number(trend.growth),
            number(trend.error),
            number(trend.median),
            number(trend.allowed)
        ));
    }
}
