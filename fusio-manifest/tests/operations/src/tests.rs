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
