use fusio_manifest::{MemoryStore, TokioClock};

use super::*;

/// A store in memory each of whose requests takes as long as its key says, in milliseconds.
#[derive(Debug)]
struct Slow(MemoryStore, TokioClock);

impl Store for Slow {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(async move {
            self.1.sleep(Duration::from_millis(key.parse().unwrap())).await;
            self.0.get(key, options).await
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        self.0.put(key, body, mode)
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

    fn date(&self) -> Option<u64> {
        self.0.date()
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

async fn traced() -> Arc<TracedStore> {
    let clock = TokioClock::new();
    let store = TracedStore::new(Arc::new(Slow(MemoryStore::new(), clock)), Arc::new(clock)).in_rounds();
    for key in ["20", "50", "70", "90"] {
        store
            .put(key, Bytes::from_static(b"12345678"), PutMode::Overwrite)
            .await
            .unwrap();
    }
    store.trace().take();
    Arc::new(store)
}

async fn get(store: &TracedStore, key: &str) {
    store.get(key, GetOptions::default()).await.unwrap();
}

/// Two chains, of which the first has three short requests, the second a long one and what follows from it.
#[tokio::test(start_paused = true)]
async fn rounds_are_what_follows_from_each_other_and_not_what_time_allows() {
    let store = traced().await;
    let chain = async {
        get(&store, "20").await;
        get(&store, "20").await;
    };
    let slow = async {
        get(&store, "90").await;
        get(&store, "50").await;
    };
    tokio::join!(chain, slow);
    let requests = store.trace().take();
    let first = requests[0].round;
    let mut rounds: Vec<_> = requests
        .iter()
        .map(|request| (request.key.as_str(), request.round - first))
        .collect();
    rounds.sort_unstable();
    assert_eq!(rounds, [("20", 0), ("20", 1), ("50", 1), ("90", 0)]);
}

/// Nobody waits for a request whose caller went away, and the round still ends.
#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_hold_up_its_round() {
    let store = traced().await;
    let clock = TokioClock::new();
    let leaver = async {
        tokio::select! {
            biased;
            () = get(&store, "90") => false,
            () = clock.sleep(Duration::from_millis(60)) => true,
        }
    };
    let stays = async {
        get(&store, "20").await;
        get(&store, "20").await;
    };
    let (left, ()) = tokio::join!(leaver, stays);
    assert!(left);
    let requests = store.trace().take();
    let unanswered = requests.iter().filter(|request| request.answered.is_none());
    assert_eq!((requests.len(), unanswered.count()), (3, 1));
    assert_eq!(requests[2].round, requests[0].round + 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_written_down_with_its_range_and_its_bytes() {
    let store = traced().await;
    let range = Some(2..5);
    store
        .get(
            "50",
            GetOptions {
                range: range.clone(),
                ..GetOptions::default()
            },
        )
        .await
        .unwrap();
    let requests = store.trace().take();
    assert_eq!(requests.len(), 1);
    let TracedRequest {
        class,
        bytes,
        range: asked,
        sent,
        answered,
        ..
    } = requests[0].clone();
    assert_eq!((class, bytes, asked), (RequestClass::Get, 3, range));
    assert_eq!(answered.unwrap() - sent, Duration::from_millis(50));
    assert!(store.trace().take().is_empty());
    store.trace().pause(true);
    get(&store, "20").await;
    store.trace().pause(false);
    get(&store, "70").await;
    let requests = store.trace().take();
    assert_eq!((requests.len(), requests[0].key.as_str()), (1, "70"));
}

#[test]
fn the_peak_counts_what_overlaps() {
    let at = |sent: u64, answered: u64| TracedRequest {
        sent: Duration::from_millis(sent),
        answered: Some(Duration::from_millis(answered)),
        ..request(RequestClass::Get, "k")
    };
    assert_eq!(peak_in_flight(&[]), 0);
    assert_eq!(peak_in_flight(&[at(0, 10), at(10, 20), at(20, 30)]), 1);
    assert_eq!(peak_in_flight(&[at(0, 10), at(5, 20), at(9, 30), at(12, 13)]), 3);
}
