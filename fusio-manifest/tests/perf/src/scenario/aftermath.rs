//! What is left when all processes are gone: read by a new handle, checked object by object, and collected once.

use std::sync::Arc;

use fusio_manifest::store::Store;

use super::Context;
use crate::{crash::final_collection::Ended, history::State, target::Target as _};

/// So many of what is wrong of one kind is told.
const SHOWN_MAX: usize = 4;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    /// Objects that nothing references, before the collection and after it.
    pub(super) orphans_before: u64,
    pub(super) orphans_after: u64,
    /// Objects that HEAD references and that are not there.
    pub(super) missing: u64,
    pub(super) verify_findings: u64,
    pub(super) failures: Vec<String>,
}

/// The first of them, and how many there are.
pub(super) fn few(failures: &[String]) -> Vec<String> {
    let shown = failures.iter().take(SHOWN_MAX).cloned();
    let more = failures.len().saturating_sub(SHOWN_MAX);
    shown
        .chain((more > 0).then(|| format!("and {more} more of that kind")))
        .collect()
}

/// The store, as those see it who look at what is left.
pub(super) fn store(context: &Context) -> Arc<dyn Store> {
    context.store.store(&context.store.meters.other)
}

/// Everything, as a new handle sees it.
pub(super) async fn contents(context: &Context, prefix: &str) -> Result<State, String> {
    let handle = context.engine().open(store(context), prefix).await?;
    let contents = handle.contents().await;
    handle.close().await;
    contents
}

/// Has one collection done, and looks at everything before and after it.
pub(super) async fn collected(
    context: &Context,
    ended: &Ended<'_>,
    before: &Result<State, String>,
) -> Aftermath {
    let mut found = Aftermath::default();
    if let Err(error) = found.look(context, ended, before).await {
        found.failures.push(error);
    }
    found
}

impl Aftermath {
    /// An error is why it could not go on.
    async fn look(
        &mut self,
        context: &Context,
        ended: &Ended<'_>,
        before: &Result<State, String>,
    ) -> Result<(), String> {
        ended.release_pins().await?;
        self.orphans_before = self.examine(ended, "before").await?;
        ended.collect().await?;
        self.orphans_after = self.examine(ended, "after").await?;
        if self.orphans_after > 0 {
            self.failures.push(format!(
                "{} objects are referenced by nothing after the collection",
                self.orphans_after
            ));
        }
        let after = contents(context, ended.prefix).await?;
        if before.as_ref().is_ok_and(|before| *before != after) {
            self.failures
                .push("the collection changed what the manifest holds".to_owned());
        }
        Ok(())
    }

    /// Two opinions of all that is there: the schema's, and that of the engine's own check. Returns how many objects
    /// nothing references.
    async fn examine(&mut self, ended: &Ended<'_>, when: &str) -> Result<u64, String> {
        let remains = ended.remains().await?;
        let verification = ended.verify().await?;
        self.missing += remains.missing.len() as u64;
        self.verify_findings += verification.findings.len() as u64;
        if let Some(key) = remains.missing.first() {
            let count = remains.missing.len();
            self.failures.push(format!(
                "{when} the collection {count} objects are missing, such as {key}"
            ));
        }
        if let Some(finding) = verification.findings.first() {
            let count = verification.findings.len();
            self.failures.push(format!(
                "{when} the collection verify has {count} findings, such as {finding}"
            ));
        }
        let orphans = remains.orphans.len() as u64;
        let garbage = verification.garbage.map(|garbage| garbage.own().objects);
        if garbage != Some(orphans) {
            let example = remains.orphans.first().map_or("", |key| key);
            self.failures.push(format!(
                "{when} the collection verify counts {garbage:?} objects that nothing references, the schema {orphans} \
                 {example}"
            ));
        }
        Ok(orphans)
    }
}
