//! Properties of the decoders of whole objects.

use bytes::Bytes;

use super::{Gauge, MANIFEST, Verdict, allowance, ensure, measured, opened, refused, reseal, succeeds};
use crate::{
    frame::{self, HEADER_BYTES, Header, Kind},
    head::{Head, LogReference, ObjectReference, Pin, extents, records},
    id::{ManifestId, Nonce, ObjectName},
    log::{self, LogObject},
    maintenance::{list, pin},
};

/// A name that no input can guess.
const NAME: ObjectName = ObjectName {
    epoch: 1,
    nonce: Nonce::from_bits(0x6fe1_3a5c_90d2_47b8_1c0e_55aa_7d39_f412),
};

const KINDS: [Kind; 5] = [Kind::Head, Kind::Log, Kind::Table, Kind::Pin, Kind::List];

pub(super) fn frame(data: &[u8], gauge: &Gauge) -> Verdict {
    frame_of(&Bytes::copy_from_slice(data), gauge)?;
    let kind = data.get(4).copied().unwrap_or_default();
    let kind = KINDS.into_iter().find(|known| *known as u8 == kind);
    let sealed = reseal::object(kind.unwrap_or(Kind::Head), data, Bytes::copy_from_slice);
    frame_of(&sealed, gauge)?;
    let header = succeeds("reading a header that was sealed", Header::read(&sealed))?;
    ensure!(
        header.kind() == Some(kind.unwrap_or(Kind::Head)),
        "a header of another kind: {header:?}"
    );
    Ok(())
}

fn frame_of(framed: &Bytes, gauge: &Gauge) -> Verdict {
    let header = measured(gauge, "a header", allowance(0), || Header::read(framed))?;
    if let Err(error) = &header {
        refused(error)?;
    }
    ensure!(
        header.is_err() || !frame::has_wrong_header(framed),
        "a header that was read is wrong"
    );
    let mut opened = 0;
    for kind in KINDS {
        // Slices of the object, so that nothing grows with it.
        match measured(gauge, "a frame", allowance(0), || {
            frame::open(kind, framed.clone())
        })? {
            Err(error) => refused(&error)?,
            Ok((manifest, body)) => {
                opened += 1;
                ensure!(
                    header.as_ref().is_ok_and(|header| header.manifest == manifest
                        && header.length == body.len() as u64
                        && header.kind() == Some(kind)),
                    "the header says {header:?} of a {kind:?} of {manifest}"
                );
                ensure!(Some(body.as_ref()) == framed.get(HEADER_BYTES..), "another body");
                let again = frame::open(kind, frame::seal(kind, manifest, &body));
                ensure!(again == Ok((manifest, body)), "sealed again it is {again:?}");
            }
        }
    }
    ensure!(opened <= 1, "it is of {opened} kinds");
    Ok(())
}

pub(super) fn head(data: &[u8], gauge: &Gauge) -> Verdict {
    let framed = Bytes::copy_from_slice(data);
    head_of(&framed, gauge)?;
    let sealed = reseal::head(data);
    match sealed == framed {
        true => Ok(()),
        false => head_of(&sealed, gauge),
    }
}

fn head_of(framed: &Bytes, gauge: &Gauge) -> Verdict {
    let allowed = allowance(framed.len());
    // What a damaged one still tells.
    let salvaged = measured(gauge, "what is left of a HEAD", allowed, || {
        Head::salvaged(framed)
    })?;
    let body = framed.get(HEADER_BYTES..).unwrap_or_default();
    let sections = measured(gauge, "a directory", allowed, || extents(body))?;
    for section in sections.iter().flatten().filter(|section| section.sound) {
        let end = section.start.checked_add(section.bytes);
        ensure!(
            end.is_some_and(|end| end <= body.len()),
            "a sound section lies outside: {section:?}"
        );
    }
    match measured(gauge, "a HEAD", allowed, || Head::decode(framed.clone()))? {
        Err(error) => refused(&error),
        Ok(head) => {
            ensure!(
                salvaged.is_some() == head.needed().next().is_some(),
                "{salvaged:?} is left of a sound HEAD"
            );
            round_trip(&head)?;
            covers(&head)?;
            opened::head(framed, &head)
        }
    }
}

fn round_trip(head: &Head) -> Verdict {
    succeeds("checking a HEAD that was decoded", head.check())?;
    let encoded = succeeds("encoding a HEAD that was decoded", head.encode())?;
    let again = succeeds("decoding it again", Head::decode(encoded.clone()))?;
    ensure!(again == *head, "it comes back as {again:?}, it was {head:?}");
    ensure!(again.encode() == Ok(encoded), "encoded again it has other bytes");
    Ok(())
}

/// The first invariant, told in another way than the engine's: as many commits as the last one's number.
fn covers(head: &Head) -> Verdict {
    let runs = head.runs.iter();
    let in_runs: u128 = runs
        .map(|run| u128::from(run.last_txn) + 1 - u128::from(run.first_txn))
        .sum();
    let in_log: u128 = head.log.iter().map(|item| u128::from(item.count())).sum();
    ensure!(
        in_runs + in_log == u128::from(head.last_txn),
        "{in_runs} commits in runs and {in_log} in the log are not {}",
        head.last_txn
    );
    Ok(())
}

pub(super) fn log_object(data: &[u8], gauge: &Gauge) -> Verdict {
    let framed = Bytes::copy_from_slice(data);
    log_object_of(&framed, gauge)?;
    let sealed = reseal::log_object(data);
    match sealed == framed {
        true => Ok(()),
        false => log_object_of(&sealed, gauge),
    }
}

fn log_object_of(framed: &Bytes, gauge: &Gauge) -> Verdict {
    let manifest = Header::read(framed).map_or(MANIFEST, |header| header.manifest);
    let count = commits(framed);
    let mut reference = LogReference {
        first_txn: 1,
        count,
        object: named(framed),
        id: None,
    };
    let decode = |reference: &LogReference| log::decode(manifest, reference, framed.clone());
    let decoded = measured(gauge, "a log object", allowance(framed.len()), || {
        decode(&reference)
    })?;
    let object = match decoded {
        Err(error) => return refused(&error),
        Ok(object) => object,
    };
    if let [only] = object.commits.as_slice() {
        reference.id = Some(only.id);
    }
    succeeds("decoding it by its id", decode(&reference))?;
    let writes = object
        .commits
        .iter()
        .map(|commit| (commit.id, commit.writes.as_slice()));
    let encoded = succeeds("encoding a log object", log::encode(manifest, writes))?;
    let again = LogReference {
        object: named(&encoded),
        ..reference
    };
    let again = succeeds("decoding it again", log::decode(manifest, &again, encoded))?;
    ensure!(again == object, "it comes back as {again:?}, it was {object:?}");
    misnamed(manifest, &reference, framed, &object)?;
    opened::log_object(manifest, framed, &reference, &object.commits)
}

/// How many records a log object has, however far they are sound.
fn commits(framed: &Bytes) -> u32 {
    let mut body = framed.slice(HEADER_BYTES.min(framed.len())..);
    let mut count = 0;
    while let Ok(Some(_)) = records::take(&mut body) {
        count += 1;
    }
    count
}

fn named(framed: &Bytes) -> ObjectReference {
    ObjectReference {
        name: NAME,
        bytes: framed.len() as u64,
        crc32c: crc32c::crc32c(framed),
    }
}

/// By a reference to another object it is not taken.
fn misnamed(manifest: ManifestId, reference: &LogReference, framed: &Bytes, object: &LogObject) -> Verdict {
    let other_id = object
        .commits
        .first()
        .map(|first| crate::id::TransactionId::from_bits(!first.id.bits()));
    let others = [
        LogReference {
            count: reference.count + 1,
            ..*reference
        },
        LogReference {
            object: ObjectReference {
                crc32c: !reference.object.crc32c,
                ..reference.object
            },
            ..*reference
        },
        LogReference {
            object: ObjectReference {
                bytes: reference.object.bytes + 1,
                ..reference.object
            },
            ..*reference
        },
        LogReference {
            id: other_id,
            ..*reference
        },
    ];
    for other in others.iter().filter(|other| *other != reference) {
        match log::decode(manifest, other, framed.clone()) {
            Err(error) => refused(&error)?,
            Ok(_) => return Err(format!("it was taken for {other:?}")),
        }
    }
    Ok(())
}

pub(super) fn pin(data: &[u8], gauge: &Gauge) -> Verdict {
    let framed = Bytes::copy_from_slice(data);
    pin_of(&framed, gauge)?;
    let sealed = reseal::pin(data);
    match sealed == framed {
        true => Ok(()),
        false => pin_of(&sealed, gauge),
    }
}

fn pin_of(framed: &Bytes, gauge: &Gauge) -> Verdict {
    let manifest = Header::read(framed).map_or(MANIFEST, |header| header.manifest);
    let kept = |revision| Pin {
        name: "pin".to_owned(),
        revision,
        object: named(framed),
        expires_unix_ms: 0,
    };
    let decode = |manifest, revision| pin::decode(manifest, &kept(revision), framed.clone());
    let decoded = measured(gauge, "a pin", allowance(framed.len()), || {
        decode(manifest, u64::MAX)
    })?;
    let head = match decoded {
        Err(error) => return refused(&error),
        Ok(head) => head,
    };
    let encoded = succeeds("encoding a pin", pin::encode(&head))?;
    let again = pin::decode(manifest, &kept(head.revision), encoded);
    ensure!(
        again.as_ref() == Ok(&head),
        "it comes back as {again:?}, it was {head:?}"
    );
    let other = ManifestId::from_bits(!manifest.bits());
    for refusal in [decode(manifest, head.revision - 1), decode(other, head.revision)] {
        match refusal {
            Err(error) => refused(&error)?,
            Ok(_) => return Err("another state's or manifest's pin was taken".to_owned()),
        }
    }
    opened::pin(framed, &head, kept(head.revision))
}

pub(super) fn list(data: &[u8], gauge: &Gauge) -> Verdict {
    list_of(&Bytes::copy_from_slice(data), gauge)?;
    list_of(&reseal::list(data), gauge)
}

fn list_of(framed: &Bytes, gauge: &Gauge) -> Verdict {
    let manifest = Header::read(framed).map_or(MANIFEST, |header| header.manifest);
    let decode = || list::decode(manifest, framed.clone());
    match measured(gauge, "a list", allowance(framed.len()), decode)? {
        Err(error) => refused(&error),
        Ok(objects) => {
            let again = list::decode(manifest, list::encode(manifest, &objects));
            ensure!(
                again.as_ref() == Ok(&objects),
                "it comes back as {again:?}, it was {objects:?}"
            );
            let other = ManifestId::from_bits(!manifest.bits());
            match list::decode(other, framed.clone()) {
                Err(error) => refused(&error),
                Ok(_) => Err("another manifest's list was taken".to_owned()),
            }
        }
    }
}
