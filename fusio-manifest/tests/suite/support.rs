//! Manifests in virtual time over a store in memory, and short words for what the properties do all the time.

use std::{collections::BTreeMap, fmt::Display, sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, Error, Freshness, KeyRange, Manifest, MemoryStore, Options, Receipt, SeededEntropy,
    SharedSettings, Store, TokioClock, Transaction,
    store::{ETag, GetAnswer, GetOptions, PutMode},
};

use crate::faulty::FaultyStore;

/// The prefix of every manifest here.
pub(crate) const PREFIX: &str = "m";
/// The key of its HEAD.
pub(crate) const HEAD: &str = "m/HEAD";

/// Whether a property holds; if not, what was seen.
pub(crate) type Verdict = Result<(), String>;

/// What is done to the options of every handle that a property opens: how a test breaks the engine.
pub(crate) type Tune = fn(Options) -> Options;

/// The engine as it is.
pub(crate) fn sound(options: Options) -> Options {
    options
}

/// Holds a property against what was seen.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if !$holds {
            return Err(format!($($seen)+));
        }
    };
}
pub(crate) use ensure;

/// Options in virtual time. Handles of one test need seeds of their own: one seed draws one sequence of names.
pub(crate) fn options(seed: u64) -> Options {
    Options {
        clock: Arc::new(TokioClock::new()),
        entropy: Arc::new(SeededEntropy::new(seed)),
        ..Options::default()
    }
}

/// A new manifest, and the handle that made it.
pub(crate) async fn founded() -> (MemoryStore, Manifest) {
    founded_with(SharedSettings::default()).await
}

/// The same with these settings.
pub(crate) async fn founded_with(shared: SharedSettings) -> (MemoryStore, Manifest) {
    founded_by(Options { shared, ..options(1) }).await
}

/// The same by a handle with these options.
pub(crate) async fn founded_by(options: Options) -> (MemoryStore, Manifest) {
    let store = MemoryStore::new();
    let (manifest, _) = Manifest::create(Arc::new(store.clone()), PREFIX, options)
        .await
        .unwrap();
    (store, manifest)
}

/// Settings with which every commit is due to be spilled as soon as it has landed, all of it.
pub(crate) fn spilled_at_once() -> SharedSettings {
    SharedSettings {
        spill_bytes: 1,
        spill_keep_bytes: 0,
        ..SharedSettings::default()
    }
}

/// Settings with which nothing is folded until HEAD can name no more log objects.
pub(crate) fn unfolded() -> SharedSettings {
    SharedSettings {
        fold_objects: 1_024,
        fold_bytes: 1 << 30,
        log_objects_max: 1_024,
        ..SharedSettings::default()
    }
}

/// Another handle of it.
pub(crate) async fn open(store: &MemoryStore, options: Options) -> Manifest {
    Manifest::open(Arc::new(store.clone()), PREFIX, options)
        .await
        .unwrap()
}

/// Another handle of it, behind scripted faults.
pub(crate) async fn open_faulty(store: &MemoryStore, options: Options) -> (FaultyStore, Manifest) {
    let faulty = FaultyStore::over(store.clone());
    let manifest = Manifest::open(Arc::new(faulty.clone()), PREFIX, options)
        .await
        .unwrap();
    faulty.forget_requests();
    (faulty, manifest)
}

/// Writes one key in a transaction that reads nothing.
pub(crate) async fn put(manifest: &Manifest, key: &str, value: &str) -> Result<Receipt, Error> {
    let mut transaction = manifest.begin_on(manifest.snapshot(Freshness::Cached).await?)?;
    transaction.put(key.to_owned(), value.to_owned())?;
    transaction.commit().await
}

/// Adds one to a counter, in a transaction that begins on the cached state.
pub(crate) async fn increment(manifest: &Manifest, key: &str) -> Result<Receipt, Error> {
    incremented(manifest, key).await?.commit().await
}

/// A transaction that begins on the cached state.
pub(crate) async fn cached(manifest: &Manifest) -> Transaction {
    manifest
        .begin_on(manifest.snapshot(Freshness::Cached).await.unwrap())
        .unwrap()
}

/// A counter's increment, ready to be committed.
pub(crate) async fn incremented(manifest: &Manifest, key: &str) -> Result<Transaction, Error> {
    let mut transaction = manifest.begin_on(manifest.snapshot(Freshness::Cached).await?)?;
    let value = number(transaction.get(key).await?.as_ref());
    transaction.put(key.to_owned(), (value + 1).to_string())?;
    Ok(transaction)
}

/// The number that a counter holds; 0 where it is absent.
pub(crate) fn number(value: Option<&Bytes>) -> u64 {
    value.map_or(0, |bytes| std::str::from_utf8(bytes).unwrap().parse().unwrap())
}

/// What a handle that has seen nothing before finds.
pub(crate) async fn final_value(store: &MemoryStore, key: &str) -> Option<String> {
    let reader = open(store, options(u64::MAX)).await;
    let value = reader.get(key).await.unwrap();
    reader.close().await;
    value.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

/// The number of the newest commit that a handle finds that has seen nothing before.
pub(crate) async fn final_txn(store: &MemoryStore) -> u64 {
    let reader = open(store, options(u64::MAX)).await;
    let txn = reader.info().unwrap().txn;
    reader.close().await;
    txn
}

/// Everything that a handle finds that has seen nothing before, and the number of the newest commit.
pub(crate) async fn final_state(store: &MemoryStore) -> Result<(BTreeMap<String, Bytes>, u64), Error> {
    let reader = Manifest::open(Arc::new(store.clone()), PREFIX, options(u64::MAX)).await?;
    let entries = reader.scan(KeyRange::all()).await?.collect().await?;
    let txn = reader.info()?.txn;
    reader.close().await;
    let named = |(key, value): (Bytes, Bytes)| (String::from_utf8(key.to_vec()).unwrap(), value);
    Ok((entries.into_iter().map(named).collect(), txn))
}

/// The keys of all log objects that lie in the store, whether HEAD names them or not.
pub(crate) async fn log_objects(store: &MemoryStore) -> Vec<String> {
    let page = store.list(PREFIX, None).await.unwrap();
    assert!(!page.more, "one page is enough for a test");
    let keys = page.objects.into_iter().map(|object| object.key);
    keys.filter(|key| key.contains("/log/")).collect()
}

/// The keys of all tables that lie in the store, whether HEAD names them or not.
pub(crate) async fn tables(store: &MemoryStore) -> Vec<String> {
    let page = store.list(PREFIX, None).await.unwrap();
    assert!(!page.more, "one page is enough for a test");
    let keys = page.objects.into_iter().map(|object| object.key);
    keys.filter(|key| key.contains("/table/")).collect()
}

/// The bytes of an object.
pub(crate) async fn object(store: &MemoryStore, key: &str) -> Bytes {
    object_with_etag(store, key).await.0
}

/// The bytes of an object, and its ETag.
pub(crate) async fn object_with_etag(store: &MemoryStore, key: &str) -> (Bytes, ETag) {
    match store.get(key, GetOptions::default()).await.unwrap() {
        GetAnswer::Found { bytes, etag } => (bytes, etag),
        GetAnswer::NotModified => panic!("304 to a request without a condition"),
    }
}

/// Replaces an object behind everybody's back.
pub(crate) async fn overwrite(store: &MemoryStore, key: &str, bytes: impl Into<Bytes>) {
    store.put(key, bytes.into(), PutMode::Overwrite).await.unwrap();
}

/// Removes an object behind everybody's back.
pub(crate) async fn remove(store: &MemoryStore, key: &str) {
    store.delete(&[key.to_owned()]).await.unwrap();
}

/// Lets everything run that can run now: virtual time passes only when nothing else is left to do.
pub(crate) async fn settle() {
    pause(Duration::from_micros(1)).await;
}

/// Lets virtual time pass.
pub(crate) async fn pause(span: Duration) {
    TokioClock::new().sleep(span).await;
}

/// What `work` gives, or `None` if it takes longer than `span` of virtual time.
pub(crate) async fn within<T>(span: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = pause(span) => None,
    }
}

/// An error as a property's verdict.
pub(crate) fn unexpected(error: impl Display) -> String {
    format!("unexpected error: {error}")
}
