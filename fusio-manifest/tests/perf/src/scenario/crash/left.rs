//! What processes leave behind that were killed: read by a new handle, checked object by object, and collected once.

use std::sync::Arc;

use fusio_manifest::Manifest;

use super::{report::write_points, store};
use crate::{
    crash::{
        crew::Crew,
        final_collection::{Ended, LATE, list},
    },
    history::{History, State},
    result::CrashFields,
    scenario::Context,
    target::Target as _,
};

/// So many of what is wrong of one kind is told.
const SHOWN_MAX: usize = 4;

/// What a run left behind.
pub(super) struct Left {
    pub(super) history: History,
    pub(super) final_state: Result<State, String>,
    pub(super) fields: CrashFields,
    /// What is wrong beside the history.
    pub(super) failures: Vec<String>,
}

/// What is left when all processes are gone.
pub(super) async fn look(context: &Context, crew: &Crew, judged: bool) -> Result<Left, String> {
    context.clock.sleep(LATE).await;
    let mut told = crew.told()?;
    let mut failures = few(crew.failures());
    failures.extend(few(&told.wrong));
    let interrupted = context.should_stop();
    let mut fields = CrashFields {
        kills_at_random: crew.kills().at_random,
        kills_at_points: crew.kills().at_points,
        kills: crew.kills().at_random + crew.kills().at_points,
        points: crew.hits().len() as u64,
        points_hit: crew.hits().values().filter(|hits| **hits > 0).count() as u64,
        pins_read: told.done.get("own pins read").copied().unwrap_or_default(),
        ..CrashFields::default()
    };
    let missed = crew.hits().iter().filter(|(_, hits)| **hits == 0);
    let missed: Vec<String> = missed.map(|(point, _)| point.to_string()).collect();
    if judged && !missed.is_empty() && !interrupted {
        failures.push(format!("nobody died {}", missed.join(", ")));
    }
    let ended = Ended {
        store: store(context),
        prefix: &crew.plan().prefix,
        clock: Arc::clone(&context.clock),
    };
    let final_state = contents(context, &crew.plan().prefix).await;
    match collected(context, &ended, &final_state, &mut fields).await {
        Ok(more) => failures.extend(more),
        Err(error) => failures.push(error),
    }
    for prefix in crew.plan().founded_prefixes() {
        failures.extend(destroyed(context, &prefix).await.err());
    }
    context.say(|out| write_points(out, crew.hits(), &told));
    Ok(Left {
        history: told.history(),
        final_state,
        fields,
        failures,
    })
}

/// The first of them, and how many there are.
fn few(failures: &[String]) -> Vec<String> {
    let shown = failures.iter().take(SHOWN_MAX).cloned();
    let more = failures.len().saturating_sub(SHOWN_MAX);
    shown
        .chain((more > 0).then(|| format!("and {more} more of that kind")))
        .collect()
}

/// Everything, as a new handle sees it.
async fn contents(context: &Context, prefix: &str) -> Result<State, String> {
    let handle = context.engine().open(store(context), prefix).await?;
    let contents = handle.contents().await;
    handle.close().await;
    contents
}

/// Has one collection done. What is wrong then is a failure; an error is why it could not be.
async fn collected(
    context: &Context,
    ended: &Ended<'_>,
    before: &Result<State, String>,
    fields: &mut CrashFields,
) -> Result<Vec<String>, String> {
    ended.release_pins().await?;
    let mut failures = Vec::new();
    fields.orphans_before_collect = examined(ended, "before", fields, &mut failures).await?;
    ended.collect().await?;
    fields.orphans_after_collect = examined(ended, "after", fields, &mut failures).await?;
    if fields.orphans_after_collect > 0 {
        failures.push(format!(
            "{} objects are referenced by nothing after the collection",
            fields.orphans_after_collect
        ));
    }
    let after = contents(context, ended.prefix).await?;
    if before.as_ref().is_ok_and(|before| *before != after) {
        failures.push("the collection changed what the manifest holds".to_owned());
    }
    Ok(failures)
}

/// Two opinions of all that is there: the schema's, and that of the engine's own check. Returns how many objects nothing
/// references.
async fn examined(
    ended: &Ended<'_>,
    when: &str,
    fields: &mut CrashFields,
    failures: &mut Vec<String>,
) -> Result<u64, String> {
    let remains = ended.remains().await?;
    let verification = ended.verify().await?;
    fields.missing += remains.missing.len() as u64;
    fields.verify_findings += verification.findings.len() as u64;
    if let Some(key) = remains.missing.first() {
        let count = remains.missing.len();
        failures.push(format!(
            "{when} the collection {count} objects are missing, such as {key}"
        ));
    }
    if let Some(finding) = verification.findings.first() {
        let count = verification.findings.len();
        failures.push(format!(
            "{when} the collection verify has {count} findings, such as {finding}"
        ));
    }
    let orphans = remains.orphans.len() as u64;
    let garbage = verification.garbage.map(|garbage| garbage.own().objects);
    if garbage != Some(orphans) {
        let example = remains.orphans.first().map_or("", |key| key);
        failures.push(format!(
            "{when} the collection verify counts {garbage:?} objects that nothing references, the schema {orphans} {example}"
        ));
    }
    Ok(orphans)
}

/// Whatever founders left must go with one more call. An error is what stays.
async fn destroyed(context: &Context, prefix: &str) -> Result<(), String> {
    let store = store(context);
    let destroyed = Manifest::destroy(Arc::clone(&store), prefix, &context.engine().options).await;
    destroyed.map_err(|error| format!("{prefix} cannot be destroyed: {error}"))?;
    match list(&*store, prefix).await?.first() {
        Some(key) => Err(format!("destroyed, and {key} is still there")),
        None => Ok(()),
    }
}
