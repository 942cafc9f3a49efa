//! What can be known of a HEAD that is damaged: the objects that its sound sections name.

use bytes::Bytes;

use super::{Head, LogItem, LogReference, Run, message, sections::extents, wire};
use crate::{
    frame::{HEADER_BYTES, Header},
    id::Nonce,
    options::SharedSettings,
};

impl Head {
    /// A HEAD that names the log objects and the runs which sections say that are sound; nothing else of it means
    /// anything. None if there is no such section, or nobody knows whose HEAD it is.
    pub(crate) fn salvaged(framed: &Bytes) -> Option<Self> {
        let header = Header::read(framed).ok()?;
        let body = framed.slice(HEADER_BYTES..);
        let mut head = Self::first(header.manifest, Nonce::from_bits(0), SharedSettings::default());
        for extent in extents(&body)?.iter().filter(|extent| extent.sound) {
            let section = body.slice(extent.start..extent.start + extent.bytes);
            match extent.name() {
                "log" => {
                    let log: wire::Log = message(section, "log").ok()?;
                    let references = log.live.into_iter().map(LogReference::from_wire);
                    head.log = references
                        .map(|reference| reference.map(LogItem::Object))
                        .collect::<Result<_, _>>()
                        .ok()?;
                }
                "runs" => {
                    let runs: wire::Runs = message(section, "runs").ok()?;
                    head.runs = runs
                        .runs
                        .into_iter()
                        .map(Run::from_wire)
                        .collect::<Result<_, _>>()
                        .ok()?;
                }
                _ => {}
            }
        }
        let names_any = head.needed().next().is_some();
        names_any.then_some(head)
    }
}
