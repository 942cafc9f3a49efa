//! What processes leave behind that were killed, of the manifest that they shared and of those that they founded.

use std::sync::Arc;

use fusio_manifest::Manifest;

use super::report::write_points;
use crate::{
    crash::{
        crew::Crew,
        final_collection::{Ended, LATE, list},
    },
    history::{History, State},
    result::CrashFields,
    scenario::{
        Context,
        aftermath::{collected, contents, few, store},
    },
};

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
    let found = collected(context, &ended, &final_state).await;
    failures.extend(found.failures);
    fields.orphans_before_collect = found.orphans_before;
    fields.orphans_after_collect = found.orphans_after;
    fields.missing = found.missing;
    fields.verify_findings = found.verify_findings;
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
