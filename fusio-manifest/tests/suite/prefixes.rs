//! Whatever callers name and whatever a store lists: every request stays below `<prefix>/`, and nothing that lies elsewhere
//! is deleted.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use fusio_manifest::{
    Entropy as _, ErrorKind, Freshness, Inspect, Manifest, MemoryStore, Options, SeededEntropy,
    SharedSettings, Store, StoreError, inspect,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, ListedObject, PutMode},
    verify,
};
use parking_lot::Mutex;

use crate::{
    collect::{RETENTION, keys},
    fold::{Content, folded_soon, step},
    support::{object, options, pause},
};

/// A store that notes every request that goes elsewhere, and lists what lies elsewhere too.
#[derive(Debug, Clone)]
struct Fenced {
    inner: MemoryStore,
    below: String,
    /// Listed in every page, whatever was asked for.
    also: Vec<String>,
    outside: Arc<Mutex<Vec<String>>>,
}

impl Fenced {
    fn new(inner: MemoryStore, prefix: &str, also: Vec<String>) -> Self {
        Self {
            inner,
            below: format!("{}/", prefix.trim_matches('/')),
            also,
            outside: Arc::default(),
        }
    }

    fn note(&self, call: &str, key: &str) {
        let strange = key.split('/').any(|part| matches!(part, "" | "." | ".."));
        if !key.starts_with(&self.below) || (call != "LIST" && strange) {
            self.outside.lock().push(format!("{call} {key}"));
        }
    }
}

impl Store for Fenced {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        self.note("GET", key);
        self.inner.get(key, options)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        self.note("PUT", key);
        self.inner.put(key, body, mode)
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        keys.iter().for_each(|key| self.note("DELETE", key));
        self.inner.delete(keys)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        self.note("LIST", prefix);
        Box::pin(async move {
            let mut page = self.inner.list(prefix, after).await?;
            // Before what belongs there, so that the place to go on from is not theirs.
            let foreign = self.also.iter().map(|key| ListedObject {
                key: key.clone(),
                bytes: 1,
            });
            page.objects.splice(0..0, foreign);
            Ok(page)
        })
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn date(&self) -> Option<u64> {
        self.inner.date()
    }
}

/// Names that a careless engine would make keys of.
const PIN_NAMES: [&str; 12] = [
    "../../other",
    "..",
    "/",
    "//",
    "a/../../other/HEAD",
    "\0",
    "HEAD",
    "\u{e9}/\u{202e}\u{1f4cc}",
    "%2e%2e%2f",
    "new\nline",
    "\u{1b}[31m",
    " ",
];

const PREFIXES: [&str; 6] = [
    "m",
    "/a/b/",
    "a b+c%2F..",
    "...",
    "\u{e9}t\u{e9}/\u{1f4c1}",
    "HEAD",
];

/// What lies beside the manifest: other manifests, and names that look nearly like this one's.
async fn neighbours(store: &MemoryStore, prefix: &str) -> BTreeMap<String, Bytes> {
    let (id, name) = (format!("{:032x}", 7), format!("{:016x}-{:032x}", 1, 1));
    let inner = prefix.trim_matches('/');
    let mut all = BTreeMap::new();
    for key in [
        "HEAD".to_owned(),
        format!("{id}/log/{name}"),
        format!("{inner}2/HEAD"),
        format!("{inner}2/{id}/log/{name}"),
        format!("{inner}probe-{id}/x"),
        format!("other/{id}/table/{name}"),
        format!("x/{inner}/{id}/log/{name}"),
        format!("{inner}\u{0}/{id}/log/{name}"),
        inner.to_owned(),
    ] {
        let body = Bytes::from(format!("of {key}"));
        store.put(&key, body.clone(), PutMode::Overwrite).await.unwrap();
        all.insert(key, body);
    }
    all
}

fn pick<'a>(entropy: &SeededEntropy, of: &[&'a str]) -> &'a str {
    let index = entropy.bits().unwrap() % u64::try_from(of.len()).unwrap();
    of[usize::try_from(index).unwrap()]
}

/// A manifest lives through everything that it can, collections and a destruction included.
async fn live(store: &Fenced, prefix: &str, seed: u64) {
    let entropy = SeededEntropy::new(seed);
    let shared = SharedSettings {
        log_objects_max: 8,
        fold_objects: 2,
        ..folded_soon()
    };
    let options = Options {
        shared,
        ..options(seed)
    };
    let arc: Arc<dyn Store> = Arc::new(store.clone());
    let (manifest, _) = Manifest::create(Arc::clone(&arc), prefix, options.clone())
        .await
        .unwrap();
    let mut content = Content::new();
    for number in 0..40 {
        step(&manifest, number, &mut content).await.unwrap();
        match entropy.bits().unwrap() % 8 {
            0 => {
                let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
                let name = pick(&entropy, &PIN_NAMES);
                match manifest.pin(name, &snapshot, None).await {
                    Ok(pin) => assert_eq!(pin.name, name),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
                }
                manifest.open_pin(name).await.unwrap().get("k").await.unwrap();
            }
            1 => {
                let name = pick(&entropy, &PIN_NAMES);
                let released = manifest.release_pin(name).await;
                assert!(released.is_ok() || manifest.open_pin(name).await.is_err());
            }
            2 => {
                pause(RETENTION).await;
                manifest.maintain().await.unwrap();
            }
            _ => {}
        }
    }
    let reader = Manifest::open(Arc::clone(&arc), prefix, self::options(seed + 1_000))
        .await
        .unwrap();
    reader.get("often 1").await.unwrap();
    inspect(Arc::clone(&arc), prefix, &options, Inspect::Garbage)
        .await
        .unwrap();
    let report = verify(Arc::clone(&arc), prefix, &options, |_| {}).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    for _ in 0..2 {
        pause(RETENTION).await;
        manifest.maintain().await.unwrap();
    }
    reader.close().await;
    manifest.close().await;
    Manifest::destroy(arc, prefix, &options).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_request_of_random_lives_stays_below_the_prefix() {
    for seed in 0..18 {
        let prefix = PREFIXES[usize::try_from(seed).unwrap() % PREFIXES.len()];
        let inner = MemoryStore::new();
        let beside = neighbours(&inner, prefix).await;
        let store = Fenced::new(inner.clone(), prefix, Vec::new());
        live(&store, prefix, seed).await;
        assert_eq!(
            *store.outside.lock(),
            Vec::<String>::new(),
            "seed {seed}, prefix {prefix:?}"
        );
        let left = keys(&inner).await;
        assert_eq!(left, beside.keys().cloned().collect::<Vec<_>>(), "seed {seed}");
        for (key, body) in &beside {
            assert_eq!(object(&inner, key).await, body, "seed {seed}: {key}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_lists_what_lies_elsewhere_is_not_believed_and_nothing_there_is_deleted() {
    for prefix in PREFIXES {
        let inner = MemoryStore::new();
        let founded = Options {
            shared: folded_soon(),
            ..options(1)
        };
        let (manifest, _) = Manifest::create(Arc::new(inner.clone()), prefix, founded)
            .await
            .unwrap();
        let mut content = Content::new();
        for number in 0..40 {
            step(&manifest, number, &mut content).await.unwrap();
        }
        manifest.close().await;
        let beside = neighbours(&inner, prefix).await;
        let store = Fenced::new(inner.clone(), prefix, beside.keys().cloned().collect());
        let arc: Arc<dyn Store> = Arc::new(store.clone());
        let manifest = Manifest::open(Arc::clone(&arc), prefix, options(2))
            .await
            .unwrap();
        let mut refusals = Vec::new();
        for _ in 0..3 {
            pause(RETENTION).await;
            refusals.extend(manifest.maintain().await.err());
        }
        assert!(!refusals.is_empty(), "{prefix:?}: it collects");
        manifest.close().await;
        refusals.extend(
            inspect(Arc::clone(&arc), prefix, &options(3), Inspect::Garbage)
                .await
                .err(),
        );
        refusals.extend(verify(Arc::clone(&arc), prefix, &options(4), |_| {}).await.err());
        refusals.extend(Manifest::destroy(arc, prefix, &options(5)).await.err());
        assert!(refusals.len() >= 4, "{prefix:?}: {refusals:?}");
        for refusal in refusals {
            assert_eq!(refusal.kind(), ErrorKind::UnfitStore, "{prefix:?}: {refusal}");
        }
        assert_eq!(*store.outside.lock(), Vec::<String>::new(), "{prefix:?}");
        for (key, body) in &beside {
            assert_eq!(object(&inner, key).await, body, "{prefix:?}: {key}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn prefixes_that_could_mean_another_place_are_refused_before_anything_is_sent() {
    let long = "x".repeat(901);
    for prefix in [
        "..",
        "a/../b",
        "./a",
        "a//b",
        "a\0",
        "a\nb",
        "a/\u{7f}/b",
        "\u{ffff}",
        long.as_str(),
    ] {
        let store = Fenced::new(MemoryStore::new(), "nowhere", Vec::new());
        let arc: Arc<dyn Store> = Arc::new(store.clone());
        let refusals = [
            Manifest::create(Arc::clone(&arc), prefix, options(1)).await.err(),
            Manifest::open(Arc::clone(&arc), prefix, options(1)).await.err(),
            Manifest::destroy(Arc::clone(&arc), prefix, &options(1))
                .await
                .err(),
            inspect(Arc::clone(&arc), prefix, &options(1), Inspect::Garbage)
                .await
                .err(),
            verify(Arc::clone(&arc), prefix, &options(1), |_| {}).await.err(),
        ];
        for refusal in refusals {
            let error = refusal.unwrap();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{prefix:?}: {error}");
            let told = error.to_string();
            assert!(
                told.starts_with("the prefix ") && !told.contains(char::is_control),
                "{told:?}"
            );
        }
        assert_eq!(*store.outside.lock(), Vec::<String>::new(), "{prefix:?}");
    }
}

/// Who reads what somebody else named reads it on a terminal, too.
#[tokio::test(start_paused = true)]
async fn names_of_pins_are_told_without_what_a_terminal_acts_on() {
    let store = MemoryStore::new();
    let (manifest, _) = Manifest::create(Arc::new(store.clone()), "m", options(1))
        .await
        .unwrap();
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    for name in PIN_NAMES {
        manifest.pin(name, &snapshot, None).await.unwrap();
        let taken = manifest.pin(name, &snapshot, None).await.unwrap_err().to_string();
        assert!(!taken.contains(char::is_control), "{taken:?}");
    }
    let seen = inspect(Arc::new(store), "m", &options(2), Inspect::Head)
        .await
        .unwrap();
    let told = seen.to_string();
    assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
    assert!(
        told.contains(r#""new\nline""#) && told.contains(r#""\u{1b}[31m""#),
        "{told}"
    );
    manifest.close().await;
}
