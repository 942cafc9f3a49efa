use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    frame::{self, FormatError, Kind},
    head::{ObjectReference, TableReference},
    id::{ManifestId, Nonce, ObjectName},
    version::{Entry, Version},
};

const MANIFEST: ManifestId = ManifestId::from_bits(3);

type Content = BTreeMap<Vec<u8>, (u64, Option<Vec<u8>>)>;

fn built(content: &Content, block_bytes: u64) -> (Built, TableReference) {
    let mut writer = TableWriter::new(MANIFEST, block_bytes);
    for (key, (txn, value)) in content {
        let value = value.clone().map(Bytes::from);
        writer.add(key, &Version { txn: *txn, value }).unwrap();
    }
    let built = writer.finish().unwrap();
    let name = ObjectName {
        epoch: 1,
        nonce: Nonce::from_bits(1),
    };
    let reference = TableReference {
        lower_bound: Bytes::new(),
        upper_bound: built.upper_bound.clone(),
        object: ObjectReference {
            name,
            bytes: built.bytes.len() as u64,
            crc32c: built.footer_crc32c,
        },
        footer_offset: built.footer_offset,
    };
    (built, reference)
}

/// As range requests would give it: cut where the object ends.
fn part(object: &Bytes, range: &std::ops::Range<u64>) -> Bytes {
    let end = place(range.end).min(object.len());
    object.slice(place(range.start).min(end)..end)
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

/// Everything in the object, read as a reader reads it: the footer, then block by block.
fn read(object: &Bytes, reference: &TableReference) -> Result<Vec<Entry>, FormatError> {
    let footer = Footer::decode(MANIFEST, reference, part(object, &Footer::range(reference)?))?;
    let mut entries = Vec::new();
    for index in 0..footer.blocks() {
        let handle = footer.block(index).unwrap();
        let block = Block::decode(handle, part(object, &handle.range))?;
        entries.extend((0..block.len()).map(|index| block.entry(index).unwrap()));
    }
    Ok(entries)
}

fn expected(content: &Content) -> Vec<Entry> {
    let entry = |(key, (txn, value)): (&Vec<u8>, &(u64, Option<Vec<u8>>))| Entry {
        key: key.clone().into(),
        version: Version {
            txn: *txn,
            value: value.clone().map(Bytes::from),
        },
    };
    content.iter().map(entry).collect()
}

fn contents() -> impl Strategy<Value = Content> {
    let key = prop::collection::vec(prop_oneof![Just(0_u8), Just(255), Just(b'a'), any::<u8>()], 1..40);
    let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..200));
    prop::collection::btree_map(key, (any::<u64>(), value), 1..120)
}

fn some_content() -> Content {
    (0..200_u32)
        .map(|number| {
            let value = (number % 7 != 0).then(|| format!("value {}", number * number).into_bytes());
            (
                format!("a common beginning/{number:05}").into_bytes(),
                (u64::from(number) * 1_000, value),
            )
        })
        .collect()
}

proptest! {
    #[test]
    fn what_was_written_is_read(content in contents(), block_bytes in 1_u64..2_000) {
        let (built, reference) = built(&content, block_bytes);
        prop_assert_eq!(read(&built.bytes, &reference).unwrap(), expected(&content));
        prop_assert!(content.keys().all(|key| key.as_slice() <= built.upper_bound.as_ref()));
        // The header is that of any object.
        prop_assert!(frame::open(Kind::Table, built.bytes).is_ok());
    }

    #[test]
    fn every_key_is_found_where_the_footer_says(content in contents(), other in prop::collection::vec(any::<u8>(), 1..40)) {
        let (built, reference) = built(&content, 300);
        let footer = Footer::decode(MANIFEST, &reference, part(&built.bytes, &Footer::range(&reference).unwrap())).unwrap();
        let find = |key: &[u8]| {
            let handle = footer.block(footer.block_of(key)).unwrap();
            Block::decode(handle, part(&built.bytes, &handle.range)).unwrap().find(key)
        };
        for (key, (txn, value)) in &content {
            prop_assert!(footer.may_hold(key));
            let value = value.clone().map(Bytes::from);
            prop_assert_eq!(find(key), Some(Version { txn: *txn, value }));
        }
        if !content.contains_key(&other) {
            prop_assert_eq!(find(&other), None);
        }
    }

    #[test]
    fn separators_separate(before in prop::collection::vec(any::<u8>(), 1..8), after in prop::collection::vec(any::<u8>(), 1..8)) {
        prop_assume!(before < after);
        let separator = separator(&before, &after);
        prop_assert!(before.as_slice() < separator && separator <= after.as_slice());
        prop_assert!(upper_bound(&after) >= after);
    }

    /// Bytes that nobody checked: whatever they are, there is an error and no panic.
    #[test]
    fn any_bytes_as_footer_or_block_are_an_error(bytes in prop::collection::vec(any::<u8>(), 1..300), raw_bytes in any::<usize>()) {
        let bytes = Bytes::from(bytes);
        let mut reference = built(&some_content(), 1_000).1;
        reference.object.bytes = reference.footer_offset + bytes.len() as u64;
        reference.object.crc32c = crc32c::crc32c(&bytes);
        prop_assert!(Footer::decode(MANIFEST, &reference, bytes.clone()).is_err());
        let handle = BlockHandle {
            separator: Bytes::new(),
            range: 40..40 + bytes.len() as u64,
            raw_bytes: raw_bytes % block::RAW_BYTES_MAX,
            crc32c: crc32c::crc32c(&bytes),
        };
        // A block that happens to be whole is one of a few short entries.
        if let Ok(block) = Block::decode(&handle, bytes) {
            prop_assert!((0..block.len()).all(|index| block.entry(index).is_some()));
        }
    }
}

#[test]
fn every_flipped_bit_and_every_truncation_is_found_by_who_reads_it() {
    let (built, reference) = built(&some_content(), 1_000);
    let whole = expected(&some_content());
    for bit in frame::HEADER_BYTES * 8..built.bytes.len() * 8 {
        let mut bytes = built.bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&bytes.into(), &reference).is_err(), "bit {bit}");
    }
    for length in 0..built.bytes.len() {
        assert!(
            read(&built.bytes.slice(..length), &reference).is_err(),
            "cut to {length}"
        );
    }
    assert_eq!(read(&built.bytes, &reference).unwrap(), whole);
}

/// Both are whole, and as long as each other; only HEAD tells which of them belongs there.
#[test]
fn another_table_in_its_place_is_found_though_it_is_whole() {
    let mut other = some_content();
    for (txn, _) in other.values_mut() {
        *txn ^= 1;
    }
    let (own, reference) = built(&some_content(), 1_000);
    let (others, others_reference) = built(&other, 1_000);
    assert!(read(&others.bytes, &others_reference).is_ok());
    assert!(read(&others.bytes, &reference).is_err());
    // Its blocks under one's own footer, as after a replaced object that was half read already.
    let mut mixed = others.bytes.to_vec();
    mixed.truncate(place(others_reference.footer_offset));
    mixed.resize(place(reference.footer_offset), 0);
    mixed.extend_from_slice(&own.bytes[place(reference.footer_offset)..]);
    let error = read(&mixed.into(), &reference).unwrap_err().to_string();
    assert!(error.contains("a block"), "{error}");
}

#[test]
fn lengths_that_lie_are_refused_before_they_are_believed() {
    let (built, reference) = built(&some_content(), 1_000);
    for (footer_offset, bytes) in [(0, 500), (500, 500), (501, 500), (41, 1 << 40), (u64::MAX, 500)] {
        let mut lying = reference.clone();
        lying.footer_offset = footer_offset;
        lying.object.bytes = bytes;
        assert!(Footer::range(&lying).is_err(), "{footer_offset} of {bytes}");
    }
    let footer = Footer::decode(
        MANIFEST,
        &reference,
        part(&built.bytes, &Footer::range(&reference).unwrap()),
    )
    .unwrap();
    for raw_bytes in [0, block::RAW_BYTES_MAX + 1, usize::MAX] {
        let mut lying = footer.clone();
        lying.blocks[0].raw_bytes = raw_bytes;
        let bytes = lying.encode(MANIFEST);
        let mut named = reference.clone();
        named.object.bytes = reference.footer_offset + bytes.len() as u64;
        named.object.crc32c = crc32c::crc32c(&bytes);
        let error = Footer::decode(MANIFEST, &named, bytes).unwrap_err().to_string();
        assert!(error.contains("at most"), "{error}");
    }
    // A block of a kilobyte that unpacks to more than its footer says.
    let packed = zstd::bulk::compress(&vec![7; 4 << 20], 3).unwrap();
    let stored = [&[1], packed.as_slice()].concat();
    let handle = BlockHandle {
        separator: Bytes::new(),
        range: 40..40 + stored.len() as u64,
        raw_bytes: 1_000,
        crc32c: crc32c::crc32c(&stored),
    };
    assert!(stored.len() < 1_000 && Block::decode(&handle, stored.into()).is_err());
}
