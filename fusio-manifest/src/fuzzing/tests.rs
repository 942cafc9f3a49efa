//! The properties on what the engine wrote, on that changed at random, on random bytes, and on the corpus.

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

fn gauge(work: &mut dyn FnMut()) -> u64 {
    allocation_counter::measure(work).bytes_max
}

fn holds(target: Target, data: &[u8]) -> Verdict {
    let before = panics();
    target.holds(data, &gauge)?;
    ensure!(panics() == before, "a task panicked");
    Ok(())
}

fn seeds_of(target: Target) -> Vec<Vec<u8>> {
    let seeds = seeds().unwrap().into_iter();
    seeds
        .filter(|(other, _)| *other == target)
        .map(|(_, input)| input)
        .collect()
}

/// One way to change an input, by numbers that are taken modulo its length.
#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Set(usize, u8),
    Number(usize, u32),
    Cut(usize),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let numbers = prop_oneof![
        Just(0),
        Just(1),
        Just(u32::MAX),
        Just(u32::MAX / 2 + 1),
        Just(1 << 24),
        any::<u32>()
    ];
    let change = prop_oneof![
        4 => (any::<usize>(), 0_u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (any::<usize>(), numbers).prop_map(|(at, number)| Change::Number(at, number)),
        1 => any::<usize>().prop_map(Change::Cut),
        2 => (any::<usize>(), 1_usize..20).prop_map(|(at, count)| Change::Remove(at, count)),
        2 => (any::<usize>(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (any::<usize>(), 1_usize..40).prop_map(|(at, count)| Change::Repeat(at, count)),
    ];
    prop::collection::vec(change, 1..5)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = bytes.len().max(1);
        let end = |at: usize, count: usize| (at % length + count).min(bytes.len());
        match change {
            _ if bytes.is_empty() => {}
            Change::Flip(at, bit) => bytes[at % length] ^= 1 << bit,
            Change::Set(at, byte) => bytes[at % length] = *byte,
            Change::Number(at, number) => {
                let range = at % length..end(*at, 4);
                let count = range.len();
                bytes[range].copy_from_slice(&number.to_le_bytes()[..count]);
            }
            Change::Cut(at) => bytes.truncate(at % length),
            Change::Remove(at, count) => {
                bytes.drain(at % length..end(*at, *count));
            }
            Change::Insert(at, more) => {
                bytes.splice(at % length..at % length, more.iter().copied());
            }
            Change::Repeat(at, count) => {
                let part = bytes[at % length..end(*at, *count)].to_vec();
                bytes.splice(at % length..at % length, part);
            }
        }
    }
    bytes
}

#[test]
fn what_the_engine_wrote_is_decoded_and_sealing_it_anew_changes_nothing() {
    for target in Target::ALL {
        let seeds = seeds_of(target);
        assert!(seeds.len() >= 4, "{} of {}", seeds.len(), target.name());
        for seed in seeds {
            holds(target, &seed).unwrap();
            let sealed = match target {
                Target::Head => reseal::head(&seed),
                Target::LogObject => reseal::log_object(&seed),
                Target::Pin => reseal::pin(&seed),
                Target::List => reseal::list(&seed),
                Target::Frame | Target::Table => continue,
            };
            assert_eq!(sealed, seed, "{}", target.name());
        }
    }
    for seed in seeds_of(Target::Table) {
        let (object, footer) = seed.split_last_chunk().unwrap();
        let footer = u32::from_le_bytes(*footer) as usize;
        let body = &object[crate::frame::HEADER_BYTES..];
        for consistent in [false, true] {
            let (sealed, sealed_footer) = reseal::table(object, footer, consistent).unwrap();
            assert_eq!(sealed[crate::frame::HEADER_BYTES..], *body);
            assert_eq!(sealed_footer, footer);
        }
    }
}

#[test]
fn claims_of_gigabytes_take_no_memory() {
    for target in Target::ALL {
        let seed = seeds_of(target)
            .into_iter()
            .find(|seed| seed.len() < 2_000)
            .unwrap();
        for at in 0..seed.len().saturating_sub(4) {
            for claim in [4_u32 << 28, u32::MAX] {
                let mut bytes = seed.clone();
                bytes[at..at + 4].copy_from_slice(&claim.to_le_bytes());
                let verdict = holds(target, &bytes);
                verdict.unwrap_or_else(|seen| panic!("{} at {at}: {seen}", target.name()));
            }
        }
    }
}

/// Every file of the corpus, which has the crashes that were found and are mended.
#[test]
fn the_corpus_holds() {
    for target in Target::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(target.name());
        let mut files = 0;
        for file in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = file.unwrap().path();
            let verdict = holds(target, &std::fs::read(&path).unwrap());
            verdict.unwrap_or_else(|seen| panic!("{}: {seen}", path.display()));
            files += 1;
        }
        assert!(files >= 5, "{files} files in {}", folder.display());
    }
}

fn with_cases(cases: u32, mut test: impl FnMut(ProptestConfig)) {
    test(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
}

fn objects_changed(target: Target, cases: u32) {
    let seeds = seeds_of(target);
    with_cases(cases, |config| {
        proptest!(config, |(seed in prop::sample::select(seeds.clone()), changes in changes())| {
            holds(target, &changed(seed, &changes)).map_err(TestCaseError::fail)?;
        });
    });
}

#[test]
fn any_bytes_hold() {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    with_cases(2_000, |config| {
        proptest!(config, |(bytes in bytes())| {
            for target in Target::ALL {
                holds(target, &bytes).map_err(TestCaseError::fail)?;
            }
        });
    });
}

#[test]
fn changed_headers_hold() {
    objects_changed(Target::Frame, 2_000);
}

#[test]
fn changed_heads_hold() {
    objects_changed(Target::Head, 1_000);
}

#[test]
fn changed_log_objects_hold() {
    objects_changed(Target::LogObject, 1_000);
}

#[test]
fn changed_tables_hold() {
    objects_changed(Target::Table, 600);
}

#[test]
fn changed_pins_hold() {
    objects_changed(Target::Pin, 1_000);
}

#[test]
fn changed_lists_hold() {
    objects_changed(Target::List, 2_000);
}
