//! Fresh reads: what they must see, what they share, what they cost.

use std::time::Duration;

use fusio_manifest::{Error, Freshness, KeyRange, Manifest, Options};
use tokio::task::JoinHandle;

use crate::{
    faulty::{Fault, Gate},
    support::{
        Tune, Verdict, ensure, founded, increment, number, open, open_faulty, options, pause, put, settle,
        sound, unexpected,
    },
};

/// A read that begins now.
fn reading(manifest: &Manifest, key: &'static str) -> JoinHandle<Result<u64, Error>> {
    let manifest = manifest.clone();
    tokio::spawn(async move { manifest.get(key).await.map(|value| number(value.as_ref())) })
}

fn with_looks(seed: u64, refreshes_in_flight: usize) -> Options {
    Options {
        refreshes_in_flight,
        ..options(seed)
    }
}

/// What one handle committed before a read of another one begins is seen by it.
pub(crate) async fn fresh_reads_see_what_was_acknowledged(tune: Tune) -> Verdict {
    let (store, writer) = founded().await;
    let reader = open(&store, tune(options(2))).await;
    for round in 1..=20 {
        increment(&writer, "count").await.map_err(unexpected)?;
        let by_get = number(reader.get("count").await.map_err(unexpected)?.as_ref());
        ensure!(by_get == round, "get saw {by_get} after {round} was acknowledged");
        let entries = reader
            .scan(KeyRange::all())
            .await
            .map_err(unexpected)?
            .collect()
            .await
            .map_err(unexpected)?;
        let by_scan = number(entries.first().map(|(_, value)| value));
        ensure!(
            by_scan == round,
            "scan saw {by_scan} after {round} was acknowledged"
        );
    }
    writer.close().await;
    reader.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_fresh_read_sees_every_commit_acknowledged_before_it() {
    fresh_reads_see_what_was_acknowledged(sound).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_never_changes() {
    let (_, manifest) = founded().await;
    put(&manifest, "a", "1").await.unwrap();
    put(&manifest, "b", "1").await.unwrap();
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    let mut scan = snapshot.scan(KeyRange::all());
    assert_eq!(scan.next().await.unwrap().unwrap().0, "a");
    put(&manifest, "a", "2").await.unwrap();
    put(&manifest, "b", "2").await.unwrap();
    put(&manifest, "c", "2").await.unwrap();
    assert_eq!(scan.next().await.unwrap(), Some(("b".into(), "1".into())));
    assert_eq!(scan.next().await.unwrap(), None);
    assert_eq!(snapshot.get("a").await.unwrap().unwrap(), "1");
    assert_eq!((snapshot.txn(), snapshot.revision()), (2, 3));
    assert_eq!(manifest.snapshot(Freshness::Cached).await.unwrap().txn(), 5);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_bounded_read_looks_only_when_the_cached_state_is_too_old() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let bound = Freshness::Within(Duration::from_secs(10));
    pause(Duration::from_secs(10)).await;
    let snapshot = manifest.snapshot(bound).await.unwrap();
    assert_eq!(snapshot.age(), Duration::from_secs(10));
    assert_eq!(faulty.looks(), 0);
    pause(Duration::from_millis(1)).await;
    assert_eq!(manifest.snapshot(bound).await.unwrap().age(), Duration::ZERO);
    assert_eq!(faulty.looks(), 1);
    // An age counts from the send of a look, not from its answer.
    faulty.on_get(Fault::Delay(Duration::from_secs(7)));
    assert_eq!(
        manifest.snapshot(Freshness::Latest).await.unwrap().age(),
        Duration::from_secs(7)
    );
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn reads_share_looks() {
    for (looks_at_once, most) in [(1, 2), (8, 9)] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, with_looks(2, looks_at_once)).await;
        for _ in 0..looks_at_once {
            faulty.on_get(Fault::Delay(Duration::from_millis(20)));
        }
        increment(&founder, "count").await.unwrap();
        let reads: Vec<_> = (0..100).map(|_| reading(&manifest, "count")).collect();
        for read in reads {
            assert_eq!(read.await.unwrap().unwrap(), 1);
        }
        assert!(
            faulty.looks() <= most,
            "{} looks for 100 reads, {most} at most",
            faulty.looks()
        );
        founder.close().await;
        manifest.close().await;
    }
}

/// Reads that wait for a look use none that was sent before they began.
pub(crate) async fn waiting_reads_share_no_earlier_look(tune: Tune) -> Verdict {
    let (store, writer) = founded().await;
    let (faulty, reader) = open_faulty(&store, tune(with_looks(2, 1))).await;
    let gate = Gate::closed();
    // The look sees the old state and hangs on its way back.
    faulty.on_get(Fault::HoldAfter(gate.clone()));
    let early = reading(&reader, "count");
    gate.reached().await;
    increment(&writer, "count").await.unwrap();
    let late: Vec<_> = (0..10).map(|_| reading(&reader, "count")).collect();
    settle().await;
    gate.open();
    let early = early.await.unwrap().unwrap();
    ensure!(early == 0, "a read that began before the commit saw {early}");
    for read in late {
        let late = read.await.unwrap().unwrap();
        ensure!(
            late == 1,
            "a read that began after the commit was acknowledged saw {late}"
        );
    }
    ensure!(faulty.looks() == 2, "{} looks", faulty.looks());
    writer.close().await;
    reader.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_read_never_uses_a_look_that_was_sent_before_it_began() {
    waiting_reads_share_no_earlier_look(sound).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_own_commit_serves_readers_that_wait() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, with_looks(2, 1)).await;
    let gate = Gate::closed();
    faulty.on_get(Fault::HoldAfter(gate.clone()));
    let holder = reading(&manifest, "count");
    gate.reached().await;
    let waiting = reading(&manifest, "count");
    settle().await;
    increment(&manifest, "count").await.unwrap();
    settle().await;
    assert!(waiting.is_finished(), "the PUT was sent after the read began");
    assert_eq!(waiting.await.unwrap().unwrap(), 1);
    assert_eq!(faulty.looks(), 1);
    gate.open();
    holder.await.unwrap().unwrap();
    founder.close().await;
    manifest.close().await;
}

/// An own PUT's answer serves nobody who began to read after the PUT was sent.
pub(crate) async fn an_own_put_serves_no_later_reader(tune: Tune) -> Verdict {
    let (store, writer) = founded().await;
    let (faulty, manifest) = open_faulty(&store, tune(with_looks(2, 1))).await;
    let (look, put) = (Gate::closed(), Gate::closed());
    faulty.on_get(Fault::HoldAfter(look.clone()));
    let holder = reading(&manifest, "count");
    look.reached().await;
    // The PUT lands, and its answer hangs while a foreign commit comes and a read begins.
    faulty.on_put(Fault::HoldAfter(put.clone()));
    let own = tokio::spawn({
        let manifest = manifest.clone();
        async move { increment(&manifest, "other").await }
    });
    put.reached().await;
    writer.get("count").await.unwrap();
    increment(&writer, "count").await.unwrap();
    let late = reading(&manifest, "count");
    settle().await;
    put.open();
    own.await.unwrap().unwrap();
    settle().await;
    let served = late.is_finished();
    look.open();
    holder.await.unwrap().unwrap();
    let seen = late.await.unwrap().unwrap();
    ensure!(
        !served && seen == 1,
        "a read saw {seen} of 1 commit that was acknowledged before it began"
    );
    writer.close().await;
    manifest.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_own_commit_does_not_serve_readers_that_came_after_it_was_sent() {
    an_own_put_serves_no_later_reader(sound).await.unwrap();
}

/// Of answers that overtake each other the older ones change nothing, and stop nobody.
pub(crate) async fn overtaken_answers_change_nothing(tune: Tune) -> Verdict {
    let (store, writer) = founded().await;
    let (faulty, reader) = open_faulty(&store, tune(options(2))).await;
    let gates: Vec<_> = (0..4).map(|_| Gate::closed()).collect();
    let mut reads = Vec::new();
    for (round, gate) in gates.iter().enumerate() {
        faulty.on_get(Fault::HoldAfter(gate.clone()));
        reads.push((round as u64, reading(&reader, "count")));
        gate.reached().await;
        increment(&writer, "count").await.unwrap();
    }
    // The newest answer comes first.
    let mut newest = 0;
    for gate in gates.iter().rev() {
        gate.open();
        settle().await;
        let cached = reader.snapshot(Freshness::Cached).await.map_err(unexpected)?;
        ensure!(
            cached.txn() >= newest,
            "commit {} was installed over {newest}",
            cached.txn()
        );
        newest = cached.txn();
    }
    for (at_least, read) in reads {
        let seen = read.await.unwrap().map_err(unexpected)?;
        ensure!(
            seen >= at_least,
            "a read saw {seen} of {at_least} commits that were acknowledged before"
        );
    }
    let last = reading(&reader, "count").await.unwrap().map_err(unexpected)?;
    ensure!(last == 4, "the last read saw {last} of 4 commits");
    increment(&reader, "count").await.map_err(unexpected)?;
    writer.close().await;
    reader.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn responses_that_overtake_each_other_stop_nobody() {
    overtaken_answers_change_nothing(sound).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_older_answer_that_arrives_after_an_own_commit_stops_nobody() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let gate = Gate::closed();
    increment(&founder, "other").await.unwrap();
    faulty.on_get(Fault::HoldAfter(gate.clone()));
    let early = reading(&manifest, "count");
    gate.reached().await;
    let receipt = increment(&manifest, "count").await.unwrap();
    assert_eq!(receipt.txn, Some(2));
    gate.open();
    early.await.unwrap().unwrap();
    assert_eq!(manifest.get("count").await.unwrap().unwrap(), "1");
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_read_survives_an_outage_that_ends_in_time() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    increment(&founder, "count").await.unwrap();
    for fault in [
        Fault::StatusBefore(503),
        Fault::LostReply,
        Fault::ConnectionBefore,
        Fault::StatusBefore(500),
    ] {
        faulty.on_get(fault);
    }
    assert_eq!(reading(&manifest, "count").await.unwrap().unwrap(), 1);
    assert_eq!(faulty.looks(), 5);
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_read_ends_within_its_time_though_it_waits_for_anothers_look() {
    use fusio_manifest::{Clock as _, ErrorKind, TokioClock};
    let (store, founder) = founded().await;
    let limit = Duration::from_secs(10);
    let (faulty, manifest) = open_faulty(
        &store,
        Options {
            read_timeout: limit,
            ..with_looks(2, 1)
        },
    )
    .await;
    (0..2).for_each(|_| faulty.on_get(Fault::HoldBefore(Gate::closed())));
    let clock = TokioClock::new();
    let reads = [reading(&manifest, "count"), reading(&manifest, "count")];
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(
            clock.now() <= limit,
            "a read of at most {limit:?} took {:?}",
            clock.now()
        );
    }
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn readers_that_give_up_leave_the_others_their_look() {
    let (store, writer) = founded().await;
    let (faulty, reader) = open_faulty(&store, with_looks(2, 1)).await;
    let gate = Gate::closed();
    faulty.on_get(Fault::HoldAfter(gate.clone()));
    let gives_up = reading(&reader, "count");
    gate.reached().await;
    increment(&writer, "count").await.unwrap();
    let stays = reading(&reader, "count");
    settle().await;
    gives_up.abort();
    gate.open();
    assert_eq!(stays.await.unwrap().unwrap(), 1);
    assert_eq!(reading(&reader, "count").await.unwrap().unwrap(), 1);
    writer.close().await;
    reader.close().await;
}
