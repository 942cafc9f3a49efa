//! Objects that were decoded, in a store, opened and read as callers do, in virtual time.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{Verdict, ensure, failed, succeeds};
use crate::{
    clock::TokioClock,
    entropy::SeededEntropy,
    error::{Error, ErrorKind},
    frame::FormatError,
    head::{Head, LogItem, LogReference, NONCES_KEPT, Pin, Run, TableReference, Write},
    id::{Folder, Keys, ManifestId, Nonce},
    inspect::{Inspect, inspect},
    key_range::KeyRange,
    log::LoggedCommit,
    manifest::{Freshness, Manifest},
    options::{Options, SharedSettings},
    receipt::Receipt,
    snapshot::Snapshot,
    store::{PutMode, Store as _, memory::MemoryStore},
    verify::verify,
    version::Entry,
};

const PREFIX: &str = "m";
/// Keys that are looked up one by one, and ranges that are read.
const PROBES: usize = 24;

/// What a manifest holds.
type Content = BTreeMap<Bytes, Bytes>;

/// What reading may come to where objects are broken or not there.
const BROKEN: [ErrorKind; 3] = [
    ErrorKind::Corrupt,
    ErrorKind::Unsupported,
    ErrorKind::SnapshotExpired,
];
/// And committing, where HEAD has room for no more.
const UNCOMMITTED: [ErrorKind; 6] = [
    ErrorKind::Corrupt,
    ErrorKind::Unsupported,
    ErrorKind::SnapshotExpired,
    ErrorKind::Full,
    ErrorKind::Unavailable,
    ErrorKind::DeadlineExceeded,
];

fn options() -> Options {
    Options {
        clock: Arc::new(TokioClock::new()),
        entropy: Arc::new(SeededEntropy::new(1)),
        cache_bytes: 1 << 20,
        ..Options::default()
    }
}

fn in_virtual_time(work: impl Future<Output = Verdict>) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    succeeds("making a runtime", runtime)?.block_on(work)
}

/// A store of these objects.
async fn store(objects: impl IntoIterator<Item = (String, Bytes)>) -> Result<Arc<MemoryStore>, String> {
    let store = Arc::new(MemoryStore::new());
    for (key, bytes) in objects {
        succeeds("storing it", store.put(&key, bytes, PutMode::Create).await)?;
    }
    Ok(store)
}

fn keys() -> Result<Keys, String> {
    succeeds("building keys", Keys::new(PREFIX))
}

fn head_key() -> Result<String, String> {
    Ok(keys()?.head().to_owned())
}

/// Writes in the order of commits, as a map.
fn content<'a>(writes: impl Iterator<Item = &'a Write>) -> Content {
    let mut content = Content::new();
    for write in writes {
        match &write.value {
            Some(value) => content.insert(write.key.clone(), value.clone()),
            None => content.remove(&write.key),
        };
    }
    content
}

/// Every way to read a state that is known; where `whole` is not set, only what is known of it is read.
async fn reads(snapshot: &Snapshot, content: &Content, whole: bool) -> Verdict {
    let step = content.len().div_ceil(PROBES).max(1);
    for (key, value) in content.iter().step_by(step) {
        let read = succeeds("reading a key", snapshot.get(key).await)?;
        ensure!(read.as_ref() == Some(value), "{key:?} is {read:?}, not {value:?}");
    }
    if !whole {
        return Ok(());
    }
    let keys: Vec<&Bytes> = content.keys().step_by(step).collect();
    let mut ranges = vec![KeyRange::all()];
    for pair in keys.windows(2) {
        if let [from, to] = pair {
            ranges.push(KeyRange::between(from, to));
        }
    }
    for range in ranges {
        let expected: Vec<_> = content
            .iter()
            .filter(|(key, _)| range.contains(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let forward = succeeds("scanning", snapshot.scan(range.clone()).collect().await)?;
        ensure!(
            forward == expected,
            "{range:?} holds {forward:?}, not {expected:?}"
        );
        let mut backward = succeeds(
            "scanning back",
            snapshot.scan(range.clone()).reversed().collect().await,
        )?;
        backward.reverse();
        ensure!(
            backward == expected,
            "{range:?} holds backward {backward:?}, not {expected:?}"
        );
    }
    Ok(())
}

/// Opened, read, pinned states and all; a commit on it lands, or is refused and changes nothing.
pub(super) fn head(framed: &Bytes, head: &Head) -> Verdict {
    in_virtual_time(async {
        let store = store([(head_key()?, framed.clone())]).await?;
        let options = options();
        succeeds("verifying", verify(store.clone(), PREFIX, &options, |_| {}).await)?;
        if let Err(error) = inspect(store.clone(), PREFIX, &options, Inspect::Garbage).await {
            failed("inspecting", &error, &BROKEN)?;
        }
        let manifest = match Manifest::open(store.clone(), PREFIX, options).await {
            Ok(manifest) => manifest,
            Err(error) => {
                ensure!(head.log_objects().next().is_some(), "it is not opened: {error}");
                return failed("opening", &error, &BROKEN);
            }
        };
        ensure!(
            head.log_objects().next().is_none(),
            "opened without its log objects"
        );
        let info = succeeds("asking what is known", manifest.info())?;
        ensure!(
            (info.txn, info.revision) == (head.last_txn, head.revision),
            "{info:?} of another HEAD"
        );
        let content = content(head.inline_commits().flat_map(|commit| &commit.writes));
        let snapshot = succeeds("looking", manifest.snapshot(Freshness::Latest).await)?;
        reads(&snapshot, &content, head.runs.is_empty()).await?;
        for kept in &head.pins {
            match manifest.open_pin(&kept.name).await {
                Ok(_) => return Err(format!("a pin was opened that is not there: {kept:?}")),
                Err(error) => failed("opening a pin", &error, &BROKEN)?,
            }
        }
        commits(&manifest, head, &content, &store).await?;
        manifest.close().await;
        Ok(())
    })
}

async fn commits(manifest: &Manifest, head: &Head, content: &Content, store: &Arc<MemoryStore>) -> Verdict {
    let key = Bytes::from_static(b"a key of a commit");
    let committed = commit(manifest, &key).await;
    let receipt = match committed {
        Err(error) => {
            failed("committing", &error, &UNCOMMITTED)?;
            let at = succeeds("reading HEAD", head_of(store).await)?;
            ensure!(
                at.last_txn == head.last_txn,
                "it was refused and is there: {error}"
            );
            return Ok(());
        }
        Ok(receipt) => receipt,
    };
    ensure!(
        head.unknown_writer_features() == 0,
        "committed to what has unknown features"
    );
    ensure!(
        receipt.txn == head.last_txn.checked_add(1),
        "after {} came {receipt:?}",
        head.last_txn
    );
    let mut content = content.clone();
    content.insert(key.clone(), key);
    let snapshot = succeeds("looking", manifest.snapshot(Freshness::Latest).await)?;
    reads(&snapshot, &content, head.runs.is_empty()).await?;
    let at = succeeds("reading HEAD", head_of(store).await)?;
    ensure!(
        at.last_txn == head.last_txn + 1 && at.revision > head.revision,
        "HEAD is at commit {} of revision {}",
        at.last_txn,
        at.revision
    );
    match manifest.maintain().await {
        Ok(()) => Ok(()),
        // What HEAD names is not there.
        Err(error) => failed("maintaining", &error, &UNCOMMITTED),
    }
}

async fn commit(manifest: &Manifest, key: &Bytes) -> Result<Receipt, Error> {
    let mut transaction = manifest.begin().await?;
    transaction.put(key.clone(), key.clone())?;
    transaction.commit().await
}

async fn head_of(store: &Arc<MemoryStore>) -> Result<Head, String> {
    use crate::store::{GetAnswer, GetOptions};
    match store.get(&head_key()?, GetOptions::default()).await {
        Ok(GetAnswer::Found { bytes, .. }) => {
            Head::decode(bytes).map_err(|error: FormatError| error.to_string())
        }
        other => Err(format!("{other:?}")),
    }
}

/// A HEAD that names one object.
fn naming(manifest: ManifestId, last_txn: u64) -> Head {
    let settings = SharedSettings {
        fold_objects: 1,
        ..SharedSettings::default()
    };
    let mut head = Head::first(manifest, Nonce::from_bits(7), settings);
    head.last_txn = last_txn;
    head
}

/// Read, folded, and read again: the same each time.
pub(super) fn log_object(
    manifest: ManifestId,
    framed: &Bytes,
    reference: &LogReference,
    commits: &[LoggedCommit],
) -> Verdict {
    if commits.is_empty() {
        return Ok(());
    }
    in_virtual_time(async {
        let mut head = naming(manifest, reference.last_txn());
        head.log = vec![LogItem::Object(*reference)];
        let key = keys()?.object(manifest, Folder::Log, reference.object.name);
        let head = succeeds("building a HEAD", head.encode())?;
        let store = store([(head_key()?, head), (key, framed.clone())]).await?;
        let content = content(commits.iter().flat_map(|commit| &commit.writes));
        let report = succeeds(
            "verifying",
            verify(store.clone(), PREFIX, &options(), |_| {}).await,
        )?;
        let handle = succeeds("opening", Manifest::open(store.clone(), PREFIX, options()).await)?;
        let snapshot = succeeds("looking", handle.snapshot(Freshness::Latest).await)?;
        reads(&snapshot, &content, true).await?;
        if let Err(error) = handle.maintain().await {
            ensure!(!report.is_clean(), "it is sound and cannot be folded: {error}");
            return failed("folding", &error, &UNCOMMITTED);
        }
        let info = succeeds("asking what is known", handle.info())?;
        ensure!(
            info.folded_through == reference.last_txn(),
            "not folded: {info:?}"
        );
        let snapshot = succeeds("looking", handle.snapshot(Freshness::Latest).await)?;
        reads(&snapshot, &content, true).await?;
        handle.close().await;
        let other = succeeds("opening", Manifest::open(store.clone(), PREFIX, options()).await)?;
        let snapshot = succeeds("looking", other.snapshot(Freshness::Latest).await)?;
        reads(&snapshot, &content, true).await?;
        other.close().await;
        let after = succeeds("verifying", verify(store, PREFIX, &options(), |_| {}).await)?;
        ensure!(
            after.is_clean() || !report.is_clean(),
            "what was sound is folded into {:?}",
            after.findings
        );
        Ok(())
    })
}

/// What a check passes is read right, in every way; of the rest every answer is the engine's.
pub(super) fn table(
    manifest: ManifestId,
    object: &Bytes,
    reference: &TableReference,
    blocks: &[Option<Vec<Entry>>],
) -> Verdict {
    let entries = || blocks.iter().flatten().flatten();
    let last_txn = entries().map(|entry| entry.version.txn).max().unwrap_or(1);
    let last_txn = last_txn.clamp(1, u64::MAX - 1);
    in_virtual_time(async {
        let mut head = naming(manifest, last_txn);
        head.runs = vec![Run {
            first_txn: 1,
            last_txn,
            tables: vec![reference.clone()],
        }];
        let key = keys()?.object(manifest, Folder::Table, reference.object.name);
        let head = succeeds("building a HEAD", head.encode())?;
        let store = store([(head_key()?, head), (key, object.clone())]).await?;
        let report = succeeds(
            "verifying",
            verify(store.clone(), PREFIX, &options(), |_| {}).await,
        )?;
        let handle = succeeds("opening", Manifest::open(store.clone(), PREFIX, options()).await)?;
        let snapshot = succeeds("looking", handle.snapshot(Freshness::Latest).await)?;
        if report.is_clean() {
            ensure!(blocks.iter().all(Option::is_some), "a broken block is not found");
            let content =
                entries().filter_map(|entry| Some((entry.key.clone(), entry.version.value.clone()?)));
            let content: Content = content.collect();
            reads(&snapshot, &content, true).await?;
            for deleted in entries()
                .filter(|entry| entry.version.value.is_none())
                .take(PROBES)
            {
                let read = succeeds("reading a key", snapshot.get(&deleted.key).await)?;
                ensure!(read.is_none(), "{:?} is deleted, and holds {read:?}", deleted.key);
            }
        } else {
            reads_what_is_broken(&snapshot, blocks).await?;
        }
        handle.close().await;
        Ok(())
    })
}

async fn reads_what_is_broken(snapshot: &Snapshot, blocks: &[Option<Vec<Entry>>]) -> Verdict {
    let entries: Vec<&Entry> = blocks.iter().flatten().flatten().collect();
    let some = entries.iter().step_by(entries.len().div_ceil(PROBES).max(1));
    let keys = some.map(|entry| &entry.key).collect::<Vec<_>>();
    for key in &keys {
        match snapshot.get(key).await {
            Ok(read) => ensure!(
                read.is_none()
                    || entries
                        .iter()
                        .any(|entry| entry.key == **key && entry.version.value == read),
                "{key:?} holds {read:?}, which is nowhere"
            ),
            Err(error) => failed("reading a key", &error, &BROKEN)?,
        }
    }
    let (first, last) = (keys.first().copied(), keys.last().copied());
    let mut ranges = vec![KeyRange::all()];
    ranges.extend(
        first
            .zip(last)
            .map(|(first, last)| KeyRange::between(first, last)),
    );
    ranges.extend(keys.get(keys.len() / 2).map(KeyRange::from));
    for range in ranges {
        for scan in [
            snapshot.scan(range.clone()),
            snapshot.scan(range.clone()).reversed(),
        ] {
            match scan.collect().await {
                Ok(read) => ensure!(
                    read.len() <= entries.len(),
                    "{} entries came of {}",
                    read.len(),
                    entries.len()
                ),
                Err(error) => failed("scanning", &error, &BROKEN)?,
            }
        }
    }
    Ok(())
}

/// Opened by its name, and read if it needs nothing else.
pub(super) fn pin(framed: &Bytes, pinned: &Head, pin: Pin) -> Verdict {
    in_virtual_time(async {
        let mut head = naming(pinned.manifest, 0);
        let first = pinned.revision.saturating_sub(NONCES_KEPT as u64 - 1).max(1);
        head.revision = pinned.revision;
        head.nonces = (first..=pinned.revision)
            .map(|revision| (revision, Nonce::from_bits(u128::from(revision))))
            .collect();
        let key = keys()?.object(pinned.manifest, Folder::Pin, pin.object.name);
        head.pins = vec![pin];
        let head = succeeds("building a HEAD", head.encode())?;
        let store = store([(head_key()?, head), (key, framed.clone())]).await?;
        succeeds(
            "verifying",
            verify(store.clone(), PREFIX, &options(), |_| {}).await,
        )?;
        let handle = succeeds("opening", Manifest::open(store.clone(), PREFIX, options()).await)?;
        match handle.open_pin("pin").await {
            Err(error) => {
                ensure!(
                    pinned.log_objects().next().is_some(),
                    "the pin is not opened: {error}"
                );
                failed("opening a pin", &error, &BROKEN)?;
            }
            Ok(snapshot) => {
                let content = content(pinned.inline_commits().flat_map(|commit| &commit.writes));
                reads(&snapshot, &content, pinned.runs.is_empty()).await?;
            }
        }
        handle.close().await;
        Ok(())
    })
}
