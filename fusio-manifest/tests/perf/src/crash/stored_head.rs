//! HEAD, read by its schema (`proto/head.proto`) and not by the engine: so what is taken for referenced does not rest on
//! the code that is being tested. Only what is needed here is read; checksums are the engine's business.

use std::collections::BTreeSet;

use bytes::{Buf as _, Bytes};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Meta {
    #[prost(uint64, tag = "3")]
    revision: u64,
    #[prost(uint64, tag = "4")]
    epoch: u64,
    #[prost(uint64, tag = "5")]
    last_txn: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct ObjectReference {
    #[prost(uint64, tag = "1")]
    epoch: u64,
    #[prost(bytes = "vec", tag = "2")]
    nonce: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Log {
    #[prost(message, repeated, tag = "1")]
    live: Vec<LogReference>,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct LogReference {
    #[prost(uint64, tag = "1")]
    first_txn: u64,
    #[prost(message, optional, tag = "3")]
    object: Option<ObjectReference>,
}

#[derive(Clone, PartialEq, Message)]
struct Runs {
    #[prost(message, repeated, tag = "1")]
    runs: Vec<Run>,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct Run {
    #[prost(uint64, tag = "2")]
    last_txn: u64,
    #[prost(message, repeated, tag = "3")]
    tables: Vec<TableReference>,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct TableReference {
    #[prost(message, optional, tag = "2")]
    object: Option<ObjectReference>,
    #[prost(uint64, tag = "3")]
    footer_offset: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Upkeep {
    #[prost(message, repeated, tag = "1")]
    pins: Vec<Pin>,
    #[prost(message, optional, tag = "2")]
    collection: Option<Collection>,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct Pin {
    #[prost(message, optional, tag = "3")]
    object: Option<ObjectReference>,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct Collection {
    #[prost(message, optional, tag = "2")]
    list: Option<ObjectReference>,
    #[prost(bool, tag = "4")]
    condemned: bool,
}

/// What a HEAD references, and how far it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct StoredHead {
    manifest: u128,
    meta: Meta,
    log: Log,
    runs: Runs,
    upkeep: Upkeep,
}

/// How one HEAD differs from the one that it replaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Differences {
    pub(super) commits: bool,
    /// Some of its commits lie in log objects of their own.
    pub(super) large_commits: bool,
    pub(super) spill: bool,
    pub(super) fold: bool,
    pub(super) merge: bool,
    pub(super) fence: bool,
    pub(super) list_named: bool,
    pub(super) list_condemned: bool,
    pub(super) list_dropped: bool,
    pub(super) pin_added: bool,
    pub(super) pin_removed: bool,
}

impl StoredHead {
    /// None if these bytes are no HEAD.
    pub(crate) fn decode(mut object: Bytes) -> Option<Self> {
        const HEADER_BYTES: usize = 40;
        let header = object.split_to_checked(HEADER_BYTES)?;
        if header.get(..5)? != b"FMAN\x01" {
            return None;
        }
        let mut head = Self {
            manifest: u128::from_be_bytes(header.get(8..24)?.try_into().ok()?),
            ..Self::default()
        };
        let count = usize::from(object.split_to_checked(2)?.get_u16_le());
        let mut directory = object.split_to_checked(count * 12 + 4)?;
        for _ in 0..count {
            let kind = directory.get_u16_le();
            directory.advance(2);
            let length = usize::try_from(directory.get_u32_le()).ok()?;
            directory.advance(4);
            let section = object.split_to_checked(length)?;
            match kind {
                1 => head.meta = Meta::decode(section).ok()?,
                3 => head.log = Log::decode(section).ok()?,
                4 => head.runs = Runs::decode(section).ok()?,
                5 => head.upkeep = Upkeep::decode(section).ok()?,
                _ => {}
            }
        }
        Some(head)
    }

    pub(super) fn epoch(&self) -> u64 {
        self.meta.epoch
    }

    pub(super) fn revision(&self) -> u64 {
        self.meta.revision
    }

    pub(super) fn collects(&self) -> bool {
        self.upkeep.collection.is_some()
    }

    /// Where the footer of the table begins that has this key below the prefix.
    pub(super) fn footer_offset(&self, key: &str) -> Option<u64> {
        let mut tables = self.runs.runs.iter().flat_map(|run| &run.tables);
        let table = tables.find(|table| {
            let object = table.object.as_ref();
            object.is_some_and(|object| key.ends_with(&self.key("table", object)))
        });
        table.map(|table| table.footer_offset)
    }

    /// The keys of all objects that it references, below the prefix of the manifest.
    pub(crate) fn referenced(&self) -> BTreeSet<String> {
        let tables = self.runs.runs.iter().flat_map(|run| &run.tables);
        let log = self.log.live.iter().map(|item| ("log", &item.object));
        let tables = tables.map(|table| ("table", &table.object));
        let pins = self.upkeep.pins.iter().map(|pin| ("pin", &pin.object));
        let list = self
            .upkeep
            .collection
            .iter()
            .map(|collection| ("list", &collection.list));
        let all = log.chain(tables).chain(pins).chain(list);
        all.filter_map(|(folder, object)| Some(self.key(folder, object.as_ref()?)))
            .collect()
    }

    fn key(&self, folder: &str, object: &ObjectReference) -> String {
        let nonce = object.nonce.iter().map(|byte| format!("{byte:02x}"));
        let nonce: String = nonce.collect();
        format!("{:032x}/{folder}/{:016x}-{nonce}", self.manifest, object.epoch)
    }

    fn folded_through(&self) -> u64 {
        self.runs.runs.first().map_or(0, |run| run.last_txn)
    }

    /// What this HEAD does to `base`.
    pub(super) fn differences(&self, base: &Self) -> Differences {
        let new_log = || self.log.live.iter().filter(|item| !base.log.live.contains(item));
        let (list, base_list) = (&self.upkeep.collection, &base.upkeep.collection);
        let condemned = |list: &Option<Collection>| list.as_ref().is_some_and(|list| list.condemned);
        let lacks = |pins: &[Pin], of: &[Pin]| of.iter().any(|pin| !pins.contains(pin));
        Differences {
            commits: self.meta.last_txn > base.meta.last_txn,
            large_commits: new_log().any(|item| item.first_txn > base.meta.last_txn),
            spill: new_log().any(|item| item.first_txn <= base.meta.last_txn),
            fold: self.folded_through() > base.folded_through(),
            merge: base.runs.runs.iter().any(|run| !self.runs.runs.contains(run)),
            fence: self.meta.epoch > base.meta.epoch,
            list_named: list.is_some() && base_list.is_none(),
            list_condemned: condemned(list) && !condemned(base_list),
            list_dropped: list.is_none() && base_list.is_some(),
            pin_added: lacks(&base.upkeep.pins, &self.upkeep.pins),
            pin_removed: lacks(&self.upkeep.pins, &base.upkeep.pins),
        }
    }
}

/// [`Bytes::split_to`] without its panic.
trait SplitTo: Sized {
    fn split_to_checked(&mut self, at: usize) -> Option<Self>;
}

impl SplitTo for Bytes {
    fn split_to_checked(&mut self, at: usize) -> Option<Self> {
        (at <= self.len()).then(|| self.split_to(at))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fusio_manifest::{Freshness, Manifest, MemoryStore, Options, store::Store};

    use super::{super::final_collection::list, *};
    use crate::crash::shared_settings;

    async fn stored(store: &MemoryStore) -> (StoredHead, BTreeSet<String>) {
        let answer = store.get("m/HEAD", Default::default()).await.unwrap();
        let fusio_manifest::store::GetAnswer::Found { bytes, .. } = answer else {
            panic!("{answer:?}");
        };
        let mut listed = list(store, "m/").await.unwrap();
        assert!(listed.remove("m/HEAD"));
        let listed = listed.iter().map(|key| key["m/".len()..].to_owned()).collect();
        (StoredHead::decode(bytes).unwrap(), listed)
    }

    async fn commit_large(manifest: &Manifest) {
        let mut transaction = manifest.begin().await.unwrap();
        transaction.put("large", vec![b'.'; 10_000]).unwrap();
        transaction.commit().await.unwrap();
    }

    #[tokio::test]
    async fn it_references_what_lies_there_and_tells_what_changed() {
        let store = MemoryStore::new();
        let options = Options {
            shared: shared_settings(),
            maintenance: fusio_manifest::Maintenance::OnDemand,
            ..Options::default()
        };
        let opened = Manifest::create(Arc::new(store.clone()), "m", options).await;
        let (manifest, _) = opened.unwrap();
        let (empty, _) = stored(&store).await;
        assert!(empty.referenced().is_empty());

        commit_large(&manifest).await;
        let (one, listed) = stored(&store).await;
        assert_eq!(one.referenced(), listed);
        let large = Differences {
            commits: true,
            large_commits: true,
            ..Differences::default()
        };
        assert_eq!(one.differences(&empty), large);

        let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
        manifest.pin("p", &snapshot, None).await.unwrap();
        let (pinned, listed) = stored(&store).await;
        assert_eq!((pinned.referenced(), listed.len()), (listed, 2));
        let pin = Differences {
            pin_added: true,
            ..Differences::default()
        };
        assert_eq!(pinned.differences(&one), pin);

        commit_large(&manifest).await;
        commit_large(&manifest).await;
        let (full, _) = stored(&store).await;
        manifest.maintain().await.unwrap();
        let (folded, listed) = stored(&store).await;
        let fold = Differences {
            fold: true,
            ..Differences::default()
        };
        assert_eq!(folded.differences(&full), fold);
        // The three log objects lie there until they are collected.
        assert_eq!((folded.referenced().len(), listed.len()), (2, 5));
        assert!(folded.referenced().is_subset(&listed));
        let table = listed.iter().find(|key| key.contains("/table/")).unwrap();
        assert!(folded.footer_offset(&format!("m/{table}")).unwrap() > 40);
        manifest.close().await;
    }

    #[test]
    fn what_is_no_head_is_none() {
        assert_eq!(StoredHead::decode(Bytes::from_static(b"FMAN")), None);
        assert_eq!(StoredHead::decode(Bytes::from(vec![0; 100])), None);
    }
}
