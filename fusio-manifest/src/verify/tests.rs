//! Objects whose checksums hold and whose content cannot be: what a faulty writer would leave.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;

use super::{Damage, Finding, verify};
use crate::{
    MemoryStore, Options, SeededEntropy, SharedSettings, Store as _, TokioClock,
    frame::{self, HEADER_BYTES, Kind},
    head::{
        Collection, Head, InlineCommit, LogItem, LogReference, ObjectReference, Pin, Run, TableReference,
        Write, wire,
    },
    id::{Folder, Keys, ManifestId, Nonce, ObjectName, TransactionId},
    log,
    maintenance::{list, pin},
    store::PutMode,
    table::{TableWriter, lower_bound},
    version::Version,
};

const PREFIX: &str = "m";
const MANIFEST: ManifestId = ManifestId::from_bits(7);

/// A store whose HEAD, and what it names, is built by hand.
struct World {
    store: MemoryStore,
    head: Head,
    names: u128,
}

impl World {
    fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            head: Head::first(MANIFEST, Nonce::from_bits(1), SharedSettings::default()),
            names: 0,
        }
    }

    fn name(&mut self) -> ObjectName {
        self.names += 1;
        ObjectName {
            epoch: 1,
            nonce: Nonce::from_bits(self.names),
        }
    }

    async fn put(&mut self, folder: Folder, bytes: Bytes) -> ObjectReference {
        let name = self.name();
        let key = Keys::new(PREFIX).unwrap().object(MANIFEST, folder, name);
        let reference = ObjectReference {
            name,
            bytes: bytes.len() as u64,
            crc32c: crc32c::crc32c(&bytes),
        };
        self.store.put(&key, bytes, PutMode::Create).await.unwrap();
        reference
    }

    /// A table of these keys, each of the commit given, in blocks of a few, its footer changed before it is stored.
    async fn table(
        &mut self,
        entries: &[(&str, u64)],
        change: impl FnOnce(&mut wire::TableFooter),
    ) -> TableReference {
        let mut writer = TableWriter::new(MANIFEST, 64);
        for (key, txn) in entries {
            let value = Some(Bytes::from(vec![b'v'; 40]));
            let version = Version { txn: *txn, value };
            writer.add(key.as_bytes(), &version).unwrap();
        }
        let built = writer.finish().unwrap();
        let footer_at = usize::try_from(built.footer_offset).unwrap();
        let mut footer = wire::TableFooter::decode(built.bytes.slice(footer_at..)).unwrap();
        change(&mut footer);
        let footer = footer.encode_to_vec();
        let body = [&built.bytes[HEADER_BYTES..footer_at], &footer].concat();
        let object = self
            .put(Folder::Table, frame::seal(Kind::Table, MANIFEST, &body))
            .await;
        TableReference {
            lower_bound: lower_bound(None, &built.first),
            upper_bound: built.upper_bound,
            object: ObjectReference {
                crc32c: crc32c::crc32c(&footer),
                ..object
            },
            footer_offset: built.footer_offset,
        }
    }

    fn run(&mut self, last_txn: u64, tables: Vec<TableReference>) {
        self.head.runs = vec![Run {
            first_txn: 1,
            last_txn,
            tables,
        }];
        self.head.last_txn = last_txn;
    }

    /// The one thing that is found once HEAD is stored.
    async fn only_finding(&self) -> Finding {
        let [finding] = self.findings().await.try_into().unwrap();
        finding
    }

    async fn findings(&self) -> Vec<Finding> {
        let bytes = self.head.encode().unwrap();
        self.store.put("m/HEAD", bytes, PutMode::Overwrite).await.unwrap();
        let options = Options {
            clock: Arc::new(TokioClock::new()),
            entropy: Arc::new(SeededEntropy::new(1)),
            ..Options::default()
        };
        let report = verify(Arc::new(self.store.clone()), PREFIX, &options, |_| {}).await;
        report.unwrap().findings
    }
}

const KEYS: [(&str, u64); 6] = [("a", 1), ("b", 2), ("c", 3), ("d", 1), ("e", 2), ("f", 3)];

fn same(_: &mut wire::TableFooter) {}

fn says(finding: &Finding, folder: &str, words: &str) {
    assert_eq!(finding.damage, Damage::Contradiction, "{finding}");
    assert!(
        finding.object.contains(folder) && finding.detail.contains(words),
        "{finding}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_as_it_should_be_is_clean() {
    let mut world = World::new();
    let table = world.table(&KEYS, same).await;
    world.run(3, vec![table]);
    assert_eq!(world.findings().await, []);
}

#[tokio::test(start_paused = true)]
async fn entries_of_commits_that_are_not_of_the_run_are_found() {
    let mut world = World::new();
    let table = world.table(&KEYS, same).await;
    world.run(2, vec![table]);
    let findings = world.findings().await;
    assert_eq!(findings.len(), 2, "{findings:?}");
    says(
        &findings[0],
        "/table/",
        "\"c\" of commit 3 was written by a commit that is not of its run",
    );
}

#[tokio::test(start_paused = true)]
async fn keys_outside_their_table_are_found() {
    let mut world = World::new();
    let mut table = world.table(&KEYS, same).await;
    table.lower_bound = Bytes::from_static(b"b");
    world.run(3, vec![table.clone()]);
    says(
        &world.only_finding().await,
        "/table/",
        "\"a\" of commit 1 lies outside the bounds",
    );
    (table.lower_bound, table.upper_bound) = (Bytes::new(), Bytes::from_static(b"e"));
    world.run(3, vec![table.clone()]);
    says(
        &world.only_finding().await,
        "/table/",
        "\"f\" of commit 3 lies outside the bounds",
    );
    table.upper_bound = Bytes::from_static(b"f");
    let mut next = world.table(&[("x", 1)], same).await;
    next.lower_bound = Bytes::from_static(b"f");
    world.run(3, vec![table, next]);
    says(
        &world.only_finding().await,
        "/table/",
        "\"f\" of commit 3 belongs into the next table",
    );
}

#[tokio::test(start_paused = true)]
async fn an_index_that_does_not_match_its_blocks_is_found() {
    let mut world = World::new();
    let table = world
        .table(&KEYS, |footer| {
            footer.blocks[1].separator = Bytes::from_static(b"c0")
        })
        .await;
    world.run(3, vec![table]);
    says(
        &world.only_finding().await,
        "/table/",
        "\"c\" of commit 3 is less than the separator",
    );
    let table = world
        .table(&KEYS, |footer| {
            footer.blocks[1].separator = Bytes::from_static(b"b")
        })
        .await;
    world.run(3, vec![table]);
    says(
        &world.only_finding().await,
        "/table/",
        "\"b\" of commit 2 is not less than the separator of the next",
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_count_and_a_filter_that_lacks_a_key_are_found() {
    let mut world = World::new();
    let table = world.table(&KEYS, |footer| footer.entries = 7).await;
    world.run(3, vec![table]);
    says(
        &world.only_finding().await,
        "/table/",
        "6 entries where the footer names 7",
    );
    let emptied = |footer: &mut wire::TableFooter| {
        if let Some(filter) = &mut footer.filter {
            filter.bits = Bytes::from(vec![0; filter.bits.len()]);
        }
    };
    let table = world.table(&KEYS, emptied).await;
    world.run(3, vec![table]);
    let findings = world.findings().await;
    assert_eq!(findings.len(), KEYS.len());
    says(&findings[0], "/table/", "\"a\" of commit 1 is not in the filter");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_names_what_is_needed_is_found() {
    let mut world = World::new();
    let table = world.table(&KEYS, same).await;
    let name = table.object.name;
    world.run(3, vec![table]);
    world.head.epoch = 2;
    let stranger = ObjectName {
        epoch: 2,
        nonce: Nonce::from_bits(99),
    };
    for (listed, words) in [(name, "which HEAD needs"), (stranger, "not older than the list")] {
        let bytes = list::encode(MANIFEST, &[(Folder::Table, listed)]);
        let mut reference = world.put(Folder::List, bytes.clone()).await;
        let own = Keys::new(PREFIX)
            .unwrap()
            .object(MANIFEST, Folder::List, reference.name);
        reference.name.epoch = 2;
        let key = Keys::new(PREFIX)
            .unwrap()
            .object(MANIFEST, Folder::List, reference.name);
        world.store.put(&key, bytes, PutMode::Create).await.unwrap();
        world.store.delete(&[own]).await.unwrap();
        world.head.collection = Some(Collection {
            marked_revision: 1,
            list: reference,
            listed_unix_ms: 1,
            condemned: false,
        });
        says(&world.only_finding().await, "/list/", words);
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_there_twice_is_found() {
    let mut world = World::new();
    let id = TransactionId::from_bits(5);
    let write = Write {
        key: Bytes::from_static(b"k"),
        value: None,
    };
    let writes = [write.clone()];
    let commits = [(id, writes.as_slice())];
    let object = world
        .put(Folder::Log, log::encode(MANIFEST, commits.into_iter()).unwrap())
        .await;
    world.head.log = vec![
        LogItem::Object(LogReference::new(1, &[id], object)),
        LogItem::Inline(Arc::new(InlineCommit::new(2, id, vec![write.clone()]))),
    ];
    world.head.last_txn = 2;
    let [in_head, in_log] = world.findings().await.try_into().unwrap();
    says(&in_head, "HEAD", "is commit 1 here and another one elsewhere");
    says(&in_log, "/log/", "is commit 1 here and another one elsewhere");
    let twice = vec![write.clone(), write];
    let commit = InlineCommit::new(1, id, twice);
    world.head.log = vec![LogItem::Inline(Arc::new(commit))];
    world.head.last_txn = 1;
    says(
        &world.only_finding().await,
        "HEAD",
        "commit 1 writes the key \"k\" twice",
    );
}

#[tokio::test(start_paused = true)]
async fn a_pin_of_another_history_is_found() {
    let mut world = World::new();
    let object = world.put(Folder::Pin, pin::encode(&world.head).unwrap()).await;
    world.head.pins = vec![Pin {
        name: "p".to_owned(),
        revision: 1,
        object,
        expires_unix_ms: 0,
    }];
    assert_eq!(world.findings().await, []);
    // The same revision, by another HEAD.
    world.head.nonces = vec![(1, Nonce::from_bits(2))];
    says(&world.only_finding().await, "/pin/", "was never before this one");
}
