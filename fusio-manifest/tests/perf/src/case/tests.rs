use std::time::Duration;

use fusio_manifest::Mutant;

use super::*;
use crate::{
    history::write_jsonl,
    run::{ReaderTask, WriterTask},
};

fn bytes(played: &Played) -> Vec<u8> {
    let mut lines = Vec::new();
    write_jsonl(&mut lines, &played.history, played.final_state.as_ref()).unwrap();
    lines
}

#[test]
fn what_is_drawn_has_a_text_that_says_all_of_it() {
    let (mut with_faults, mut kills, mut collecting) = (0, 0, 0);
    for seed in 0..1_000 {
        let case = Case::draw(seed);
        assert_eq!(case.to_string().parse::<Case>().as_ref(), Ok(&case), "{case}");
        assert_eq!(Case::draw(seed), case);
        with_faults += usize::from(!case.faults.is_empty());
        kills += case.kills.len();
        collecting += usize::from(case.collect.is_some());
    }
    assert!((780..890).contains(&with_faults), "{with_faults}");
    assert!(kills > 500, "{kills}");
    assert!((280..390).contains(&collecting), "{collecting}");
}

#[test]
fn a_text_that_is_no_case_is_refused_by_the_word() {
    let text = Case::draw(1).to_string();
    for (from, to, word) in [
        ("span=", "spam=", "`span=` is missing"),
        ("ask=", "tell=1 ask=", "`tell` is no word"),
        ("writers=", "writers=cook,", "`cook` is none of monotonic"),
        ("seed=1 ", "seed=one ", "seed=one is no number"),
        ("shared=", "shared=perhaps-", "yes or no"),
        ("faults=", "faults=cas dorp;", "faults: fault rule 1"),
        ("collect=", "collect=3/", "collect=3/"),
        ("kills=", "kills=1ms@0:cook,", "kills: `1ms@0:cook` is not"),
        ("faults=", "fault=", "`faults=` is missing"),
        ("latency=", "latency=slow", "latency: "),
        ("seed=1", "seed=1 seed=1", "`seed` is there twice"),
    ] {
        let wrong = text.replacen(from, to, 1);
        let error = wrong.parse::<Case>().unwrap_err().to_string();
        assert!(error.contains(word), "{wrong}: {error}");
    }
}

#[test]
fn the_same_case_plays_the_same_bytes() {
    for seed in [3, 11, 400, 1_234] {
        let case = Case::draw(seed);
        let (first, second) = (case.play(None), case.play(None));
        assert_eq!(first.tally, second.tally, "{case}");
        assert!(bytes(&first) == bytes(&second), "{case}");
        let other = Case {
            seed: seed + 1,
            ..case
        };
        assert!(bytes(&first) != bytes(&other.play(None)));
    }
}

#[test]
fn seeds_show_every_kind_of_client_and_no_problem() {
    let mut sum = Tally::default();
    for seed in 5_000..5_060 {
        let case = Case::draw(seed);
        let played = case.play(None);
        assert!(played.passed(), "{case}: {:?}", played.problems);
        sum = sum.plus(&played.tally);
    }
    let Tally {
        committed,
        conflicts,
        unknown,
        kills,
        lists,
        reads,
        ..
    } = sum;
    assert!(committed > 1_000 && reads > 3_000 && lists > 300, "{sum:?}");
    assert!(conflicts > 50 && unknown > 20 && kills > 20, "{sum:?}");
}

#[test]
fn seeds_that_collect_delete_what_is_garbage_and_nothing_else() {
    let mut sum = Tally::default();
    let collecting = (0..90).map(Case::draw).filter(|case| case.collect.is_some());
    for case in collecting {
        let played = case.play(None);
        assert!(played.passed(), "{case}: {:?}", played.problems);
        sum = sum.plus(&played.tally);
    }
    let Tally {
        kept, collected, cut, ..
    } = sum;
    assert!(collected.cases > 20 && collected.collections > 30, "{sum:?}");
    assert!(collected.deleted > 500 && collected.left > 500, "{sum:?}");
    assert!(kept.expired > 50 && kept.held > 1_000 && cut > 3, "{sum:?}");
    assert!(
        kept.opened > 300 && kept.released > 200 && kept.refused > 10,
        "{sum:?}"
    );
    assert!(collected.pins > 100, "{sum:?}");
}

#[test]
fn what_breaks_a_collection_is_seen() {
    for (mutant, seed) in [
        (Mutant::PinsNotSubtracted, 56),
        (Mutant::CollectedStatePinned, 129),
        (Mutant::NoEpochFence, 248),
        (Mutant::DeletedBeforeCondemned, 430),
        (Mutant::FoldLeavesInputs, 873),
    ] {
        let case = Case::draw(seed);
        assert!(!case.play(Some(mutant)).passed(), "{mutant:?}: {case}");
        assert!(case.play(None).passed(), "{case}");
    }
}

#[test]
fn a_process_dies_in_the_midst_of_a_deletion() {
    let mut case = plain(7, "none");
    case.crew = Crew {
        writers: vec![WriterTask::Update, WriterTask::Maintain, WriterTask::Maintain],
        readers: vec![ReaderTask::Hold],
    };
    case.spill = Spill {
        at: 1,
        keep: 0,
        inline: 16_384,
    };
    case.collect = Some(Collect {
        retention: Duration::from_secs(1),
        fold_objects: 2,
    });
    (case.span, case.writer_rate, case.shared_handle) = (Duration::from_secs(12), 4.0, false);
    let kill = |process| Kill {
        at: Duration::ZERO,
        process,
        work: Some(Work::Delete),
    };
    // Whoever it is.
    case.kills = (0..3).map(kill).collect();
    let played = case.play(None);
    assert!(played.passed(), "{:?}", played.problems);
    assert!(played.tally.cut > 0, "{:?}", played.tally);
    assert!(played.tally.collected.deleted > 0, "{:?}", played.tally);
}

/// Without what the seeds draw around it.
fn plain(seed: u64, faults: &str) -> Case {
    Case {
        kills: Vec::new(),
        impatience: 0.0,
        latency: "s3-express".to_owned(),
        faults: faults.parse().unwrap(),
        ..Case::draw(seed)
    }
}

#[test]
fn a_store_that_ignores_conditions_is_noticed() {
    let noticed = (0..10).filter(|seed| {
        let case = plain(*seed, "cas key=*/HEAD p=0.5 ignore-conditions");
        !case.play(None).passed()
    });
    let noticed = noticed.count();
    assert!(noticed >= 3, "{noticed}");
}

#[test]
fn a_killed_process_is_replaced_and_what_it_had_sent_may_land() {
    let mut case = plain(7, "none");
    case.crew = Crew {
        writers: vec![WriterTask::Transact],
        readers: vec![ReaderTask::Scan],
    };
    (case.span, case.writer_rate) = (Duration::from_secs(6), 8.0);
    case.kills = (1..6)
        .map(|second| Kill {
            at: Duration::from_secs(second),
            process: 0,
            work: None,
        })
        .collect();
    let played = case.play(None);
    assert!(played.passed(), "{:?}", played.problems);
    assert_eq!(played.tally.kills, 5);
    // It went on after the last kill.
    let last = played.history.operations.iter().filter(|one| one.txn().is_some());
    let last = last.filter_map(|one| one.completed).max().unwrap();
    assert!(Duration::from_nanos(last) > Duration::from_secs(5), "{last}");
}

#[test]
fn what_does_not_matter_shrinks_away() {
    let mut case = plain(7, "any p=0.1 status=503; cas p=0.2 after drop; get p=0.1 reset");
    case.crew = Crew {
        writers: vec![WriterTask::Transact, WriterTask::Append, WriterTask::Monotonic],
        readers: vec![ReaderTask::Scan, ReaderTask::Read],
    };
    case.span = Duration::from_millis(4_000);
    let mut asked = 0;
    let fails = |case: &Case| {
        let appends = case.crew.writers.contains(&WriterTask::Append);
        let drops = case.faults.to_string().contains("drop");
        appends && drops && case.span >= Duration::from_millis(1_300)
    };
    let shrunk = shrink(&case, |case| {
        asked += 1;
        fails(case)
    });
    assert_eq!(asked, shrunk.played);
    let smallest = shrunk.case.clone();
    assert_eq!(smallest.crew.writers, [WriterTask::Append]);
    assert_eq!(smallest.crew.readers, []);
    assert_eq!(smallest.faults.to_string(), "cas after p=0.2 drop");
    assert_eq!(smallest.span, Duration::from_millis(1_300));
    assert_eq!(smallest.latency, "none");
    assert_eq!(shrink(&case, fails), shrunk, "it ends as the same each time");
}

#[test]
fn a_mutant_shrinks_to_a_case_that_still_shows_it() {
    let mutant = Some(Mutant::SkipKeyValidation);
    let case = Case::draw(0);
    let name = |case: &Case| {
        case.play(mutant)
            .problems
            .first()
            .map(|problem| problem.name.clone())
    };
    let named = name(&case);
    assert!(named.is_some(), "{case}");
    let shrunk = shrink(&case, |case| name(case) == named);
    assert_eq!(name(&shrunk.case), named);
    let clients = shrunk.case.crew.writers.len() + shrunk.case.crew.readers.len();
    assert!(clients <= 2, "{}", shrunk.case);
    assert!(
        shrunk.case.faults.is_empty() && shrunk.case.kills.is_empty(),
        "{}",
        shrunk.case
    );
}
