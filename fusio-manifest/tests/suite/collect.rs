//! What nothing references is deleted, and nothing else: whoever dies where, and however many do it at once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Error, Freshness, Manifest, MemoryStore, RequestClass, RequestMeter, SharedSettings, Store as _,
    store::PutMode,
};

use crate::{
    numbered::{Accident, NumberedStore},
    spill::{all_there, fill},
    support::{
        PREFIX, Verdict, ensure, founded_with, increment, open, open_faulty, options, pause, put, settle,
        unexpected, within,
    },
};

/// The default retention, and what the store's Date may be rounded by.
pub(crate) const RETENTION: Duration = Duration::from_secs(3_602);

/// Puts objects into a manifest's folders that nothing names: what processes leave that die.
pub(crate) async fn orphans(store: &MemoryStore, manifest: &Manifest, epoch: u64, count: u64) {
    let id = manifest.info().unwrap().manifest;
    for number in 0..count {
        let folder = ["log", "table", "pin", "list"][usize::try_from(number % 4).unwrap()];
        let key = format!("{PREFIX}/{id}/{folder}/{epoch:016x}-{number:032x}");
        let bytes = Bytes::from_static(b"orphan");
        store.put(&key, bytes, PutMode::Create).await.unwrap();
    }
}

/// All keys in the store.
pub(crate) async fn keys(store: &MemoryStore) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    loop {
        let page = store.list("", keys.last().map(String::as_str)).await.unwrap();
        keys.extend(page.objects.into_iter().map(|object| object.key));
        if !page.more {
            return keys;
        }
    }
}

/// How many objects there should be: HEAD, and what it names.
pub(crate) fn named(manifest: &Manifest) -> usize {
    let info = manifest.info().unwrap();
    1 + info.log_objects + info.tables + info.pins
}

/// Both halves of a collection, and time for what the store keeps for readers.
pub(crate) async fn collect(manifest: &Manifest) {
    for _ in 0..2 {
        pause(RETENTION).await;
        manifest.maintain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_nothing_references_is_gone_after_a_retention_and_nothing_else() {
    let (store, manifest) = founded_with(SharedSettings::default()).await;
    fill(&manifest, 0..100).await.unwrap();
    manifest.maintain().await.unwrap();
    orphans(&store, &manifest, 1, 40).await;
    let foreign = [
        format!("{PREFIX}/notes.txt"),
        format!("{PREFIX}/{}/log/readme", manifest.info().unwrap().manifest),
        format!("{PREFIX}/{:032x}/log/{:016x}-{:032x}", 7, 1, 1),
    ];
    for key in &foreign {
        store.put(key, Bytes::new(), PutMode::Create).await.unwrap();
    }
    let before = keys(&store).await.len();

    pause(RETENTION).await;
    manifest.maintain().await.unwrap();
    assert_eq!(
        keys(&store).await.len(),
        before + 1,
        "listed, and kept for a retention"
    );
    pause(RETENTION - Duration::from_secs(3)).await;
    manifest.maintain().await.unwrap();
    assert_eq!(keys(&store).await.len(), before + 1, "a little early");
    pause(Duration::from_secs(3)).await;
    manifest.maintain().await.unwrap();
    let left = keys(&store).await;
    assert_eq!(left.len(), named(&manifest) + foreign.len(), "{left:?}");
    assert!(foreign.iter().all(|key| left.contains(key)));
    all_there(&store, 100, 0).await.unwrap();
    manifest.close().await;
}

/// With nothing to do but the collection: 3 LISTs for 2,600 objects, 3 DELETEs for 2,500 of them and one for the list, the
/// list's PUT and GET, and four HEADs. Where commits go on their HEADs carry all of that.
#[tokio::test(start_paused = true)]
async fn a_collection_costs_a_list_per_thousand_objects_and_no_head_where_commits_go_on() {
    for commits_go_on in [false, true] {
        let (store, founder) = founded_with(SharedSettings::default()).await;
        fill(&founder, 0..100).await.unwrap();
        founder.maintain().await.unwrap();
        orphans(&store, &founder, 1, 2_500).await;
        let meter = Arc::new(RequestMeter::new());
        let metered = store.with_meter(Arc::clone(&meter));
        let manifest = open(&metered, options(2)).await;
        let before = meter.counts();
        let mut commits = 0;
        for _ in 0..2 {
            pause(RETENTION).await;
            if !commits_go_on {
                manifest.maintain().await.unwrap();
                continue;
            }
            for _ in 0..4 {
                increment(&manifest, "count").await.unwrap();
                commits += 1;
                settle().await;
            }
        }
        let sent = meter.counts();
        let count = |class| sent.requests(class) - before.requests(class);
        // The second half is followed by the first of the next collection, which finds nothing.
        let fences = 2;
        let heads = if commits_go_on { commits } else { 3 + fences };
        assert_eq!(count(RequestClass::ConditionalPut), heads + 1, "{commits_go_on}");
        assert_eq!(count(RequestClass::List), 3 + 1, "{commits_go_on}");
        assert_eq!(count(RequestClass::Delete), 3 + 1, "{commits_go_on}");
        assert_eq!(count(RequestClass::Get), 1, "{commits_go_on}");
        // Who does nothing else looks at HEAD before it begins.
        let looks = if commits_go_on { 0 } else { 2 };
        assert_eq!(count(RequestClass::ConditionalGet), looks, "{commits_go_on}");
        let maintenance = manifest.info().unwrap().maintenance;
        let beside = maintenance.requests(RequestClass::List) + maintenance.requests(RequestClass::Delete);
        assert_eq!(beside, 8, "they count as maintenance");
        assert_eq!(keys(&store).await.len(), named(&manifest), "{commits_go_on}");
        all_there(&store, 100, commits).await.unwrap();
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_garbage_a_collection_is_one_listing() {
    let (store, founder) = founded_with(SharedSettings::default()).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    put(&manifest, "k", "v").await.unwrap();
    for _ in 0..3 {
        pause(RETENTION).await;
        manifest.maintain().await.unwrap();
    }
    let maintenance = manifest.info().unwrap().maintenance;
    assert_eq!(maintenance.requests(RequestClass::List), 3);
    assert_eq!(maintenance.puts(), 3, "one HEAD for each, that raises the epoch");
    assert_eq!((faulty.bodies().len(), keys(&store).await.len()), (4, 1));
    founder.close().await;
    manifest.close().await;
}

/// A manifest with everything in it: log objects, commits in HEAD, a pin, what dead processes left.
pub(crate) async fn furnished() -> (MemoryStore, Manifest) {
    let (store, founder) = founded_with(SharedSettings::default()).await;
    fill(&founder, 0..70).await.unwrap();
    founder.maintain().await.unwrap();
    let snapshot = founder.snapshot(Freshness::Latest).await.unwrap();
    founder.pin("kept", &snapshot, None).await.unwrap();
    fill(&founder, 70..80).await.unwrap();
    orphans(&store, &founder, 1, 9).await;
    (store, founder)
}

/// All is there that should be and, after one more collection, nothing else.
pub(crate) async fn in_order(store: &MemoryStore, seed: u64) -> Verdict {
    let healer = open(store, options(seed)).await;
    for _ in 0..4 {
        pause(RETENTION).await;
        healer.maintain().await.map_err(unexpected)?;
    }
    let left = keys(store).await;
    ensure!(left.len() == named(&healer), "{} named: {left:?}", named(&healer));
    let pinned = healer.open_pin("kept").await.map_err(unexpected)?;
    ensure!(
        pinned.get("key 69").await.map_err(unexpected)?.is_some(),
        "lost a pinned row"
    );
    ensure!(
        pinned.get("key 70").await.map_err(unexpected)?.is_none(),
        "the pin moved"
    );
    healer.close().await;
    all_there(store, 80, 0).await
}

#[tokio::test(start_paused = true)]
async fn whoever_dies_between_two_requests_of_a_collection_loses_nothing_and_leaves_nothing() {
    for accident in [Accident::DiesBefore, Accident::DiesAfter] {
        let requests = at_every_request(1, accident, |_, _| {}).await;
        // HEAD, log objects, the pin's object; four HEADs, a listing, two deletions, the list, twice; and more.
        assert!(requests > 12, "only {requests} requests");
    }
}

/// Has the accident happen to each request, from number `first` on, of a handle that opens and collects, and holds
/// that another one brings all in order. `told` gets the number of the request and what `maintain` said. Returns
/// how many requests there were.
async fn at_every_request(first: u64, accident: Accident, told: impl Fn(u64, Result<(), Error>)) -> u64 {
    let mut at = first;
    loop {
        let (store, founder) = furnished().await;
        let numbered = NumberedStore::over(store.clone(), at, accident);
        if let Ok(unlucky) = Manifest::open(Arc::new(numbered.clone()), PREFIX, options(at + 10)).await {
            for _ in 0..3 {
                pause(RETENTION).await;
                told(at, unlucky.maintain().await);
            }
        }
        in_order(&store, at + 1_000)
            .await
            .unwrap_or_else(|what| panic!("{accident:?} at request {at}: {what}"));
        founder.close().await;
        if !numbered.happened() {
            return at;
        }
        at += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_a_request_of_a_collection_nothing_is_lost_and_nothing_left() {
    let accidents = [
        Accident::LosesReply,
        Accident::Refuses(500),
        Accident::RefusesAfter(500),
        Accident::Refuses(503),
        Accident::Refuses(409),
        Accident::Refuses(403),
    ];
    for accident in accidents {
        let transient = matches!(
            accident,
            Accident::LosesReply | Accident::Refuses(500 | 503) | Accident::RefusesAfter(500)
        );
        let told = |at, told: Result<(), Error>| {
            assert!(
                told.is_ok() || !transient,
                "{accident:?} at {at}: patience would have helped: {told:?}"
            );
        };
        let requests = at_every_request(3, accident, told).await;
        assert!(requests > 12, "only {requests} requests");
    }
}

#[tokio::test(start_paused = true)]
async fn two_that_collect_at_once_are_harmless() {
    for head_start in [0, 5, 10, 15, 25, 40, 60] {
        let (store, founder) = furnished().await;
        let slow = |seed| {
            let store = NumberedStore::over(store.clone(), u64::MAX, Accident::DiesBefore);
            async move {
                Manifest::open(Arc::new(store), PREFIX, options(seed))
                    .await
                    .unwrap()
            }
        };
        let (first, second) = (slow(2).await, slow(3).await);
        for _ in 0..3 {
            pause(RETENTION).await;
            let late = async {
                pause(Duration::from_millis(head_start)).await;
                second.maintain().await
            };
            let (one, other) = tokio::join!(first.maintain(), late);
            one.unwrap();
            other.unwrap();
        }
        in_order(&store, 1_000)
            .await
            .unwrap_or_else(|what| panic!("{head_start} ms later: {what}"));
        for handle in [founder, first, second] {
            handle.close().await;
        }
    }
}

/// Nobody asks for maintenance: commits carry all of it, of whoever makes them.
#[tokio::test(start_paused = true)]
async fn who_commits_collects_and_others_finish_for_who_is_gone() {
    let (store, founder) = furnished().await;
    orphans(&store, &founder, 0, 12).await;
    // Handles that come, commit once and leave, half a retention apart.
    for seed in 0..12 {
        pause(RETENTION / 2).await;
        let visitor = open(&store, options(100 + seed)).await;
        put(&visitor, "visitor", &seed.to_string()).await.unwrap();
        visitor.close().await;
    }
    let reader = open(&store, options(99)).await;
    let left = keys(&store).await;
    assert_eq!(left.len(), named(&reader), "{left:?}");
    reader.close().await;
    founder.close().await;
}

/// It dies when its HEAD has condemned the list. Whoever commits goes on, but not at once: it might be at it still.
#[tokio::test(start_paused = true)]
async fn a_deletion_of_someone_who_is_gone_is_taken_over_by_who_commits() {
    let (store, founder) = furnished().await;
    pause(RETENTION).await;
    founder.maintain().await.unwrap();
    let before = keys(&store).await.len();
    pause(RETENTION).await;
    let opening = 1 + founder.info().unwrap().log_objects as u64;
    let numbered = NumberedStore::over(store.clone(), opening + 1, Accident::DiesAfter);
    let dying = Manifest::open(Arc::new(numbered.clone()), PREFIX, options(5))
        .await
        .unwrap();
    assert!(
        within(Duration::from_secs(1), put(&dying, "visitor", "dying"))
            .await
            .is_none()
    );
    assert!(numbered.happened());
    let next = open(&store, options(6)).await;
    assert!(next.info().unwrap().collected_through > 0, "it was not condemned");
    put(&next, "visitor", "at once").await.unwrap();
    settle().await;
    assert_eq!(keys(&store).await.len(), before, "somebody may be at it");
    pause(RETENTION / 4).await;
    put(&next, "visitor", "later").await.unwrap();
    settle().await;
    put(&next, "visitor", "at last").await.unwrap();
    next.close().await;
    assert_eq!(keys(&store).await.len(), named(&next));
    founder.close().await;
}
