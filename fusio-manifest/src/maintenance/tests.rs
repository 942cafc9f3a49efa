//! Pins and readers of states whose objects HEAD does not reference any more. What makes them so is done by hand here: a
//! HEAD that names copies of its log objects in place of them.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{collect::Collect, list, object};
use crate::{
    Error, ErrorKind, Freshness, Manifest, MemoryStore, Options, SeededEntropy, Snapshot, Store, StoreError,
    TokioClock,
    access::{Access, Purpose},
    clock::Clock as _,
    head::{Collection, Head, LogItem},
    id::{Folder, Keys, Nonce, ObjectName},
    immutable::Destination,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode},
};

const PREFIX: &str = "m";
const HEAD: &str = "m/HEAD";
const RETENTION: Duration = Duration::from_secs(3_602);

type Tune = fn(Options) -> Options;

fn sound(options: Options) -> Options {
    options
}

fn options(seed: u64, tune: Tune) -> Options {
    tune(Options {
        clock: Arc::new(TokioClock::new()),
        entropy: Arc::new(SeededEntropy::new(seed)),
        ..Options::default()
    })
}

async fn pause(span: Duration) {
    TokioClock::new().sleep(span).await;
}

async fn bytes_of(store: &MemoryStore, key: &str) -> Bytes {
    match store.get(key, GetOptions::default()).await.unwrap() {
        GetAnswer::Found { bytes, .. } => bytes,
        GetAnswer::NotModified => panic!("304 to a request without a condition"),
    }
}

/// A manifest of which most lies in log objects, and the state that it has.
async fn spilled(tune: Tune) -> (MemoryStore, Manifest, Snapshot) {
    let store = MemoryStore::new();
    let (manifest, _) = Manifest::create(Arc::new(store.clone()), PREFIX, options(1, tune))
        .await
        .unwrap();
    for number in 0..70 {
        let mut transaction = manifest.begin().await.unwrap();
        transaction
            .put(format!("key {number}"), vec![b'x'; 1_000])
            .unwrap();
        transaction.commit().await.unwrap();
    }
    manifest.maintain().await.unwrap();
    assert!(manifest.info().unwrap().log_objects > 0);
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    (store, manifest, snapshot)
}

/// Copies the log objects, and makes HEAD name the copies. Returns the keys of the originals.
async fn replace_log(store: &MemoryStore) -> Vec<String> {
    let keys = Keys::new(PREFIX).unwrap();
    let mut head = Head::decode(bytes_of(store, HEAD).await).unwrap();
    let mut originals = Vec::new();
    for item in &mut head.log {
        let LogItem::Object(reference) = item else {
            continue;
        };
        let original = keys.object(head.manifest, Folder::Log, reference.object.name);
        reference.object.name = ObjectName {
            epoch: head.epoch,
            nonce: Nonce::from_bits(!reference.object.name.nonce.bits()),
        };
        let copy = keys.object(head.manifest, Folder::Log, reference.object.name);
        let bytes = bytes_of(store, &original).await;
        store.put(&copy, bytes, PutMode::Create).await.unwrap();
        originals.push(original);
    }
    head.revision += 1;
    head.nonces
        .push((head.revision, Nonce::from_bits(head.revision.into())));
    head.nonces.remove(0);
    let bytes = head.encode().unwrap();
    store.put(HEAD, bytes, PutMode::Overwrite).await.unwrap();
    originals
}

/// A list that is wrong names all that HEAD names, and an orphan.
#[tokio::test(start_paused = true)]
async fn what_head_names_is_left_though_a_list_names_it() {
    let (store, manifest, _) = spilled(sound).await;
    let options = options(5, sound);
    let access = Arc::new(Access::new(
        Arc::new(store.clone()),
        Keys::new(PREFIX).unwrap(),
        &options,
    ));
    let head = Head::decode(bytes_of(&store, HEAD).await).unwrap();
    let key = |(folder, name): &(Folder, ObjectName)| access.keys.object(head.manifest, *folder, *name);
    let mut listed: Vec<_> = head.live().collect();
    let live: Vec<String> = listed.iter().map(key).collect();
    let nonce = Nonce::from_bits(9);
    let orphan = (Folder::Table, ObjectName { epoch: 1, nonce });
    listed.push(orphan);
    store
        .put(&key(&orphan), Bytes::new(), PutMode::Create)
        .await
        .unwrap();
    let to = Destination::by(&head, Duration::from_secs(60), Purpose::Maintenance);
    let bytes = list::encode(head.manifest, &listed);
    let collection = Collection {
        marked_revision: head.revision,
        list: object::put(&access, Folder::List, to, bytes).await.unwrap(),
        listed_unix_ms: 0,
        condemned: true,
    };
    let collect = Collect {
        access: Arc::clone(&access),
        head: head.clone(),
        patience: Duration::from_secs(60),
        broken: options.broken(),
    };
    let deleted = collect.delete(collection).await.unwrap();
    assert_eq!(deleted.log, []);
    assert!(!live.is_empty());
    assert_eq!(are_there(&store, &live).await, live.len());
    assert_eq!(are_there(&store, &[key(&orphan)]).await, 0);
    manifest.close().await;
}

async fn half_a_collection(manifest: &Manifest) {
    pause(RETENTION).await;
    manifest.maintain().await.unwrap();
}

async fn are_there(store: &MemoryStore, keys: &[String]) -> usize {
    let mut there = 0;
    for key in keys {
        there += usize::from(store.get(key, GetOptions::default()).await.is_ok());
    }
    there
}

/// All rows of a pinned state, by a handle that has seen nothing before.
async fn rows(store: &MemoryStore, name: &str) -> Result<usize, Error> {
    let reader = Manifest::open(Arc::new(store.clone()), PREFIX, options(77, sound)).await?;
    let pinned = reader.open_pin(name).await?;
    let entries = pinned.scan(crate::KeyRange::all()).collect().await?;
    reader.close().await;
    Ok(entries.len())
}

/// What a pin alone needs is kept until it is released.
async fn pinned_states_are_kept(tune: Tune) -> Result<(), Error> {
    let (store, manifest, snapshot) = spilled(tune).await;
    manifest.pin("p", &snapshot, None).await?;
    let originals = replace_log(&store).await;
    for _ in 0..4 {
        half_a_collection(&manifest).await;
    }
    assert_eq!(rows(&store, "p").await?, 70);
    manifest.release_pin("p").await?;
    for _ in 0..2 {
        half_a_collection(&manifest).await;
    }
    assert_eq!(are_there(&store, &originals).await, 0);
    assert_eq!(snapshot.get("key 1").await?.map(|value| value.len()), Some(1_000));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_only_a_pin_needs_is_kept_until_it_is_released() {
    pinned_states_are_kept(sound).await.unwrap();
}

/// The pin is made when the objects of its state are listed already, and not yet condemned.
#[tokio::test(start_paused = true)]
async fn a_pin_of_a_state_whose_objects_are_listed_saves_them() {
    let (store, manifest, snapshot) = spilled(sound).await;
    let originals = replace_log(&store).await;
    half_a_collection(&manifest).await;
    manifest.pin("p", &snapshot, None).await.unwrap();
    half_a_collection(&manifest).await;
    assert!(manifest.info().unwrap().collected_through > snapshot.revision());
    assert_eq!(are_there(&store, &originals).await, originals.len());
    assert_eq!(rows(&store, "p").await.unwrap(), 70);
    manifest.close().await;
}

/// Once they are condemned it is refused, by whichever handle, and nothing is written for it.
async fn collected_states_are_not_pinned(tune: Tune) -> Result<(), Error> {
    let (store, manifest, snapshot) = spilled(tune).await;
    replace_log(&store).await;
    half_a_collection(&manifest).await;
    half_a_collection(&manifest).await;
    match manifest.pin("p", &snapshot, None).await {
        Ok(_) => {
            rows(&store, "p").await?;
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::SnapshotExpired, "{error}"),
    }
    let newest = manifest.snapshot(Freshness::Latest).await?;
    manifest.pin("newest", &newest, None).await?;
    assert_eq!(rows(&store, "newest").await?, 70);
    manifest.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_state_whose_objects_may_be_deleted_is_not_pinned() {
    collected_states_are_not_pinned(sound).await.unwrap();
}

/// A pin is made while the HEAD that condemns is on its way: that HEAD loses, and the next one spares the pin.
async fn a_pin_that_races_the_condemning_head_is_safe(tune: Tune) -> Result<(), Error> {
    let (store, manifest, snapshot) = spilled(tune).await;
    replace_log(&store).await;
    let interposed = Interposed::over(store.clone());
    let collector = Manifest::open(Arc::new(interposed.clone()), PREFIX, options(2, tune)).await?;
    half_a_collection(&collector).await;
    pause(RETENTION).await;
    interposed.before_next_head({
        let (manifest, snapshot) = (manifest.clone(), snapshot.clone());
        Box::pin(async move {
            // Time for whoever does not wait for the HEAD's answer.
            pause(Duration::from_secs(1)).await;
            manifest.pin("p", &snapshot, None).await.unwrap();
        })
    });
    collector.maintain().await?;
    assert_eq!(rows(&store, "p").await?, 70);
    assert!(collector.info()?.collected_through > snapshot.revision());
    collector.close().await;
    manifest.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_pin_that_races_a_collection_is_safe() {
    a_pin_that_races_the_condemning_head_is_safe(sound).await.unwrap();
}

/// A handle that has slept reads HEAD, and finds what it names gone: it looks again, and goes on with the newer HEAD. Where
/// HEAD still names it, it is lost.
#[tokio::test(start_paused = true)]
async fn a_reader_of_an_old_head_looks_again_and_finds_the_newer_one() {
    let (store, manifest, _) = spilled(sound).await;
    let old = bytes_of(&store, HEAD).await;
    let originals = replace_log(&store).await;
    half_a_collection(&manifest).await;
    half_a_collection(&manifest).await;
    assert_eq!(are_there(&store, &originals).await, 0);
    let interposed = Interposed::over(store.clone());
    interposed.shows_once(old.clone());
    let late = Manifest::open(Arc::new(interposed), PREFIX, options(3, sound))
        .await
        .unwrap();
    assert_eq!(
        late.get("key 1").await.unwrap().map(|value| value.len()),
        Some(1_000)
    );
    store.put(HEAD, old, PutMode::Overwrite).await.unwrap();
    let error = Manifest::open(Arc::new(store), PREFIX, options(4, sound))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    late.close().await;
    manifest.close().await;
}

#[cfg(feature = "mutants")]
mod mutants {
    use super::*;
    use crate::Mutant;

    fn forgets_pins(options: Options) -> Options {
        Options {
            mutant: Some(Mutant::PinsNotSubtracted),
            ..options
        }
    }

    fn pins_what_is_collected(options: Options) -> Options {
        Options {
            mutant: Some(Mutant::CollectedStatePinned),
            ..options
        }
    }

    fn deletes_early(options: Options) -> Options {
        Options {
            mutant: Some(Mutant::DeletedBeforeCondemned),
            ..options
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pins_that_are_not_spared_are_noticed() {
        let error = pinned_states_are_kept(forgets_pins).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_collected_state_that_is_pinned_is_noticed() {
        let error = collected_states_are_not_pinned(pins_what_is_collected)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_before_the_condemning_head_is_acknowledged_is_noticed() {
        let error = a_pin_that_races_the_condemning_head_is_safe(deletes_early)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[derive(Default)]
struct Script {
    before_head: Option<BoxFuture<'static, ()>>,
    shows: Option<Bytes>,
}

/// A store in memory; something happens just before the next PUT of HEAD is applied, or its next GET shows something else.
#[derive(Clone)]
struct Interposed {
    inner: MemoryStore,
    script: Arc<Mutex<Script>>,
}

impl Interposed {
    fn over(inner: MemoryStore) -> Self {
        Self {
            inner,
            script: Arc::default(),
        }
    }

    fn before_next_head(&self, happens: BoxFuture<'static, ()>) {
        self.script.lock().before_head = Some(happens);
    }

    fn shows_once(&self, bytes: Bytes) {
        self.script.lock().shows = Some(bytes);
    }
}

impl fmt::Debug for Interposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interposed").finish_non_exhaustive()
    }
}

impl Store for Interposed {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        let shown = match key == HEAD {
            true => self.script.lock().shows.take(),
            false => None,
        };
        match shown {
            Some(bytes) => Box::pin(async move {
                let etag = ETag::new("\"old\"");
                Ok(GetAnswer::Found { bytes, etag })
            }),
            None => self.inner.get(key, options),
        }
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        let happens = match key == HEAD {
            true => self.script.lock().before_head.take(),
            false => None,
        };
        Box::pin(async move {
            if let Some(happens) = happens {
                happens.await;
            }
            self.inner.put(key, body, mode).await
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.delete(keys)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        self.inner.list(prefix, after)
    }

    fn describe(&self) -> String {
        "interposed memory".to_owned()
    }

    fn date(&self) -> Option<u64> {
        self.inner.date()
    }
}
