use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use fusio_manifest::Clock as _;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::output::workspace_root;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_day_passes_at_once_and_to_the_nanosecond() {
    let span = 24 * HOUR + Duration::from_nanos(1);
    let passed = run(async |clock| {
        clock.sleep(span).await;
        clock.now()
    });
    assert_eq!(passed.unwrap(), span);
}

/// Each runtime has three open files. Many more runs than a process may have files, if it may have the usual 1,024.
#[test]
fn a_run_leaves_nothing_behind() {
    let open = || fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let before = open();
    for _ in 0..200 {
        run(async |clock| {
            let sleeper = clock.clone();
            // Still asleep when the run ends.
            tokio::spawn(async move { sleeper.sleep(2 * HOUR).await });
            clock.sleep(HOUR).await;
        })
        .unwrap();
    }
    // Tests beside this one open a few.
    let left = open().saturating_sub(before);
    assert!(left < 150, "{left} files are open");
}

#[test]
fn sleepers_wake_by_deadline_and_then_in_the_order_in_which_they_registered() {
    let order = run(async |clock| {
        let (tell, mut told) = mpsc::unbounded_channel();
        for (name, nanos) in [("c", 3), ("b1", 2), ("a", 1), ("b2", 2), ("now", 0), ("b3", 2)] {
            let (sleep, clock, tell) = (
                clock.sleep(Duration::from_nanos(nanos)),
                clock.clone(),
                tell.clone(),
            );
            tokio::spawn(async move {
                sleep.await;
                tell.send((name, clock.now().as_nanos())).unwrap();
            });
        }
        drop(tell);
        let mut order = Vec::new();
        while let Some(woken) = told.recv().await {
            order.push(woken);
        }
        order
    });
    let expected = [("now", 0), ("a", 1), ("b1", 2), ("b2", 2), ("b3", 2), ("c", 3)];
    assert_eq!(order.unwrap(), expected);
}

#[test]
fn what_one_sleeper_does_comes_before_the_next_one_of_the_same_moment() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&log);
    run(async |clock| {
        let mut tasks = Vec::new();
        for name in ["a", "b"] {
            let (sleep, log) = (clock.sleep(HOUR), Arc::clone(&noted));
            tasks.push(tokio::spawn(async move {
                sleep.await;
                log.lock().push(format!("{name} woke"));
                // As far as it goes without time.
                for _ in 0..3 {
                    tokio::spawn(async {}).await.unwrap();
                }
                log.lock().push(format!("{name} is done"));
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    })
    .unwrap();
    assert_eq!(*log.lock(), ["a woke", "a is done", "b woke", "b is done"]);
}

/// Older versions of tokio called the hook although the future of `block_on` had been woken.
#[test]
fn no_time_passes_while_the_root_future_can_run() {
    run(async |clock| {
        let sleeping = tokio::spawn(clock.sleep(HOUR));
        for _ in 0..100 {
            let (tell, told) = oneshot::channel();
            tokio::spawn(async move { tell.send(()).unwrap() });
            told.await.unwrap();
            tokio::task::yield_now().await;
            assert_eq!(clock.now(), Duration::ZERO);
        }
        sleeping.await.unwrap();
        assert_eq!(clock.now(), HOUR);
    })
    .unwrap();
}

#[test]
fn a_dropped_sleep_is_not_waited_for() {
    let ended = run(async |clock| {
        let mut abandoned = clock.sleep(HOUR);
        tokio::select! {
            biased;
            () = &mut abandoned => panic!("an hour has not passed"),
            () = clock.sleep(Duration::from_secs(1)) => {}
        }
        drop(abandoned);
        drop(clock.sleep(HOUR));
        let (_held, never) = oneshot::channel::<()>();
        never.await
    });
    // Nothing is left to wait for.
    let second = Duration::from_secs(1);
    assert!(
        matches!(ended, Err(SimulationError::StandsStill { at }) if at == second),
        "{ended:?}"
    );
}

#[test]
fn a_sleep_that_outlives_its_task_holds_up_nobody() {
    let passed = run(async |clock| {
        let mut sleep = clock.sleep(Duration::from_secs(1));
        let polled = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = &mut sleep => panic!("a second has not passed"),
                () = std::future::ready(()) => {}
            }
            [sleep]
        });
        // It would wake the task that has ended.
        let _kept = polled.await.unwrap();
        clock.sleep(HOUR).await;
        clock.now()
    });
    assert_eq!(passed.unwrap(), HOUR);
}

#[test]
fn a_sleep_that_was_not_polled_in_time_has_passed_when_it_is() {
    let passed = run(async |clock| {
        let early = clock.sleep(Duration::from_secs(1));
        clock.sleep(HOUR).await;
        early.await;
        clock.now()
    });
    assert_eq!(passed.unwrap(), HOUR);
}

#[test]
fn a_standstill_is_told_with_its_moment() {
    let ended = run(async |clock| {
        let (_held, never) = oneshot::channel::<()>();
        tokio::spawn(clock.sleep(HOUR));
        never.await
    });
    let error = ended.unwrap_err();
    assert!(
        matches!(error, SimulationError::StandsStill { at } if at == HOUR),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the simulation stands still at 3600.000 s of its time: every task waits for another one"
    );
}

/// Where a `select!` below `folder` does not say which branch goes first, and how many there are.
fn unordered_selects(folder: &Path, unordered: &mut Vec<String>) -> usize {
    // In two parts, or this line would be found.
    let start = ["select!", " {"].concat();
    let mut selects = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            selects += unordered_selects(&path, unordered);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for after in text.split(&start).skip(1) {
                selects += 1;
                if !after.trim_start().starts_with("biased;") {
                    unordered.push(path.display().to_string());
                }
            }
        }
    }
    selects
}

/// Without `biased`, tokio draws which branch goes first, and no seed of ours decides its draws.
#[test]
fn every_select_has_an_order() {
    for folder in ["fusio-manifest/src", "fusio-manifest/tests/perf/src"] {
        let folder = workspace_root().join(folder);
        if folder.is_dir() {
            let mut unordered = Vec::new();
            assert!(
                unordered_selects(&folder, &mut unordered) > 1,
                "{}",
                folder.display()
            );
            assert!(unordered.is_empty(), "{unordered:?}");
        }
    }
}

#[test]
fn every_handle_of_every_seed_draws_its_own() {
    let mut draws = BTreeSet::new();
    for seed in [0, 1, 42] {
        let (seeds, again) = (HandleSeeds::new(seed), HandleSeeds::new(seed));
        for _ in 0..50 {
            let draw = seeds.next().wide().unwrap();
            assert_eq!(draw, again.next().wide().unwrap());
            assert!(draws.insert(draw));
        }
    }
}
