//! What a copy consists of: the objects that one HEAD and its pins need.

use std::collections::BTreeMap;

use super::{
    CopyOptions,
    part::{Fetch, Named, Part},
};
use crate::{
    access::Purpose,
    error::{Error, ErrorKind, Result},
    head::{Head, Pin},
    id::{Folder, ObjectName},
    immutable::Unread,
    maintenance::pin,
    new_head,
};

/// How often HEAD may move on while the pins that it names are read.
const LOOKS_MAX: u32 = 16;

/// The state that is copied, and every object that it needs, once each.
#[derive(Debug)]
pub(super) struct Plan {
    /// With the pins that the copy is to have.
    pub(super) head: Head,
    pub(super) parts: Vec<Part>,
}

/// Reads HEAD and the pins of the source.
pub(super) async fn plan(fetch: &Fetch, what: &CopyOptions) -> Result<Plan> {
    let source = &fetch.source;
    let mut gone: Option<(Pin, ObjectName)> = None;
    for _ in 0..LOOKS_MAX {
        let Some(mut head) = new_head::found(source, fetch.deadline(source)).await? else {
            let (key, place) = (source.keys.head(), source.store.describe());
            let message = format!("no manifest at \"{key}\" in {place}: check bucket and prefix");
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        writable(source.keys.head(), &head)?;
        if let Some((pin, name)) = gone.take_if(|(pin, _)| head.pins.contains(pin)) {
            let message = format!(
                "pin \"{}\": object {name} is not there: verify the source",
                pin.name
            );
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        let date = source.date();
        head.pins
            .retain(|pin| !date.is_some_and(|unix_ms| pin.has_expired(unix_ms)));
        let planned = match &what.pin {
            Some(name) => {
                let message = || format!("there is no pin \"{name}\", or it has expired");
                let pin = head.pin(name).cloned();
                let pin = pin.ok_or_else(|| Error::new(ErrorKind::NotFound, message()))?;
                pinned(fetch, &head, &pin).await
            }
            None => with_pins(fetch, head).await,
        };
        match planned {
            Ok(planned) => return Ok(planned),
            Err((_, Unread::Failed(error))) => return Err(error),
            // It may have been released meanwhile: a newer HEAD tells.
            Err((pin, Unread::Gone(name))) => gone = Some((pin, name)),
        }
    }
    let message = "HEAD of the source moved on too often while its pins were read: try again";
    Err(Error::new(ErrorKind::Unavailable, message))
}

/// What this program does not know it would leave out of the HEAD that it writes.
fn writable(key: &str, head: &Head) -> Result<()> {
    match head.unknown_writer_features() {
        0 => Ok(()),
        bits => {
            let message =
                format!("object {key} has features that this program does not know (bits {bits:#x})");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

/// The state of one pin, without any.
async fn pinned(fetch: &Fetch, head: &Head, pin: &Pin) -> Result<Plan, (Pin, Unread)> {
    let mut copy = read(fetch, head, pin).await?;
    copy.pins.clear();
    let mut parts = Parts::default();
    parts.add_state(&copy);
    Ok(parts.of(copy))
}

/// The newest state, and those of its pins.
async fn with_pins(fetch: &Fetch, head: Head) -> Result<Plan, (Pin, Unread)> {
    let mut parts = Parts::default();
    parts.add_state(&head);
    for pin in &head.pins {
        parts.add_state(&read(fetch, &head, pin).await?);
        parts.add(Named::Whole(Folder::Pin, pin.object));
    }
    Ok(parts.of(head))
}

async fn read(fetch: &Fetch, head: &Head, pin: &Pin) -> Result<Head, (Pin, Unread)> {
    let source = &fetch.source;
    let deadline = fetch.deadline(source);
    pin::read(source, head.manifest, pin, deadline, Purpose::Maintenance)
        .await
        .map_err(|error| (pin.clone(), error))
}

/// Objects, each once.
#[derive(Default)]
struct Parts(BTreeMap<(Folder, ObjectName), Named>);

impl Parts {
    fn add_state(&mut self, head: &Head) {
        for reference in head.log_objects() {
            self.add(Named::Whole(Folder::Log, reference.object));
        }
        for table in head.runs.iter().flat_map(|run| &run.tables) {
            self.add(Named::Table(table.clone()));
        }
    }

    fn add(&mut self, named: Named) {
        self.0.insert(named.place(), named);
    }

    fn of(self, head: Head) -> Plan {
        let manifest = head.manifest;
        let parts = self.0.into_values();
        Plan {
            parts: parts.map(|named| Part { manifest, named }).collect(),
            head,
        }
    }
}
