//! Holds the hand-written messages and `proto/head.proto` together: each message, with every field set to
//! something other than its default, is read back by a decoder built from the .proto alone.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _, Value};

use super::*;

fn pool() -> DescriptorPool {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let files = protox::compile(["head.proto"], [folder]).unwrap();
    DescriptorPool::from_file_descriptor_set(files).unwrap()
}

/// Decodes `message` by the schema and checks that no field is unknown to it, none is left at its default
/// and the bytes come out the same again.
fn matches_schema(pool: &DescriptorPool, name: &str, message: &impl Message) {
    let descriptor = pool
        .get_message_by_name(&format!("fusio.manifest.v1.{name}"))
        .unwrap();
    let bytes = message.encode_to_vec();
    let decoded = DynamicMessage::decode(descriptor.clone(), bytes.as_slice()).unwrap();
    assert_eq!(
        decoded.unknown_fields().count(),
        0,
        "{name}: a field that the schema lacks"
    );
    for field in descriptor.fields() {
        assert!(
            decoded.has_field(&field),
            "{name}.{}: not written by the code",
            field.name()
        );
        complete(&decoded.get_field(&field), &format!("{name}.{}", field.name()));
    }
    assert_eq!(decoded.encode_to_vec(), bytes, "{name}");
}

/// The same for messages inside messages.
fn complete(value: &Value, path: &str) {
    match value {
        Value::Message(inner) => {
            assert_eq!(
                inner.unknown_fields().count(),
                0,
                "{path}: a field that the schema lacks"
            );
            for field in inner.descriptor().fields() {
                let path = format!("{path}.{}", field.name());
                assert!(inner.has_field(&field), "{path}: not written by the code");
                complete(&inner.get_field(&field), &path);
            }
        }
        Value::List(items) => items.iter().for_each(|item| complete(item, path)),
        _ => {}
    }
}

fn wide(byte: u8) -> Bytes {
    Bytes::from(vec![byte; 16])
}

fn object() -> Option<ObjectReference> {
    Some(ObjectReference {
        epoch: 1,
        nonce: wide(2),
        bytes: 3,
        crc32c: 4,
    })
}

fn reference() -> LogReference {
    LogReference {
        first_txn: 1,
        count: 2,
        object: object(),
        id: wide(5),
    }
}

fn settings() -> Settings {
    Settings {
        retention_ms: 1,
        spill_bytes: 2,
        spill_keep_bytes: 3,
        transaction_inline_bytes: 4,
        fold_objects: 5,
        fold_bytes: 6,
        log_objects_max: 7,
        runs_max: 8,
        tier_ratio: 9,
        table_bytes: 10,
        block_bytes: 11,
    }
}

fn commits_match_the_schema(pool: &DescriptorPool) {
    let write = Write {
        key: Bytes::from_static(b"k"),
        value: Some(Bytes::from_static(b"v")),
    };
    matches_schema(
        pool,
        "InlineCommit",
        &InlineCommit {
            txn: 1,
            id: wide(2),
            writes: vec![write.clone()],
        },
    );
    matches_schema(
        pool,
        "LoggedCommit",
        &LoggedCommit {
            id: wide(1),
            writes: vec![write],
        },
    );
}

fn footers_match_the_schema(pool: &DescriptorPool) {
    let block = BlockReference {
        separator: Bytes::from_static(b"a"),
        bytes: 1,
        raw_bytes: 2,
        crc32c: 3,
    };
    let filter = Filter {
        probes: 1,
        bits: Bytes::from_static(b"b"),
    };
    let footer = TableFooter {
        manifest: wide(1),
        entries: 2,
        blocks: vec![block],
        filter: Some(filter),
    };
    matches_schema(pool, "TableFooter", &footer);
}

fn lists_match_the_schema(pool: &DescriptorPool) {
    let listed = ListedObject {
        folder: 1,
        epoch: 2,
        nonce: wide(3),
    };
    let list = List {
        objects: vec![listed],
    };
    matches_schema(pool, "List", &list);
}

#[test]
fn every_message_matches_the_schema() {
    let pool = pool();
    let meta = Meta {
        writer_features: 1,
        reader_features: 2,
        revision: 3,
        epoch: 4,
        last_txn: 5,
        nonces: vec![RevisionNonce {
            revision: 6,
            nonce: wide(7),
        }],
        settings: Some(settings()),
        collected_through: 8,
    };
    matches_schema(&pool, "Meta", &meta);

    commits_match_the_schema(&pool);

    matches_schema(
        &pool,
        "Log",
        &Log {
            live: vec![reference()],
            folded: vec![reference()],
            folded_commits: vec![FoldedCommit { txn: 1, id: wide(6) }],
        },
    );

    let table = TableReference {
        lower_bound: Bytes::from_static(b"a"),
        object: object(),
        footer_offset: 1,
        upper_bound: Bytes::from_static(b"b"),
    };
    let run = Run {
        first_txn: 1,
        last_txn: 2,
        tables: vec![table],
    };
    matches_schema(&pool, "Runs", &Runs { runs: vec![run] });
    footers_match_the_schema(&pool);

    let pin = Pin {
        name: "nightly".into(),
        revision: 1,
        object: object(),
        expires_unix_ms: 2,
    };
    let collection = Collection {
        marked_revision: 1,
        list: object(),
        listed_unix_ms: 2,
        condemned: true,
    };
    matches_schema(
        &pool,
        "Upkeep",
        &Upkeep {
            pins: vec![pin],
            collection: Some(collection),
            fenced_unix_ms: 3,
        },
    );
    lists_match_the_schema(&pool);
}

#[test]
fn every_message_of_the_schema_is_written_by_hand() {
    let names: Vec<String> = pool()
        .all_messages()
        .map(|message| message.name().to_owned())
        .collect();
    let known = [
        "Meta",
        "RevisionNonce",
        "Settings",
        "InlineCommit",
        "LoggedCommit",
        "Write",
        "ObjectReference",
        "Log",
        "FoldedCommit",
        "LogReference",
        "Runs",
        "Run",
        "TableReference",
        "TableFooter",
        "BlockReference",
        "Filter",
        "Upkeep",
        "Pin",
        "Collection",
        "List",
        "ListedObject",
    ];
    assert_eq!(names, known);
}
