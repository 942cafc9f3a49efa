//! Whether all is there and sound that the state of one HEAD needs.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{
    Check, Progress,
    finding::Need,
    ids::Ids,
    part::{Work, Works},
    source::Source,
};
use crate::{access::Access, error::Result, head::Head, listing::Listing};

impl<P: FnMut(Progress<'_>) + Send> Check<P> {
    /// The key of an object that this HEAD needs and that is missing or damaged, if there is one.
    pub(super) async fn lacking(&mut self, head: Arc<Head>, need: &Need) -> Result<Option<String>> {
        // Each is held against itself: they may be of different manifests.
        self.ids = Ids::default();
        let mut works = Works::default();
        works.add_state(&head, need);
        let told = self.report.findings.len();
        let access = Arc::clone(&self.source.access);
        let key = |work: &Work| work.key(&access, head.manifest);
        let known = {
            let findings = self.report.findings.iter();
            let flawed: HashSet<&str> = findings.map(|found| found.object.as_str()).collect();
            works.list().map(key).find(|key| flawed.contains(key.as_str()))
        };
        works.remove(&self.done);
        let gone = self.works(&head, works).await?;
        let gone = gone.first().map(|lacking| key(&lacking.0));
        let found = self.report.findings.get(told).map(|found| found.object.clone());
        Ok(known.or(found).or(gone))
    }
}

/// States that are checked one after the other; what they have in common is read once.
pub(crate) struct States<P>(Check<P>);

impl<P: FnMut(Progress<'_>) + Send> States<P> {
    pub(crate) fn new(access: Arc<Access>, patience: Duration, progress: P) -> Self {
        let source = Arc::new(Source { access, patience });
        Self(Check::new(source, Listing::default(), progress))
    }

    /// The key of an object that this HEAD needs and that is missing or damaged, if there is one.
    pub(crate) async fn lacking(&mut self, head: &Head) -> Result<Option<String>> {
        let head = Arc::new(head.clone());
        Box::pin(self.0.lacking(head, &Need::Head)).await
    }
}
