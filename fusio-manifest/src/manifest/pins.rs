//! Pins: states that are kept under a name until they are released or expire, for any process to read.

use std::{sync::Arc, time::Duration};

use super::Manifest;
use crate::{
    access::Purpose,
    clock::Moment,
    error::{Error, ErrorKind, Result},
    frame::FormatError,
    head::{Edit, Head, Objection, Pin},
    head_cache::Certified,
    id::{Folder, ObjectName},
    immutable::{Destination, Unread},
    limits::{PINS_MAX, check_pin_name},
    maintenance::{object, pin},
    mutant::Mutant,
    snapshot::Snapshot,
    state::{State, unseen},
    store::ETag,
};

/// A state that is kept under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinInfo {
    /// Its name.
    pub name: String,
    /// The revision of HEAD that it is a copy of.
    pub revision: u64,
    /// When it expires, in milliseconds of Unix time by the store's Date; `None`: when it is released.
    pub expires_unix_ms: Option<u64>,
}

impl PinInfo {
    fn of(pin: &Pin) -> Self {
        Self {
            name: pin.name.clone(),
            revision: pin.revision,
            expires_unix_ms: Some(pin.expires_unix_ms).filter(|unix_ms| *unix_ms != 0),
        }
    }
}

impl Manifest {
    /// Keeps the state of a snapshot under a name, for `keep` by the store's Date or until it is released: nothing that
    /// it needs is deleted meanwhile. Three requests: a look, a PUT of the copy, and a PUT of HEAD, which commits may
    /// share.
    ///
    /// If the caller gives up, the pin may be made all the same.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if the name is taken; [`Full`](ErrorKind::Full) if there are too many;
    /// [`SnapshotExpired`](ErrorKind::SnapshotExpired) if the state is so old that what it needs may be deleted
    /// already; [`Unavailable`](ErrorKind::Unavailable) also if it is not known whether the pin was made:
    /// [`pins`](Self::pins) tells.
    pub async fn pin(&self, name: &str, snapshot: &Snapshot, keep: Option<Duration>) -> Result<PinInfo> {
        check_pin_name(name)?;
        let pinned = &snapshot.state().head;
        let bytes = pin::encode(pinned).map_err(unbuilt)?;
        let deadline = self.commit_deadline();
        loop {
            let head = &self.refresh().await?.state.head;
            if pinned.manifest != head.manifest {
                let message = format!("the snapshot is of manifest {}", pinned.manifest);
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            let revision = match self.0.options.broken_by(Mutant::CollectedStatePinned) {
                true => pinned.revision.max(head.collected_through),
                false => pinned.revision,
            };
            if let Some(objection) = head.objection_to_pin(name, revision) {
                return Err(refused(name, objection));
            }
            let access = &self.0.io.access;
            let to = Destination::by(head, deadline, Purpose::Maintenance);
            let pin = Pin {
                name: name.to_owned(),
                revision,
                object: object::put(access, Folder::Pin, to, bytes.clone()).await?,
                expires_unix_ms: self.expiry(keep)?,
            };
            match self.0.queue.edit(Edit::AddPin(pin.clone()), deadline).await? {
                None => return Ok(PinInfo::of(&pin)),
                // The epoch was raised since: its copy may be deleted, so another one is written.
                Some(Objection::Behind) if access.clock.now() < deadline => {}
                Some(objection) => return Err(refused(name, objection)),
            }
        }
    }

    /// The pins, by a fresh look at HEAD. Expired ones are among them until a collection drops them.
    pub async fn pins(&self) -> Result<Vec<PinInfo>> {
        let state = self.refresh().await?.state;
        Ok(state.head.pins.iter().map(PinInfo::of).collect())
    }

    /// Lets go of a pin: what it alone needs is deleted by a later collection, and whoever still reads it is told
    /// [`SnapshotExpired`](ErrorKind::SnapshotExpired) then. A look, and a PUT of HEAD, which commits may share.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is none of this name.
    pub async fn release_pin(&self, name: &str) -> Result<()> {
        let state = self.refresh().await?.state;
        let pin = found(&state.head, name)?;
        let edit = Edit::RemovePin {
            name: name.to_owned(),
            object: pin.object.name,
        };
        match self.0.queue.edit(edit, self.commit_deadline()).await? {
            None => Ok(()),
            Some(objection) => Err(refused(name, objection)),
        }
    }

    /// The state that is kept under a name, whoever pinned it: a look, a GET of its copy, and one of each log object that it
    /// names. It can be read, but no transaction can begin on it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is none of this name; [`SnapshotExpired`](ErrorKind::SnapshotExpired)
    /// if it has expired, or was released while it was being read.
    pub async fn open_pin(&self, name: &str) -> Result<Snapshot> {
        let looked = self.refresh().await?;
        let pin = found(&looked.state.head, name)?;
        if self.date().is_some_and(|unix_ms| pin.has_expired(unix_ms)) {
            return Err(expired(name));
        }
        let deadline = self
            .0
            .io
            .access
            .clock
            .now()
            .saturating_add(self.0.options.read_timeout);
        let state = match self.pinned_state(&looked.state.head, pin, deadline).await {
            Ok(state) => Arc::new(state),
            Err(Unread::Failed(error)) => return Err(error),
            Err(Unread::Gone(object)) => return Err(self.gone(pin, object).await),
        };
        let certified = Certified {
            state,
            sent: looked.sent,
        };
        Ok(self.view(certified).kept_by(pin.clone()))
    }

    async fn pinned_state(&self, head: &Head, pin: &Pin, deadline: Moment) -> Result<State, Unread> {
        let io = &self.0.io;
        let pinned = pin::read(&io.access, head.manifest, pin, deadline, Purpose::Path).await?;
        let logged = io
            .log
            .load_all(head.manifest, unseen(&pinned, 0), deadline, Purpose::Path)
            .await?;
        // No request is ever made on the condition that HEAD has this ETag.
        let etag = ETag::new("");
        let bytes = usize::try_from(pin.object.bytes).unwrap_or(usize::MAX);
        Ok(State::build(pinned, etag, bytes, &logged)?)
    }

    /// What it means that an object is gone that a pinned state needs.
    async fn gone(&self, pin: &Pin, object: ObjectName) -> Error {
        match self.refresh().await {
            Err(error) => error,
            Ok(looked) if looked.state.head.pins.contains(pin) => Error::new(
                ErrorKind::Corrupt,
                format!(
                    "object {object} is gone from {}, and pin {:?} needs it: somebody deleted it",
                    self.0.io.access.store.describe(),
                    pin.name
                ),
            ),
            Ok(_) => expired(&pin.name),
        }
    }

    fn expiry(&self, keep: Option<Duration>) -> Result<u64> {
        let Some(keep) = keep else { return Ok(0) };
        let now = self.date().ok_or_else(|| {
            let message =
                "the store does not tell its Date, by which a pin would expire: pin it until it is released";
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        Ok(now.saturating_add(keep))
    }

    fn date(&self) -> Option<u64> {
        self.0.io.access.date()
    }

    fn commit_deadline(&self) -> Moment {
        self.0
            .io
            .access
            .clock
            .now()
            .saturating_add(self.0.options.commit_timeout)
    }
}

fn found<'a>(head: &'a Head, name: &str) -> Result<&'a Pin> {
    head.pin(name)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no pin {name:?}")))
}

fn expired(name: &str) -> Error {
    Error::new(
        ErrorKind::SnapshotExpired,
        format!("pin {name:?} has expired or was released: what it needs may be deleted"),
    )
}

fn unbuilt(error: FormatError) -> Error {
    Error::new(ErrorKind::Corrupt, format!("building a pin: {error}"))
}

fn refused(name: &str, objection: Objection) -> Error {
    let (kind, why) = match objection {
        Objection::NameTaken => (
            ErrorKind::AlreadyExists,
            "there is a pin of this name already".to_owned(),
        ),
        Objection::NoRoom => (
            ErrorKind::Full,
            format!("there are {PINS_MAX} pins already, or HEAD has no room for one more"),
        ),
        Objection::Collected => (
            ErrorKind::SnapshotExpired,
            "what the state needs may be deleted already: pin a newer one".to_owned(),
        ),
        Objection::Made | Objection::Overtaken | Objection::Behind => (
            ErrorKind::Unavailable,
            "others were faster until the deadline".to_owned(),
        ),
    };
    Error::new(kind, format!("pin {name:?}: {why}"))
}
