//! Clients of one cell that do not all do the same.

use std::sync::Arc;

use crate::{
    client::{
        Appender, Client, Holder, Maintainer, MonotonicWriter, Own, Pinner, Reader, Scanner, Transactor,
        Writer,
    },
    config::WorkloadConfig,
};

/// How many lists there are to append to: few, so that transactions meet.
const LISTS: u32 = 4;

/// What each client does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crew {
    /// Those that commit.
    pub writers: Vec<WriterTask>,
    /// Those that read.
    pub readers: Vec<ReaderTask>,
}

/// What a client does that commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterTask {
    /// Appends new keys, blindly, one after the other.
    Monotonic,
    /// Reads a key and writes it back, in single attempts.
    Rewrite,
    /// Reads a key and writes it back, rebased by the engine.
    Update,
    /// Appends to lists that it has read.
    Append,
    /// Reads keys and ranges, puts and deletes.
    Transact,
    /// Asks for maintenance.
    Maintain,
}

/// What a client does that reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderTask {
    /// Reads one acknowledged key.
    Read,
    /// Reads several keys and ranges.
    Scan,
    /// Reads one state again and again.
    Hold,
    /// Keeps states under names.
    Pin,
}

impl WriterTask {
    /// All of them, with their words.
    pub const ALL: [(&'static str, Self); 6] = [
        ("monotonic", Self::Monotonic),
        ("rewrite", Self::Rewrite),
        ("update", Self::Update),
        ("append", Self::Append),
        ("transact", Self::Transact),
        ("maintain", Self::Maintain),
    ];

    pub(super) fn client(self, own: Arc<Own>, config: &WorkloadConfig) -> Arc<dyn Client> {
        let (keys, retries) = (config.keys, config.max_retry_count);
        match self {
            Self::Monotonic => Arc::new(MonotonicWriter::new(own)),
            Self::Rewrite => Arc::new(Writer::new(own, keys, retries)),
            Self::Update => Arc::new(Writer::rebasing(own, keys, retries)),
            Self::Append => Arc::new(Appender::new(own, LISTS)),
            Self::Maintain => Arc::new(Maintainer::new(own)),
            Self::Transact => Arc::new(Transactor::new(own, keys.size)),
        }
    }
}

impl ReaderTask {
    /// All of them, with their words.
    pub const ALL: [(&'static str, Self); 4] = [
        ("read", Self::Read),
        ("scan", Self::Scan),
        ("hold", Self::Hold),
        ("pin", Self::Pin),
    ];

    pub(super) fn client(self, own: Arc<Own>, config: &WorkloadConfig) -> Arc<dyn Client> {
        match self {
            Self::Read => Arc::new(Reader::new(own)),
            Self::Scan => Arc::new(Scanner::new(own, config.keys.size)),
            Self::Hold => Arc::new(Holder::new(own, config.keys.size)),
            Self::Pin => Arc::new(Pinner::new(own, config.keys.size)),
        }
    }
}
