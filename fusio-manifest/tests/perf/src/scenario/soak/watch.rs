//! While the process works: what lies in the store is counted at the end of every interval of it, and everything is read
//! once, by a handle of this process.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::store::{GetAnswer, GetOptions, Store};

use super::child::Child;
use crate::{
    crash::{journal, stored_head::StoredHead},
    history::{ClientId, Operation, OperationId, OperationKind, Outcome, Read, Row as Entry, State},
    scenario::{Context, aftermath::store},
    soak::{Census, Row},
    target::{Target as _, TargetHandle},
};

/// How often rows are looked for.
const POLL_EVERY: Duration = Duration::from_millis(200);
/// How long the process may take to answer what is open, and to close its handles.
const END_MAX: Duration = Duration::from_secs(90);
/// How often a request of the census is sent, which faults may hit as any other.
const TRIES: u32 = 5;
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// The client of this process in the history: no other has this one.
const OBSERVER: ClientId = ClientId(u32::MAX);

/// What was seen of a process that has ended.
pub(super) struct Watched {
    pub(super) child: Child,
    pub(super) rows: Vec<Row>,
    /// Everything that there was, read once an interval.
    pub(super) observed: Vec<Operation>,
    pub(super) failures: Vec<String>,
}

/// Returns when the process has ended by itself, or was told to stop.
pub(super) async fn until_its_end(context: &Context, child: Child) -> Result<Watched, String> {
    let duration = context.settings.workload.duration;
    let progress = context.progress.cell("soak", duration);
    let observer = context.engine().open(store(context), &child.order.prefix).await?;
    let mut watched = Watched {
        child,
        rows: Vec::new(),
        observed: Vec::new(),
        failures: Vec::new(),
    };
    let (began, mut stopped) = (context.clock.now(), None);
    loop {
        match watched.child.has_ended() {
            Ok(true) => break,
            Ok(false) => {}
            Err(why) => {
                watched.failures.push(why);
                break;
            }
        }
        let passed = context.clock.now().saturating_sub(began);
        if context.should_stop() && stopped.is_none() {
            watched.child.stop();
            stopped = Some(passed);
        }
        if passed > stopped.unwrap_or(duration) + END_MAX {
            watched.failures.push("the process does not end".to_owned());
            break;
        }
        watched.look(context, &*observer).await?;
        let commits = watched.rows.iter().map(|row| row.commits + row.reads).sum();
        progress.update(passed, commits);
        context.clock.sleep(POLL_EVERY).await;
    }
    observer.close().await;
    // Of the last interval nothing more can be counted.
    let rows = watched.child.rows()?;
    let seen = watched.rows.len();
    watched.rows.extend(rows.into_iter().skip(seen));
    Ok(watched)
}

impl Watched {
    /// Takes the rows that have come since, the newest with a census.
    async fn look(&mut self, context: &Context, observer: &dyn TargetHandle) -> Result<(), String> {
        let rows = self.child.rows()?;
        let seen = self.rows.len();
        let mut new: Vec<Row> = rows.into_iter().skip(seen).collect();
        if let Some(newest) = new.last_mut() {
            let invoked = journal::now();
            // Faults may be too many for it: then the row has none.
            if let Ok(state) = observer.contents().await {
                let census = census(context, &self.child.order.prefix, &state).await;
                census.into_iter().for_each(|census| newest.take(census));
                self.observed.push(everything(invoked, state));
            }
        }
        self.rows.extend(new);
        Ok(())
    }
}

/// A read of all that there was.
fn everything(invoked: u64, state: State) -> Operation {
    let rows = state.entries.into_iter().map(|(key, value)| Entry { key, value });
    Operation {
        id: OperationId(0),
        client: OBSERVER,
        kind: OperationKind::Read,
        invoked,
        completed: Some(journal::now()),
        reads: vec![Read::Range {
            from: Bytes::new(),
            to: None,
            rows: rows.collect(),
        }],
        writes: Vec::new(),
        outcome: Outcome::Ok {
            snapshot: state.txn,
            txn: None,
        },
    }
}

/// What lies there now; none if the store does not answer.
async fn census(context: &Context, prefix: &str, state: &State) -> Option<Census> {
    let store = store(context);
    let head = format!("{prefix}HEAD");
    // The listing first: what is written between the two is in neither.
    let listed = retried(context, || list(&store, prefix)).await?;
    let referenced = retried(context, || referenced(&store, &head)).await?;
    let mut census = Census {
        live_keys: state.entries.len() as u64,
        live_bytes: state
            .entries
            .iter()
            .map(|(key, value)| (key.len() + value.len()) as u64)
            .sum(),
        ..Census::default()
    };
    for (key, bytes) in listed {
        census.objects += 1;
        census.bytes += bytes;
        let below = key.strip_prefix(prefix).unwrap_or(&key);
        if key != head && !referenced.contains(below) {
            census.unreferenced_objects += 1;
            census.unreferenced_bytes += bytes;
        }
    }
    Some(census)
}

async fn retried<T, F: Future<Output = Option<T>>>(context: &Context, request: impl Fn() -> F) -> Option<T> {
    for _ in 0..TRIES {
        if let Some(answer) = request().await {
            return Some(answer);
        }
        context.clock.sleep(RETRY_AFTER).await;
    }
    None
}

async fn list(store: &Arc<dyn Store>, prefix: &str) -> Option<Vec<(String, u64)>> {
    let mut listed: Vec<(String, u64)> = Vec::new();
    loop {
        let after = listed.last().map(|(key, _)| key.clone());
        let page = store.list(prefix, after.as_deref()).await.ok()?;
        listed.extend(page.objects.into_iter().map(|object| (object.key, object.bytes)));
        if !page.more {
            return Some(listed);
        }
    }
}

async fn referenced(store: &Arc<dyn Store>, head: &str) -> Option<BTreeSet<String>> {
    match store.get(head, GetOptions::default()).await.ok()? {
        GetAnswer::Found { bytes, .. } => StoredHead::decode(bytes).map(|head| head.referenced()),
        GetAnswer::NotModified => None,
    }
}
