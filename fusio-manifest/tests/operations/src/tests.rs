//! Sequences of the corpus, those to begin from, and any others.

use std::{cell::Cell, panic, path::Path, sync::Once};

use proptest::prelude::*;

use super::*;

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Tokio catches panics of spawned tasks, so they are counted where they begin.
fn panics() -> usize {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
    PANICS.get()
}

fn held(data: &[u8]) -> Verdict {
    let before = panics();
    hold(data)?;
    ensure!(panics() == before, "a task panicked");
    Ok(())
}

#[test]
fn sequences_to_begin_from_hold() {
    for (number, seed) in seeds().iter().enumerate() {
        held(seed).unwrap_or_else(|seen| panic!("seed {number}: {seen}"));
    }
}

/// Every file of the corpus, which has what was found and is mended.
#[test]
fn the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/operations");
    let mut files = 0;
    for file in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = file.unwrap().path();
        let verdict = held(&std::fs::read(&path).unwrap());
        verdict.unwrap_or_else(|seen| panic!("{}: {seen}", path.display()));
        files += 1;
    }
    assert!(files >= 20, "{files} files in {}", folder.display());
}

#[test]
fn any_sequence_holds() {
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(data in prop::collection::vec(any::<u8>(), 0..500))| {
        held(&data).map_err(TestCaseError::fail)?;
    });
}

#[test]
fn the_same_bytes_are_the_same_sequence() {
    for seed in seeds().iter().take(12) {
        let steps = || {
            let mut steps = Vec::new();
            told(seed, |step| steps.push(step.to_owned())).unwrap();
            steps
        };
        assert_eq!(steps(), steps());
    }
}

/// Sequences reach what they are there for.
#[test]
fn sequences_do_everything_there_is() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in seeds() {
        told(&seed, |step| {
            if let Some((_, name)) = step.rsplit_once(": ") {
                seen.insert(name.to_owned());
            }
        })
        .unwrap();
    }
    assert_eq!(seen.len(), 18, "{seen:?}");
}

/// Found by fuzzing: a HEAD that only maintains lost its race by more revisions than HEAD keeps nonces of, and `maintain` told
/// that as an outage of the store.
#[tokio::test(start_paused = true)]
async fn a_handle_that_is_far_behind_maintains() {
    use std::sync::Arc;

    use fusio_manifest::{
        Freshness, Maintenance, Manifest, MemoryStore, Options, SeededEntropy, SharedSettings, TokioClock,
    };

    let options = |seed| Options {
        shared: SharedSettings {
            spill_bytes: 1,
            spill_keep_bytes: 0,
            fold_objects: 2,
            ..SharedSettings::default()
        },
        clock: Arc::new(TokioClock::new()),
        entropy: Arc::new(SeededEntropy::new(seed)),
        maintenance: Maintenance::OnDemand,
        ..Options::default()
    };
    let put = async |manifest: &Manifest, key: String| {
        let mut transaction = manifest.begin().await.unwrap();
        transaction.put(key, "value").unwrap();
        transaction.commit().await.unwrap();
    };
    let store = Arc::new(MemoryStore::new());
    let (behind, _) = Manifest::create(store.clone(), "m", options(1)).await.unwrap();
    for number in 0..4 {
        put(&behind, format!("{number}")).await;
    }
    behind.snapshot(Freshness::Latest).await.unwrap();
    assert!(
        behind.info().unwrap().log_objects >= 2,
        "there is something to fold"
    );
    let other = Manifest::open(store, "m", options(2)).await.unwrap();
    for number in 4..24 {
        put(&other, format!("{number}")).await;
    }
    assert!(other.info().unwrap().revision > behind.info().unwrap().revision + 16);
    behind.maintain().await.unwrap();
    assert!(behind.info().unwrap().folded_through > 0);
    behind.close().await;
    other.close().await;
}
