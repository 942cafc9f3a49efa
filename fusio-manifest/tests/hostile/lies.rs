//! What callers see of a `Store` that lies, in virtual time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, ErrorKind, Manifest, MemoryStore, Store, StoreError, TokioClock,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode},
};

use crate::{
    liar::{Liar, Lie, Listed},
    table::{Row, hold},
    world::{
        HEAD, OPERATION, Operation, PREFIX, REQUEST, built, close, copied, hold_to_its_word, hurried, key_in,
        keys, object, overwrite, patient, put,
    },
};

use Operation::{Commit, CommitLarge, Create, Get, Maintain, Open, OpenPin, Scan, Verify};

struct Case {
    name: &'static str,
    operations: &'static [Operation],
    lie: Lie,
}

const ALL: &[Operation] = &[
    Create,
    Open,
    Get,
    Scan,
    Commit,
    CommitLarge,
    Maintain,
    OpenPin,
    Verify,
];
const OF_HEAD: &[Operation] = &[Open, Get, Commit];
const OF_OBJECTS: &[Operation] = &[Open, Get, Scan, OpenPin, Verify];
const OF_LISTS: &[Operation] = &[Create, Maintain, Verify];

fn case(name: &'static str, operations: &'static [Operation], lie: Lie) -> Case {
    Case {
        name,
        operations,
        lie,
    }
}

fn wrong_etags() -> Vec<Case> {
    let put = |etag: &str| Lie::PutHasETag(etag.to_owned());
    let head = |etag: &str| Lie::HeadHasETag(etag.to_owned());
    let long = "x".repeat(64 << 10);
    vec![
        case("ETag of a PUT is empty", &[Commit], put("")),
        case("ETag of a PUT is weak", &[Commit], put("W/\"1\"")),
        case("ETag of a PUT has 64 KiB", &[Commit], put(&long)),
        case("ETag of a PUT is another", &[Commit], put("\"made up\"")),
        case("ETag of a PUT breaks the line", &[Commit], put("\"a\r\nb\"")),
        case(
            "ETag of a PUT is that of what it replaced",
            &[Commit],
            Lie::PutHasOldETag,
        ),
        case("ETag of HEAD is empty", OF_HEAD, head("")),
        case("ETag of HEAD is weak", OF_HEAD, head("W/\"1\"")),
        case("ETag of HEAD has 64 KiB", OF_HEAD, head(&long)),
        case(
            "ETag of HEAD is another at each GET",
            OF_HEAD,
            Lie::HeadChangesETag,
        ),
    ]
}

async fn wrong_bytes(store: &MemoryStore) -> Vec<Case> {
    let other = MemoryStore::new();
    let (founder, _) = Manifest::create(Arc::new(other.clone()), PREFIX, patient(77))
        .await
        .unwrap();
    let others = object(&other, HEAD).await;
    founder.close().await;
    let pin = object(store, &key_in(store, "pin").await).await;
    let log = object(store, &key_in(store, "log").await).await;
    // A pin holds the HEAD before the last one, behind a header of its own.
    let older = pin.slice(40..);
    vec![
        case("304 to whoever asks", ALL, Lie::NotModifiedToAll),
        case(
            "a web page for every object",
            ALL,
            Lie::Instead("<html>Log in</html>".into()),
        ),
        case("nothing for every object", ALL, Lie::Instead(Bytes::new())),
        case("the pin for every object", ALL, Lie::Instead(pin)),
        case("the log object for every object", ALL, Lie::Instead(log)),
        case("HEAD of another manifest", ALL, Lie::HeadIs(others)),
        case("an older HEAD", OF_HEAD, Lie::HeadIs(older)),
        case("1 MiB more than every object has", ALL, Lie::Longer(1 << 20)),
        case("HEAD longer by each GET", OF_HEAD, Lie::Grows),
        case("a byte less than every object has", OF_OBJECTS, Lie::Shorter),
        case("ranges that begin a byte later", OF_OBJECTS, Lie::Shifted),
    ]
}

fn wrong_lists() -> Vec<Case> {
    let list = |name, listed| case(name, OF_LISTS, Lie::List(listed));
    vec![
        list("the first page for ever", Listed::FirstPageForEver),
        list("keys outside the prefix", Listed::OutsidePrefix),
        list("keys out of order", Listed::Disordered),
        list("a million keys a page", Listed::AMillionAPage),
        list("an endless list", Listed::Endless),
        list("empty pages, and more", Listed::EmptyAndMore),
        list("an empty list", Listed::Nothing),
        case(
            "deletes nothing and does not say so",
            &[Create, Maintain],
            Lie::DeletesNothing,
        ),
    ]
}

fn silence_and_refusals() -> Vec<Case> {
    const WRITES: &[Operation] = &[Commit, CommitLarge, Maintain];
    const DATED: &[Operation] = &[Commit, Maintain, OpenPin];
    let mut cases = vec![
        case("never answers", ALL, Lie::NeverAnswers("any")),
        case("never answers a PUT", WRITES, Lie::NeverAnswers("PUT")),
        case("never answers a LIST", OF_LISTS, Lie::NeverAnswers("LIST")),
        case(
            "never answers a DELETE",
            &[Create, Maintain],
            Lie::NeverAnswers("DELETE"),
        ),
        case(
            "a portal answers PUTs of objects, which are stored",
            WRITES,
            Lie::Unbelievable(true),
        ),
        case(
            "a portal answers PUTs of objects, which are not stored",
            WRITES,
            Lie::Unbelievable(false),
        ),
        case("no Date", DATED, Lie::Date(None)),
        case("Date of 1970", DATED, Lie::Date(Some(1))),
        case("Date past all time", DATED, Lie::Date(Some(u64::MAX))),
    ];
    for (name, status) in [
        ("302", 302),
        ("401", 401),
        ("403", 403),
        ("418", 418),
        ("499", 499),
        ("503", 503),
        ("599", 599),
    ] {
        cases.push(case(name, ALL, Lie::Status("any", status)));
    }
    cases
}

async fn cases(store: &MemoryStore) -> Vec<Case> {
    let mut cases = wrong_etags();
    cases.extend(wrong_bytes(store).await);
    cases.extend(wrong_lists());
    cases.extend(silence_and_refusals());
    cases
}

/// How long an operation may take at most where each of its requests is bounded: its own deadline, one request that was
/// sent before it, and one look to find out.
fn most(operation: Operation) -> Duration {
    match operation {
        Get | Scan | Open | OpenPin | Commit | CommitLarge => OPERATION + 2 * REQUEST,
        // Each request has its own; `create` probes, `maintain` does several things, `verify` reads all.
        Create | Maintain | Verify => 12 * OPERATION,
    }
}

async fn row(case: &Case, operation: Operation, store: &MemoryStore) -> Row {
    let what = format!("{}, {}", case.name, operation.name());
    let honest = copied(store).await;
    if operation == Create {
        honest.delete(&keys(&honest).await).await.unwrap();
    }
    let liar = Liar::over(honest.clone(), case.lie.clone());
    let shared: Arc<dyn Store> = Arc::new(liar.clone());
    let handle = operation.handle(Arc::clone(&shared), hurried(5)).await;
    if operation == Maintain {
        // What nothing names, and time enough that it is looked for.
        let orphan = key_in(&honest, "log").await;
        let orphan = format!("{}{:032x}", &orphan[..orphan.len() - 32], 7);
        overwrite(&honest, &orphan, "orphan").await;
        TokioClock::new().sleep(Duration::from_secs(3_602)).await;
    }
    liar.turn();
    let clock = TokioClock::new();
    let began = clock.now();
    let mut saw = operation
        .run(Arc::clone(&shared), handle.as_ref(), hurried(6))
        .await;
    let mut after = clock.now() - began;
    if operation == Maintain && saw.is_ok() {
        clock.sleep(Duration::from_secs(3_602)).await;
        let began = clock.now();
        saw = operation.run(shared, handle.as_ref(), hurried(6)).await;
        after = after.max(clock.now() - began);
    }
    assert!(after <= most(operation), "{what}: answered after {after:?}");
    assert_ne!(
        liar.asked.load(Ordering::SeqCst),
        u64::MAX,
        "{what}: a GET without a bound"
    );
    if let Some(handle) = handle {
        close(&handle).await;
    }
    hold_to_its_word(&what, operation, &saw, &honest).await;
    Row {
        case: case.name.to_owned(),
        operation: operation.name(),
        saw,
        after,
    }
}

#[tokio::test(start_paused = true)]
async fn callers_of_a_lying_store_are_told_what_is_wrong_in_time() {
    let store = built().await;
    let mut rows = Vec::new();
    for case in cases(&store).await {
        for operation in case.operations {
            rows.push(row(&case, *operation, &store).await);
        }
    }
    hold("A store that lies", rows);
}

/// What nobody can find out: the acknowledgement of what was not stored. The next look does.
#[tokio::test(start_paused = true)]
async fn a_put_that_is_acknowledged_and_dropped_stops_the_handle_at_the_next_look() {
    #[derive(Debug)]
    struct Drops(MemoryStore);
    impl Store for Drops {
        fn get<'a>(
            &'a self,
            key: &'a str,
            options: GetOptions,
        ) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
            self.0.get(key, options)
        }
        fn put<'a>(&'a self, _: &'a str, _: Bytes, _: PutMode) -> BoxFuture<'a, Result<ETag, StoreError>> {
            Box::pin(async { Ok(ETag::new("\"dropped\"")) })
        }
        fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
            self.0.delete(keys)
        }
        fn list<'a>(
            &'a self,
            prefix: &'a str,
            after: Option<&'a str>,
        ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
            self.0.list(prefix, after)
        }
        fn describe(&self) -> String {
            "a store that drops".to_owned()
        }
        fn date(&self) -> Option<u64> {
            self.0.date()
        }
    }
    let store = Arc::new(Drops(built().await));
    let manifest = Manifest::open(store, PREFIX, hurried(5)).await.unwrap();
    put(&manifest, "new", "new").await.unwrap();
    let error = manifest.get("new").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreWentBack, "{error}");
    let error = put(&manifest, "more", "more").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreWentBack, "{error}");
}
