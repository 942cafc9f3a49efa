//! Pins, and what may be known of them.

use std::{collections::BTreeSet, time::Duration};

use fusio_manifest::{Clock as _, ErrorKind};

use crate::{Verdict, ensure, input::Input, reads::Held, succeeds, world::World};

const NAMES: u8 = 3;
const KEEP: Duration = Duration::from_secs(5);

/// What a name may stand for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    /// The commits whose states it may keep.
    states: BTreeSet<u64>,
    /// There may be none of this name.
    may_be_absent: bool,
    /// It ends by itself.
    expires: bool,
    /// How often it was, or may have been, let go.
    let_go: u32,
}

impl Kept {
    fn absent() -> Self {
        Self {
            may_be_absent: true,
            ..Self::default()
        }
    }
}

fn name_of(name: u8) -> String {
    format!("pin {name}")
}

impl World {
    fn kept(&mut self, name: u8) -> &mut Kept {
        self.pins.entry(name).or_insert_with(Kept::absent)
    }

    /// True if what a pin kept may be deleted.
    pub(crate) fn pin_may_be_gone(&self, name: u8, let_go: u32) -> bool {
        let kept = self.pins.get(&name);
        kept.is_none_or(|kept| kept.let_go != let_go || kept.expires || kept.may_be_absent)
    }

    pub(crate) async fn pin(&mut self, handle: usize, input: &mut Input<'_>) -> Verdict {
        let (slot, name) = (input.index(self.snapshots.len()), input.below(NAMES));
        let keep = (input.below(4) == 0).then_some(KEEP);
        let manifest = self.manifest(handle)?;
        let Some(held) = self.snapshots.get(slot).and_then(Option::as_ref) else {
            return Ok(());
        };
        let (at, revision) = (held.snapshot.txn(), held.snapshot.revision());
        match manifest.pin(&name_of(name), &held.snapshot, keep).await {
            Ok(info) => {
                ensure!(info.revision == revision, "{info:?} of revision {revision}");
                let kept = self.kept(name);
                ensure!(
                    kept.may_be_absent || kept.expires,
                    "{name} is pinned twice: {kept:?}"
                );
                *kept = Kept {
                    states: BTreeSet::from([at]),
                    may_be_absent: false,
                    expires: keep.is_some(),
                    let_go: kept.let_go + 1,
                };
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::AlreadyExists => {
                    let kept = self.kept(name);
                    ensure!(!kept.states.is_empty(), "there is no pin {name}: {error}");
                    kept.may_be_absent = kept.expires;
                    Ok(())
                }
                ErrorKind::SnapshotExpired => {
                    let observer = self.observer().await?;
                    let info = succeeds("asking what is known", observer.info())?;
                    observer.close().await;
                    ensure!(
                        revision < info.collected_through,
                        "revision {revision} cannot be pinned, collected is up to {}: {error}",
                        info.collected_through
                    );
                    Ok(())
                }
                _ => {
                    self.excused(handle, "pinning", &error)?;
                    let kept = self.kept(name);
                    kept.states.insert(at);
                    kept.expires |= keep.is_some();
                    // If it was made, nobody has been told.
                    Ok(())
                }
            },
        }
    }

    pub(crate) async fn open_pin(&mut self, handle: usize, input: &mut Input<'_>) -> Verdict {
        let (slot, name) = (input.index(self.snapshots.len()), input.below(NAMES));
        let manifest = self.manifest(handle)?;
        let opened = manifest.open_pin(&name_of(name)).await;
        let now = self.clock.now();
        let kept = self.kept(name).clone();
        match opened {
            Ok(snapshot) => {
                ensure!(
                    kept.states.contains(&snapshot.txn()),
                    "pin {name} is a state after {}: {kept:?}",
                    snapshot.txn()
                );
                let held = Held {
                    handle,
                    snapshot,
                    newest_at: now,
                    kept_by: Some((name, kept.let_go)),
                };
                if let Some(place) = self.snapshots.get_mut(slot) {
                    *place = Some(held);
                }
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::NotFound => {
                    ensure!(kept.may_be_absent || kept.expires, "{kept:?} is gone: {error}");
                    Ok(())
                }
                ErrorKind::SnapshotExpired => {
                    ensure!(kept.expires, "{kept:?} has expired: {error}");
                    Ok(())
                }
                _ => self.excused(handle, "opening a pin", &error),
            },
        }
    }

    pub(crate) async fn release_pin(&mut self, handle: usize, input: &mut Input<'_>) -> Verdict {
        let name = input.below(NAMES);
        let manifest = self.manifest(handle)?;
        let released = manifest.release_pin(&name_of(name)).await;
        let kept = self.kept(name);
        match released {
            Ok(()) => {
                ensure!(
                    !kept.states.is_empty(),
                    "a pin {name} was released that nobody made"
                );
                *kept = Kept {
                    let_go: kept.let_go + 1,
                    ..Kept::absent()
                };
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::NotFound => {
                    ensure!(kept.may_be_absent || kept.expires, "{kept:?} is gone: {error}");
                    Ok(())
                }
                _ => {
                    kept.may_be_absent = true;
                    kept.let_go += 1;
                    self.excused(handle, "releasing a pin", &error)
                }
            },
        }
    }
}
