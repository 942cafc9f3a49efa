//! A manifest that consists of an object of each kind, and what callers do with it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Error, ErrorKind, Freshness, KeyRange, Maintenance, Manifest, MemoryStore, Options, SeededEntropy,
    SharedSettings, Store, TokioClock, Transaction,
    store::{GetAnswer, GetOptions, PutMode},
    verify,
};

/// The prefix of every manifest here.
pub(crate) const PREFIX: &str = "m";
/// The key of its HEAD.
pub(crate) const HEAD: &str = "m/HEAD";

/// How long operations may take: the same everywhere, virtual or not.
pub(crate) const REQUEST: Duration = Duration::from_millis(700);
pub(crate) const OPERATION: Duration = Duration::from_millis(1_500);

/// Patient handles are for what is not tested.
pub(crate) fn patient(seed: u64) -> Options {
    Options {
        shared: SharedSettings {
            spill_bytes: 1,
            spill_keep_bytes: 0,
            fold_objects: 1,
            block_bytes: 1_024,
            ..SharedSettings::default()
        },
        maintenance: Maintenance::OnDemand,
        clock: Arc::new(TokioClock::new()),
        entropy: Arc::new(SeededEntropy::new(seed)),
        ..Options::default()
    }
}

/// Options with these deadlines.
pub(crate) fn hurried(seed: u64) -> Options {
    Options {
        request_timeout: REQUEST,
        read_timeout: OPERATION,
        commit_timeout: OPERATION,
        ..patient(seed)
    }
}

/// The value of a key of the manifest.
pub(crate) fn value(number: u32) -> Bytes {
    format!("value {number} ").repeat(40).into()
}

/// A large value, in a log object of its own.
pub(crate) fn large() -> Bytes {
    "large ".repeat(5_000).into()
}

pub(crate) async fn put(manifest: &Manifest, key: &str, value: impl Into<Bytes>) -> Result<(), Error> {
    let mut transaction = blind(manifest).await?;
    transaction.put(key.to_owned(), value)?;
    transaction.commit().await.map(drop)
}

async fn blind(manifest: &Manifest) -> Result<Transaction, Error> {
    manifest.begin_on(manifest.snapshot(Freshness::Cached).await?)
}

/// Eight keys in a table of several blocks, one in a log object, one in HEAD, and a pin.
pub(crate) async fn built() -> MemoryStore {
    let store = MemoryStore::new();
    let (manifest, _) = Manifest::create(Arc::new(store.clone()), PREFIX, patient(1))
        .await
        .unwrap();
    for number in 0..8 {
        put(&manifest, &format!("key {number}"), value(number))
            .await
            .unwrap();
    }
    manifest.maintain().await.unwrap();
    put(&manifest, "large", large()).await.unwrap();
    put(&manifest, "inline", "inline").await.unwrap();
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    manifest.pin("p", &snapshot, None).await.unwrap();
    let info = manifest.info().unwrap();
    assert!(info.tables > 0 && info.log_objects == 1 && info.inline_bytes > 0 && info.pins == 1);
    // Before it is closed, which would finish what is due: then nothing were in HEAD.
    let copy = copied(&store).await;
    manifest.close().await;
    for key in keys(&copy).await {
        // What a spill has begun to write.
        if key.contains("/log/") && object(&copy, &key).await.len() < large().len() {
            copy.delete(&[key]).await.unwrap();
        }
    }
    copy
}

/// All keys of a store.
pub(crate) async fn keys(store: &dyn Store) -> Vec<String> {
    let page = store.list("", None).await.unwrap();
    assert!(!page.more);
    page.objects.into_iter().map(|object| object.key).collect()
}

/// The key of the one object of this folder.
pub(crate) async fn key_in(store: &MemoryStore, folder: &str) -> String {
    let keys = keys(store).await;
    let mut keys = keys
        .into_iter()
        .filter(|key| key.contains(&format!("/{folder}/")));
    keys.next().unwrap()
}

pub(crate) async fn object(store: &MemoryStore, key: &str) -> Bytes {
    match store.get(key, GetOptions::default()).await.unwrap() {
        GetAnswer::Found { bytes, .. } => bytes,
        GetAnswer::NotModified => panic!("304 to an unconditional GET"),
    }
}

pub(crate) async fn overwrite(store: &MemoryStore, key: &str, bytes: impl Into<Bytes>) {
    store.put(key, bytes.into(), PutMode::Overwrite).await.unwrap();
}

/// A store of its own with the same objects.
pub(crate) async fn copied(store: &MemoryStore) -> MemoryStore {
    let copy = MemoryStore::new();
    for key in keys(store).await {
        overwrite(&copy, &key, object(store, &key).await).await;
    }
    copy
}

/// What a caller does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Create,
    Open,
    /// A fresh read of a key in a table.
    Get,
    Scan,
    Commit,
    /// One that goes into a log object first.
    CommitLarge,
    Maintain,
    OpenPin,
    Verify,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Get => "get",
            Self::Scan => "scan",
            Self::Commit => "commit",
            Self::CommitLarge => "commit (large)",
            Self::Maintain => "maintain",
            Self::OpenPin => "open_pin",
            Self::Verify => "verify",
        }
    }

    /// A handle that was open before the store turned hostile; none for what needs none.
    pub(crate) async fn handle(self, store: Arc<dyn Store>, options: Options) -> Option<Manifest> {
        match self {
            Self::Create | Self::Open | Self::Verify => None,
            _ => Some(Manifest::open(store, PREFIX, options).await.unwrap()),
        }
    }

    /// Does it; what came of it in words, if it went well.
    ///
    /// # Panics
    ///
    /// If what is read is not what was written.
    pub(crate) async fn run(
        self,
        store: Arc<dyn Store>,
        handle: Option<&Manifest>,
        options: Options,
    ) -> Result<String, Error> {
        let handle = || handle.expect("a handle");
        match self {
            Self::Create => {
                let (manifest, creation) = Manifest::create(store, PREFIX, options).await?;
                close(&manifest).await;
                Ok(format!("{creation:?}"))
            }
            Self::Open => {
                let manifest = Manifest::open(store, PREFIX, options).await?;
                close(&manifest).await;
                Ok("opened".to_owned())
            }
            Self::Get => {
                let read = handle().get("key 3").await?;
                assert_eq!(read, Some(value(3)), "a wrong value");
                Ok("the value".to_owned())
            }
            Self::Scan => {
                let read = handle().scan(KeyRange::all()).await?.collect().await?;
                let mut expected: Vec<(Bytes, Bytes)> = (0..8)
                    .map(|number| (format!("key {number}").into(), value(number)))
                    .collect();
                expected.insert(0, ("inline".into(), "inline".into()));
                expected.push(("large".into(), large()));
                assert_eq!(read, expected, "wrong rows");
                Ok("all rows".to_owned())
            }
            Self::Commit => {
                put(handle(), "new", "new").await?;
                Ok("committed".to_owned())
            }
            Self::CommitLarge => {
                put(handle(), "new", large()).await?;
                Ok("committed".to_owned())
            }
            Self::Maintain => {
                handle().maintain().await?;
                Ok("maintained".to_owned())
            }
            Self::OpenPin => {
                let read = handle().open_pin("p").await?.get("key 3").await?;
                assert_eq!(read, Some(value(3)), "a wrong value");
                Ok("the value".to_owned())
            }
            Self::Verify => {
                let report = verify(store, PREFIX, &options, |_| {}).await?;
                match report.findings.first() {
                    None => Ok("clean".to_owned()),
                    Some(finding) => Ok(format!("found: {finding}")),
                }
            }
        }
    }
}

/// Closes a handle of a store that may never answer.
pub(crate) async fn close(manifest: &Manifest) {
    use fusio_manifest::Clock as _;
    tokio::select! {
        biased;
        () = manifest.close() => {}
        () = TokioClock::new().sleep(10 * OPERATION) => {}
    }
}

/// What the caller of a commit was told, held against what is in the honest store.
pub(crate) async fn hold_to_its_word(
    what: &str,
    operation: Operation,
    told: &Result<String, Error>,
    honest: &MemoryStore,
) {
    if !matches!(operation, Operation::Commit | Operation::CommitLarge) {
        return;
    }
    let reader = Manifest::open(Arc::new(honest.clone()), PREFIX, patient(99)).await;
    let reader = reader.unwrap_or_else(|error| panic!("{what}: nothing can be read any more: {error}"));
    let there = reader.get("new").await.unwrap().is_some();
    for number in 0..8 {
        let read = reader.get(format!("key {number}")).await.unwrap();
        assert_eq!(read, Some(value(number)), "{what}: what was there before");
    }
    reader.close().await;
    match told {
        Ok(_) => assert!(there, "{what}: the caller was told that it is committed"),
        Err(error) if error.kind() == ErrorKind::CommitUnknown => {}
        Err(error) => assert!(!there, "{what}: the caller was told that it is not: {error}"),
    }
}

/// A patient handle of what is in a store.
pub(crate) async fn reopened(store: &MemoryStore) -> Manifest {
    Manifest::open(Arc::new(store.clone()), PREFIX, patient(42))
        .await
        .unwrap()
}
