//! The messages of `proto/head.proto`, written by hand so that building needs no protoc. A test in
//! `wire/tests.rs` holds the two together.

use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Meta {
    #[prost(uint64, tag = "1")]
    pub(crate) writer_features: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) reader_features: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) revision: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) epoch: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) last_txn: u64,
    #[prost(message, repeated, tag = "6")]
    pub(crate) nonces: Vec<RevisionNonce>,
    #[prost(message, optional, tag = "7")]
    pub(crate) settings: Option<Settings>,
    #[prost(uint64, tag = "8")]
    pub(crate) collected_through: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RevisionNonce {
    #[prost(uint64, tag = "1")]
    pub(crate) revision: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) nonce: Bytes,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Settings {
    #[prost(uint64, tag = "1")]
    pub(crate) retention_ms: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) spill_bytes: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) spill_keep_bytes: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) transaction_inline_bytes: u64,
    #[prost(uint32, tag = "5")]
    pub(crate) fold_objects: u32,
    #[prost(uint64, tag = "6")]
    pub(crate) fold_bytes: u64,
    #[prost(uint32, tag = "7")]
    pub(crate) log_objects_max: u32,
    #[prost(uint32, tag = "8")]
    pub(crate) runs_max: u32,
    #[prost(uint32, tag = "9")]
    pub(crate) tier_ratio: u32,
    #[prost(uint64, tag = "10")]
    pub(crate) table_bytes: u64,
    #[prost(uint64, tag = "11")]
    pub(crate) block_bytes: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct InlineCommit {
    #[prost(uint64, tag = "1")]
    pub(crate) txn: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) id: Bytes,
    #[prost(message, repeated, tag = "3")]
    pub(crate) writes: Vec<Write>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LoggedCommit {
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) id: Bytes,
    #[prost(message, repeated, tag = "3")]
    pub(crate) writes: Vec<Write>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Write {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) value: Option<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ObjectReference {
    #[prost(uint64, tag = "1")]
    pub(crate) epoch: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) nonce: Bytes,
    #[prost(uint64, tag = "3")]
    pub(crate) bytes: u64,
    #[prost(fixed32, tag = "4")]
    pub(crate) crc32c: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Log {
    #[prost(message, repeated, tag = "1")]
    pub(crate) live: Vec<LogReference>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) folded: Vec<LogReference>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) folded_commits: Vec<FoldedCommit>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FoldedCommit {
    #[prost(uint64, tag = "1")]
    pub(crate) txn: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) id: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LogReference {
    #[prost(uint64, tag = "1")]
    pub(crate) first_txn: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) count: u32,
    #[prost(message, optional, tag = "3")]
    pub(crate) object: Option<ObjectReference>,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) id: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Runs {
    #[prost(message, repeated, tag = "1")]
    pub(crate) runs: Vec<Run>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Run {
    #[prost(uint64, tag = "1")]
    pub(crate) first_txn: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) last_txn: u64,
    #[prost(message, repeated, tag = "3")]
    pub(crate) tables: Vec<TableReference>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TableReference {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) lower_bound: Bytes,
    #[prost(message, optional, tag = "2")]
    pub(crate) object: Option<ObjectReference>,
    #[prost(uint64, tag = "3")]
    pub(crate) footer_offset: u64,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) upper_bound: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TableFooter {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) manifest: Bytes,
    #[prost(uint64, tag = "2")]
    pub(crate) entries: u64,
    #[prost(message, repeated, tag = "3")]
    pub(crate) blocks: Vec<BlockReference>,
    #[prost(message, optional, tag = "4")]
    pub(crate) filter: Option<Filter>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BlockReference {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) separator: Bytes,
    #[prost(uint64, tag = "2")]
    pub(crate) bytes: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) raw_bytes: u64,
    #[prost(fixed32, tag = "4")]
    pub(crate) crc32c: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Filter {
    #[prost(uint32, tag = "1")]
    pub(crate) probes: u32,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) bits: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Upkeep {
    #[prost(message, repeated, tag = "1")]
    pub(crate) pins: Vec<Pin>,
    #[prost(message, optional, tag = "2")]
    pub(crate) collection: Option<Collection>,
    #[prost(uint64, tag = "3")]
    pub(crate) fenced_unix_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Pin {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint64, tag = "2")]
    pub(crate) revision: u64,
    #[prost(message, optional, tag = "3")]
    pub(crate) object: Option<ObjectReference>,
    #[prost(uint64, tag = "4")]
    pub(crate) expires_unix_ms: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Collection {
    #[prost(uint64, tag = "1")]
    pub(crate) marked_revision: u64,
    #[prost(message, optional, tag = "2")]
    pub(crate) list: Option<ObjectReference>,
    #[prost(uint64, tag = "3")]
    pub(crate) listed_unix_ms: u64,
    #[prost(bool, tag = "4")]
    pub(crate) condemned: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct List {
    #[prost(message, repeated, tag = "1")]
    pub(crate) objects: Vec<ListedObject>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ListedObject {
    #[prost(uint32, tag = "1")]
    pub(crate) folder: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) epoch: u64,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) nonce: Bytes,
}

#[cfg(test)]
mod tests;
