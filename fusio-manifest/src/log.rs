//! Log objects: commits that lie outside HEAD. They carry no numbers, which follow from HEAD's reference.

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use crate::{
    frame::{self, FormatError, Kind},
    head::{LogReference, Write, records, wire},
    id::{ManifestId, TransactionId},
};

/// One commit of a log object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoggedCommit {
    pub(crate) id: TransactionId,
    pub(crate) writes: Vec<Write>,
}

/// The commits of a log object, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogObject {
    pub(crate) commits: Vec<LoggedCommit>,
}

/// The bytes of a log object that holds `commits`, oldest first.
pub(crate) fn encode<'a>(
    manifest: ManifestId,
    commits: impl Iterator<Item = (TransactionId, &'a [Write])>,
) -> Result<Bytes, FormatError> {
    let mut body = BytesMut::new();
    for (id, writes) in commits {
        let message = wire::LoggedCommit {
            id: Bytes::copy_from_slice(&id.to_bytes()),
            writes: writes.iter().map(Write::to_wire).collect(),
        };
        records::put(&mut body, &message.encode_to_vec())?;
    }
    Ok(frame::seal(Kind::Log, manifest, &body))
}

/// Reads the object that `reference` names, and checks that it is the one.
pub(crate) fn decode(
    manifest: ManifestId,
    reference: &LogReference,
    framed: Bytes,
) -> Result<LogObject, FormatError> {
    let object = &reference.object;
    if framed.len() as u64 != object.bytes {
        return Err(FormatError::damaged(format!(
            "{} bytes where HEAD names {}",
            framed.len(),
            object.bytes
        )));
    }
    if crc32c::crc32c(&framed) != object.crc32c {
        return Err(FormatError::damaged("it does not match the checksum in HEAD"));
    }
    let (owner, mut body) = frame::open(Kind::Log, framed)?;
    if owner != manifest {
        return Err(FormatError::damaged(format!(
            "it belongs to manifest {owner}, this is {manifest}"
        )));
    }
    let mut commits = Vec::new();
    while let Some(record) = records::take(&mut body)? {
        commits.push(logged_commit(record)?);
    }
    if commits.len() as u64 != u64::from(reference.count) {
        return Err(FormatError::damaged(format!(
            "{} commits where HEAD names {}",
            commits.len(),
            reference.count
        )));
    }
    match (reference.id, commits.first()) {
        (Some(named), Some(first)) if named != first.id => Err(FormatError::damaged(format!(
            "transaction {} where HEAD names {named}",
            first.id
        ))),
        _ => Ok(LogObject { commits }),
    }
}

fn logged_commit(record: Bytes) -> Result<LoggedCommit, FormatError> {
    let message = wire::LoggedCommit::decode(record)
        .map_err(|error| FormatError::damaged(format!("a commit: {error}")))?;
    let id = TransactionId::from_slice(&message.id)
        .ok_or_else(|| FormatError::damaged("a transaction id that is not 16 bytes"))?;
    let writes = message
        .writes
        .into_iter()
        .map(Write::from_wire)
        .collect::<Result<_, FormatError>>()?;
    Ok(LoggedCommit { id, writes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        head::ObjectReference,
        id::{Nonce, ObjectName},
    };

    const MANIFEST: ManifestId = ManifestId::from_bits(3);

    fn commits(count: u128) -> Vec<LoggedCommit> {
        (0..count)
            .map(|number| LoggedCommit {
                id: TransactionId::from_bits(number),
                writes: vec![
                    Write {
                        key: format!("key {number}").into(),
                        value: Some("value".into()),
                    },
                    Write {
                        key: "gone".into(),
                        value: None,
                    },
                ],
            })
            .collect()
    }

    fn encoded(commits: &[LoggedCommit]) -> Bytes {
        encode(
            MANIFEST,
            commits.iter().map(|commit| (commit.id, commit.writes.as_slice())),
        )
        .unwrap()
    }

    fn reference(bytes: &[u8], count: u32, id: Option<TransactionId>) -> LogReference {
        LogReference {
            first_txn: 7,
            count,
            object: ObjectReference {
                name: ObjectName {
                    epoch: 1,
                    nonce: Nonce::from_bits(1),
                },
                bytes: bytes.len() as u64,
                crc32c: crc32c::crc32c(bytes),
            },
            id,
        }
    }

    #[test]
    fn commits_come_back_in_their_order() {
        let commits = commits(3);
        let bytes = encoded(&commits);
        let object = decode(MANIFEST, &reference(&bytes, 3, None), bytes).unwrap();
        assert_eq!(object.commits, commits);
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_found() {
        let whole = encoded(&commits(2));
        let named = reference(&whole, 2, None);
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(MANIFEST, &named, bytes.into()).is_err(), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(
                decode(MANIFEST, &named, whole.slice(..length)).is_err(),
                "cut to {length}"
            );
        }
    }

    #[test]
    fn another_object_in_its_place_is_found_though_it_is_whole() {
        let one = encoded(&commits(1));
        let id = TransactionId::from_bits(0);
        assert!(decode(MANIFEST, &reference(&one, 1, Some(id)), one.clone()).is_ok());
        let message = |manifest, reference: LogReference| {
            decode(manifest, &reference, one.clone()).unwrap_err().to_string()
        };
        assert!(
            message(ManifestId::from_bits(4), reference(&one, 1, Some(id))).contains("belongs to manifest")
        );
        assert!(message(MANIFEST, reference(&one, 2, None)).contains("1 commits where HEAD names 2"));
        let other = Some(TransactionId::from_bits(9));
        assert!(message(MANIFEST, reference(&one, 1, other)).contains("where HEAD names"));
        assert!(message(MANIFEST, reference(b"other bytes", 1, Some(id))).contains("bytes where HEAD names"));
    }
}
