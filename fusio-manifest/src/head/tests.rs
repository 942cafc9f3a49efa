use proptest::prelude::*;

use super::*;
use crate::{
    head::references::{ObjectReference, TableReference},
    id::{ObjectName, TransactionId},
};

/// What is broken, and how.
type Breakage = (&'static str, fn(&mut Head));

const MANIFEST: ManifestId = ManifestId::from_bits(1);

fn commit(txn: u64) -> Arc<InlineCommit> {
    let writes = vec![
        Write {
            key: format!("key {txn}").into(),
            value: Some("value".into()),
        },
        Write {
            key: "gone".into(),
            value: None,
        },
    ];
    Arc::new(InlineCommit::new(
        txn,
        TransactionId::from_bits(u128::from(txn)),
        writes,
    ))
}

fn object(nonce: u128) -> ObjectReference {
    let name = ObjectName {
        epoch: 1,
        nonce: Nonce::from_bits(nonce),
    };
    ObjectReference {
        name,
        bytes: 10,
        crc32c: 20,
    }
}

fn grown(commits: u64) -> Head {
    let mut head = Head::first(MANIFEST, Nonce::from_bits(1), SharedSettings::default());
    for txn in 1..=commits {
        head = head
            .with_commits(Nonce::from_bits(u128::from(txn) + 1), &[commit(txn)])
            .unwrap();
    }
    head
}

/// A HEAD with one of everything: run 1..=5, log object 6..=7, inline 8, log object 9, inline 10.
fn full() -> Head {
    let mut head = grown(10);
    let table = TableReference {
        lower_bound: "a".into(),
        upper_bound: "z".into(),
        object: object(100),
        footer_offset: 5,
    };
    head.runs = vec![Run {
        first_txn: 1,
        last_txn: 5,
        tables: vec![table],
    }];
    let two = LogReference {
        first_txn: 6,
        count: 2,
        object: object(101),
        id: None,
    };
    let one = LogReference {
        first_txn: 9,
        count: 1,
        object: object(102),
        id: Some(TransactionId::from_bits(9)),
    };
    let inline = [head.log[7].clone(), head.log[9].clone()];
    head.log = vec![
        LogItem::Object(two),
        inline[0].clone(),
        LogItem::Object(one),
        inline[1].clone(),
    ];
    head.folded = vec![LogReference {
        first_txn: 1,
        count: 5,
        object: object(103),
        id: None,
    }];
    head.pins = vec![Pin {
        name: "nightly".into(),
        revision: 3,
        object: object(104),
        expires_unix_ms: 7,
    }];
    head.collection = Some(Collection {
        marked_revision: 2,
        list: object(105),
        listed_unix_ms: 8,
        condemned: true,
    });
    head.collected_through = 2;
    head
}

/// `info` and `inspect` add them up.
#[test]
fn objects_whose_bytes_do_not_add_up_to_a_number_are_refused() {
    let mut head = full();
    head.runs[0].tables[0].object.bytes = u64::MAX;
    let message = head.check().unwrap_err().to_string();
    assert!(message.contains("more bytes"), "{message}");
    // Two log objects of ten bytes each are named besides.
    head.runs[0].tables[0].object.bytes = u64::MAX - 20;
    head.check().unwrap();
}

#[test]
fn a_head_with_everything_in_it_comes_back() {
    let head = full();
    head.check().unwrap();
    assert_eq!(Head::decode(head.encode().unwrap()).unwrap(), head);
}

#[test]
fn the_ring_keeps_the_newest_sixteen_nonces() {
    let head = grown(40);
    assert_eq!(head.nonces.len(), NONCES_KEPT);
    assert_eq!(head.nonce_of(41), Some(Nonce::from_bits(41)));
    assert_eq!(head.nonce_of(26), Some(Nonce::from_bits(26)));
    assert_eq!(head.nonce_of(25), None);
}

#[test]
fn each_head_has_bytes_of_its_own() {
    let settings = SharedSettings::default();
    let one = Head::first(MANIFEST, Nonce::from_bits(1), settings)
        .encode()
        .unwrap();
    let two = Head::first(MANIFEST, Nonce::from_bits(2), settings)
        .encode()
        .unwrap();
    assert_ne!(one, two);
}

#[test]
fn the_newest_commit_stands_first_among_the_inline_ones() {
    let bytes = grown(9).encode().unwrap();
    let place = |needle: &str| {
        bytes
            .windows(needle.len())
            .position(|window| window == needle.as_bytes())
    };
    assert!(place("key 9").unwrap() < place("key 1").unwrap());
}

#[test]
fn gaps_overlaps_and_ends_that_do_not_meet_are_refused() {
    let breakages: [Breakage; 9] = [
        ("a commit missing in the log", |head| drop(head.log.remove(1))),
        ("the newest commit missing", |head| drop(head.log.pop())),
        ("a run that ends early", |head| head.runs[0].last_txn = 4),
        ("a run that overlaps the log", |head| head.runs[0].last_txn = 6),
        ("last_txn too high", |head| head.last_txn += 1),
        ("last_txn too low", |head| head.last_txn -= 1),
        ("an empty log object", |head| {
            let LogItem::Object(reference) = &mut head.log[0] else {
                panic!()
            };
            reference.count = 0;
        }),
        ("no runs though the log begins later", |head| head.runs.clear()),
        ("two runs that overlap", |head| {
            head.runs.push(head.runs[0].clone())
        }),
    ];
    for (name, break_it) in breakages {
        let mut head = full();
        break_it(&mut head);
        assert!(head.check().is_err(), "{name}");
        assert!(Head::decode(head.encode().unwrap()).is_err(), "{name}, decoded");
    }
}

#[test]
fn nonces_names_and_pins_are_checked() {
    let breakages: [Breakage; 8] = [
        ("a nonce missing", |head| {
            head.nonces.remove(0);
        }),
        ("nonces out of order", |head| head.nonces.swap(0, 1)),
        ("the newest nonce of another revision", |head| head.revision += 1),
        ("an object of a later epoch", |head| {
            head.runs[0].tables[0].object.name.epoch = 2
        }),
        ("an object named twice", |head| {
            let LogItem::Object(reference) = &mut head.log[0] else {
                panic!()
            };
            reference.object = object(100);
        }),
        ("an id where there are two commits", |head| {
            head.folded[0].id = Some(TransactionId::from_bits(1))
        }),
        ("a pin twice", |head| head.pins.push(head.pins[0].clone())),
        ("a pin without a name", |head| head.pins[0].name.clear()),
    ];
    for (name, break_it) in breakages {
        let mut head = full();
        break_it(&mut head);
        assert!(head.check().is_err(), "{name}");
    }
}

#[test]
fn unknown_reader_features_are_refused_and_unknown_writer_features_are_told() {
    let mut head = grown(1);
    head.reader_features = 0b100;
    let error = Head::decode(head.encode().unwrap()).unwrap_err();
    assert_eq!(error, FormatError::UnknownFeatures { bits: 0b100 });

    let mut head = grown(1);
    head.writer_features = 0b10;
    assert_eq!(
        Head::decode(head.encode().unwrap())
            .unwrap()
            .unknown_writer_features(),
        0b10
    );
}

#[test]
fn every_flipped_bit_of_a_head_is_found() {
    let bytes = full().encode().unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Head::decode(damaged.into()).is_err(), "bit {bit}");
    }
}

proptest! {
    /// Bytes whose checksums hold but whose contents are arbitrary must not panic either.
    #[test]
    fn arbitrary_bodies_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Head::decode(frame::seal(Kind::Head, MANIFEST, &body));
    }

    #[test]
    fn arbitrary_sections_never_panic(
        meta in proptest::collection::vec(any::<u8>(), 0..60),
        inline in proptest::collection::vec(any::<u8>(), 0..60),
        log in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let section = |bytes: &Vec<u8>| BytesMut::from(bytes.as_slice());
        let body = sections::join(&[
            (Section::Meta, section(&meta)),
            (Section::Inline, section(&inline)),
            (Section::Log, section(&log)),
            (Section::Runs, BytesMut::new()),
            (Section::Upkeep, BytesMut::new()),
        ]).unwrap();
        let _ = Head::decode(frame::seal(Kind::Head, MANIFEST, &body));
    }

    #[test]
    fn heads_survive_their_bytes(commits in 0_u64..50) {
        let head = grown(commits);
        prop_assert_eq!(Head::decode(head.encode().unwrap()).unwrap(), head);
    }
}
