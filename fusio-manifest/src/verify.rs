//! A full check: everything that HEAD and its pins name is read, every checksum and every invariant is held against
//! it, and what is broken is named.
//!
//! Nothing is written. HEAD may move on meanwhile: what is gone is damage only if a HEAD that is read afterwards still
//! needs it; else the check goes on with that HEAD. Few objects are in memory at a time, tables a few blocks at a time.

use std::{collections::HashSet, sync::Arc};

use crate::{
    access::{Access, Purpose},
    error::{Error, ErrorKind, Result},
    head::{Head, Pin},
    id::{Folder, Keys, ManifestId, ObjectName},
    listing::Listing,
    options::Options,
    store::{Store, meter::RequestClass},
};

use self::{
    finding::Flaw,
    head::Seen,
    ids::Ids,
    part::{Checked, Lacking, Work, Works},
    pin::Copied,
    source::Source,
};
pub use finding::{Damage, Finding, KeySpan, Need, ObjectKind, Place};
pub use report::{HeadCopy, Progress, Verification};
pub(crate) use state::States;

mod finding;
mod head;
mod ids;
mod list;
mod log;
mod part;
mod pin;
mod report;
mod source;
mod state;
mod table;
#[cfg(test)]
mod tests;

/// How often HEAD may move away from under a check. What it named stays for the retention, so that once is rare.
const ROUNDS_MAX: u32 = 16;

/// Reads every object that the manifest under `prefix` consists of and says what is not as it was written. `progress` is
/// called for each object and for each finding.
///
/// It takes a LIST for each 1,000 objects below the prefix, a GET for each object, and one for each MiB of a table.
///
/// # Errors
///
/// Of the store, which say nothing about the manifest: the check is to be run again. [`NotFound`](ErrorKind::NotFound) if
/// there is no manifest; [`Unsupported`](ErrorKind::Unsupported) if a newer version wrote it.
pub async fn verify(
    store: Arc<dyn Store>,
    prefix: &str,
    options: &Options,
    progress: impl FnMut(Progress<'_>) + Send,
) -> Result<Verification> {
    options.validate()?;
    let access = Arc::new(Access::new(store, Keys::new(prefix)?, options));
    let source = Arc::new(Source {
        access,
        patience: options.read_timeout,
    });
    // Before HEAD: what is written after it is no garbage, and no object is older than it was.
    let listing = Listing::read(&source.access, || source.deadline()).await?;
    let mut check = Check::new(source, listing, progress);
    for _ in 0..ROUNDS_MAX {
        if Box::pin(check.round()).await? {
            return Ok(check.end());
        }
    }
    let message = "HEAD moved on too often while it was checked: try again";
    Err(Error::new(ErrorKind::Unavailable, message))
}

/// A check under way.
struct Check<P> {
    source: Arc<Source>,
    listing: Listing,
    report: Verification,
    progress: P,
    /// What some HEAD or some pin needs.
    named: HashSet<(Folder, ObjectName)>,
    done: Works,
    ids: Ids,
    epoch: u64,
    of_objects: u64,
    of_bytes: u64,
}

impl<P: FnMut(Progress<'_>) + Send> Check<P> {
    fn new(source: Arc<Source>, listing: Listing, progress: P) -> Self {
        Self {
            source,
            listing,
            report: Verification::default(),
            progress,
            named: HashSet::new(),
            done: Works::default(),
            ids: Ids::default(),
            epoch: 0,
            of_objects: 1,
            of_bytes: 0,
        }
    }

    /// Checks the HEAD that is there now; false if it moved on meanwhile, so that another round is needed.
    async fn round(&mut self) -> Result<bool> {
        match self.look().await? {
            Seen::Sound(head) => self.state(*head).await,
            Seen::Broken(flaws, sound) => {
                self.find_in_head(flaws);
                if let Some(sound) = sound {
                    self.rest(Arc::new(*sound)).await?;
                }
                self.copies().await?;
                Ok(true)
            }
        }
    }

    async fn look(&mut self) -> Result<Seen> {
        let access = &self.source.access;
        let found = access
            .read_head(self.source.deadline(), Purpose::Maintenance)
            .await?;
        let place = || format!("\"{}\" in {}", access.keys.head(), access.store.describe());
        if found.is_none() && self.report.manifest.is_some() {
            let message = format!("HEAD went away from {} while it was checked", place());
            return Err(Error::new(ErrorKind::HeadLost, message));
        }
        if found.is_none() && self.listing.manifests().is_empty() {
            let message = format!("no manifest at {}: check bucket and prefix", place());
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        head::read(access.keys.head(), found.map(|(bytes, _)| bytes))
    }

    async fn state(&mut self, head: Head) -> Result<bool> {
        if self.report.manifest.is_some_and(|known| known != head.manifest) {
            let message = format!(
                "HEAD was replaced by that of manifest {} while it was checked",
                head.manifest
            );
            return Err(Error::new(ErrorKind::Replaced, message));
        }
        self.report.manifest = Some(head.manifest);
        (self.report.revision, self.report.last_txn) = (Some(head.revision), Some(head.last_txn));
        self.epoch = self.epoch.max(head.epoch);
        self.named.extend(head.live());
        let flaws = head::contradictions(&head, &self.listing);
        self.find_in_head(flaws);
        let own = head.inline_commits().map(|commit| (commit.txn, commit.id));
        let folded = head.folded_commits.iter().map(|commit| (commit.txn, commit.id));
        let references = head.log_objects().chain(&head.folded);
        let alone = references.filter_map(|reference| Some((reference.first_txn, reference.id?)));
        let flaws = self.ids.add(own.chain(folded).chain(alone));
        self.find_in_head(flaws);
        self.report.commits += head.inline_commits().count() as u64;

        let head = Arc::new(head);
        let mut works = Works::of_head(&head);
        let mut gone = self.pins(&head, &mut works).await?;
        works.remove(&self.done);
        gone.extend(self.works(&head, works).await?);
        self.missing(&head, gone).await
    }

    /// Reads the copies of the pins and adds what they need; returns those that are gone.
    async fn pins(&mut self, head: &Arc<Head>, works: &mut Works) -> Result<Vec<Lacking>> {
        let manifest = head.manifest;
        let (source, of) = (Arc::clone(&self.source), Arc::clone(head));
        let read = move |pin: Pin| {
            let (source, head) = (Arc::clone(&source), Arc::clone(&of));
            async move { Ok((pin::read(&source, &head, &pin).await?, pin)) }
        };
        let mut gone = Vec::new();
        for (copied, pin) in part::side_by_side(head.pins.clone(), read, |_| {}).await? {
            let need = Need::Pin(pin.name.clone());
            let work = Work::of_pin(&pin);
            if self.done.contains(&work) {
                continue;
            }
            match copied {
                Copied::Sound(copy) => {
                    self.report.pins += 1;
                    let mut flaws = pin::contradictions(head, &pin, &copy);
                    let inline = copy.inline_commits().map(|commit| (commit.txn, commit.id));
                    flaws.extend(self.ids.add(inline));
                    self.named.extend(copy.needed());
                    works.add_state(&copy, &need);
                    let checked = Checked {
                        flaws,
                        ..Checked::default()
                    };
                    self.finish(manifest, work, checked);
                }
                Copied::Unread(checked) if checked.gone => gone.push(Lacking::of(&work)),
                Copied::Unread(checked) => self.finish(manifest, work, checked),
            }
        }
        Ok(gone)
    }

    /// Reads all of these, some at once; returns those that are gone.
    async fn works(&mut self, head: &Arc<Head>, works: Works) -> Result<Vec<Lacking>> {
        let manifest = head.manifest;
        let list: Vec<Work> = works.into_list();
        self.of_objects = self.report.objects + list.len() as u64;
        // Whatever they claim: of a damaged HEAD, or of pins besides, it may be more than a number can tell.
        let bytes = list.iter().map(Work::bytes);
        self.of_bytes = bytes.fold(self.read_bytes(), u64::saturating_add);
        let (source, of) = (Arc::clone(&self.source), Arc::clone(head));
        let read = move |work: Work| {
            let (source, head) = (Arc::clone(&source), Arc::clone(&of));
            async move {
                let checked = Box::pin(work.part.check(&source, &head)).await?;
                Ok((checked, work))
            }
        };
        let mut done = 0;
        let counted = (self.report.objects, Arc::clone(&self.source));
        let (of_objects, of_bytes, progress) = (self.of_objects, self.of_bytes, &mut self.progress);
        let step = |_: &(Checked, Work)| {
            done += 1;
            let bytes = counted.1.access.maintenance.counts().bytes(RequestClass::Get);
            progress(Progress::Read {
                objects: counted.0 + done,
                of_objects,
                bytes,
                of_bytes: of_bytes.max(bytes),
            });
        };
        let mut gone = Vec::new();
        for (checked, work) in part::side_by_side(list, read, step).await? {
            if checked.gone {
                gone.push(Lacking::of(&work));
            } else {
                self.finish(manifest, work, checked);
            }
        }
        Ok(gone)
    }

    /// What has been read is counted, and its flaws are told.
    fn finish(&mut self, manifest: ManifestId, work: Work, checked: Checked) {
        self.report.objects += 1;
        self.report.commits += checked.commits;
        self.report.entries += checked.entries;
        let mut flaws = checked.flaws;
        flaws.extend(self.ids.add(checked.ids.into_iter()));
        for flaw in flaws {
            self.find(work.finding(&self.source.access, manifest, flaw));
        }
        self.done.add(work);
    }

    /// Of the objects that were not there, tells those that are needed still. True if none was let go meanwhile.
    async fn missing(&mut self, head: &Head, gone: Vec<Lacking>) -> Result<bool> {
        let gone: Vec<Lacking> = gone.into_iter().filter(Lacking::matters).collect();
        if gone.is_empty() {
            return Ok(true);
        }
        let now = match self.look().await? {
            Seen::Sound(now) => *now,
            Seen::Broken(flaws, _) => {
                self.find_in_head(flaws);
                head.clone()
            }
        };
        let mut all = true;
        for lacking in gone {
            match lacking.still(head, &now) {
                Some(work) => self.lacks(head.manifest, work),
                None => {
                    self.report.superseded += 1;
                    all = false;
                }
            }
        }
        Ok(all)
    }

    /// Checks what the sound sections of a damaged HEAD name.
    async fn rest(&mut self, sound: Arc<Head>) -> Result<()> {
        let mut works = Works::default();
        works.add_state(&sound, &Need::Head);
        for lacking in self.works(&sound, works).await? {
            self.lacks(sound.manifest, lacking.0);
        }
        Ok(())
    }

    /// Tells that an object is not there.
    fn lacks(&mut self, manifest: ManifestId, work: Work) {
        let flaw = Flaw::new(Damage::Missing, Place::Whole, "it is not there");
        self.find(work.finding(&self.source.access, manifest, flaw));
        self.done.add(work);
    }

    /// Without a HEAD: which copies of earlier ones lie here, and whether they can be used.
    async fn copies(&mut self) -> Result<()> {
        let pins: Vec<_> = self.listing.pins().collect();
        let source = Arc::clone(&self.source);
        let read = move |(manifest, name, bytes): (ManifestId, ObjectName, u64)| {
            let source = Arc::clone(&source);
            async move {
                let copied = pin::read_unnamed(&source, manifest, name, bytes).await?;
                Ok((copied, manifest, name))
            }
        };
        for (copied, manifest, name) in part::side_by_side(pins, read, |_| {}).await? {
            self.report.objects += 1;
            let object = self.source.access.key(Folder::Pin, manifest, name);
            match copied {
                Copied::Sound(copy) => self.copy(*copy, object).await?,
                Copied::Unread(checked) => {
                    for flaw in checked.flaws {
                        self.find(part::finding(ObjectKind::Pin, object.clone(), flaw));
                    }
                }
            }
        }
        let newest = |copy: &HeadCopy| std::cmp::Reverse((copy.last_txn, copy.revision));
        self.report.copies.sort_by_key(newest);
        Ok(())
    }

    async fn copy(&mut self, copy: Head, object: String) -> Result<()> {
        let (revision, last_txn) = (copy.revision, copy.last_txn);
        // A copy that a HEAD no longer names may be garbage, and so may what it needs: that it is gone is no damage.
        let lacking = self.lacking(Arc::new(copy), &Need::Pin(object.clone())).await?;
        self.report.copies.push(HeadCopy {
            object,
            revision,
            last_txn,
            complete: lacking.is_none(),
        });
        Ok(())
    }

    fn find_in_head(&mut self, flaws: Vec<Flaw>) {
        for flaw in flaws {
            let key = self.source.access.keys.head().to_owned();
            self.find(part::finding(ObjectKind::Head, key, flaw));
        }
    }

    fn find(&mut self, finding: Finding) {
        if self.report.findings.contains(&finding) {
            return;
        }
        (self.progress)(Progress::Found(&finding));
        self.report.findings.push(finding);
    }

    fn read_bytes(&self) -> u64 {
        self.source.access.maintenance.counts().bytes(RequestClass::Get)
    }

    fn end(mut self) -> Verification {
        // HEAD itself.
        self.report.objects += 1;
        self.report.requests = self.source.access.maintenance.counts();
        self.report.bytes = self.read_bytes();
        if let Some(manifest) = self.report.manifest {
            self.report.garbage = Some(self.listing.garbage(manifest, self.epoch, &self.named));
        }
        self.report
    }
}
