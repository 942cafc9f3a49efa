use super::*;
use crate::interrupt::Interrupt;

fn seeds(first: u64, count: u64, threads: usize) -> Vec<Seed> {
    let (interrupt, ended) = (Interrupt::new(), AtomicU64::new(0));
    let seeds = over_seeds((first, count), threads, &interrupt, &ended, |seed| {
        Seed::play(Case::draw(seed))
    });
    assert_eq!(ended.into_inner(), count);
    seeds.into_values().collect()
}

fn lines(seeds: &[Seed]) -> Vec<String> {
    seeds
        .iter()
        .map(|seed| serde_json::to_string(&seed.line()).unwrap())
        .collect()
}

#[test]
fn threads_change_nothing() {
    let alone = lines(&seeds(70, 24, 1));
    assert_eq!(alone, lines(&seeds(70, 24, 3)));
    assert_eq!(alone.len(), 24);
    assert!(alone[0].starts_with("{\"seed\":70,"), "{}", alone[0]);
    // The digest is of the history: another seed has another one.
    let digests: std::collections::BTreeSet<_> =
        alone.iter().filter_map(|line| line.split("md5").nth(1)).collect();
    assert_eq!(digests.len(), 24);
}

#[test]
fn a_run_that_is_stopped_ends_what_it_began() {
    let (interrupt, ended) = (Interrupt::new(), AtomicU64::new(0));
    let seeds = over_seeds((0, 1_000), 2, &interrupt, &ended, |seed| {
        if seed == 9 {
            interrupt.set();
        }
        seed
    });
    let seeds: Vec<u64> = seeds.into_values().collect();
    assert!(seeds.len() < 1_000, "{}", seeds.len());
    assert_eq!(
        seeds,
        (0..seeds.len() as u64).collect::<Vec<_>>(),
        "none is missing"
    );
}

#[test]
fn what_never_happened_is_told_if_there_were_seeds_enough() {
    let fields = SimulationFields {
        seeds: SEEDS_THAT_SHOW_ALL,
        committed: 1,
        reads: 1,
        lists: 1,
        unknown: 1,
        kills: 1,
        kills_at_work: 1,
        held: 1,
        pins_opened: 1,
        ..SimulationFields::default()
    };
    let missing = [
        "conflict",
        "collection",
        "deletion",
        "state that had expired",
        "pin that was let go",
        "pin that was left",
        "state too old to be pinned",
    ];
    assert_eq!(unseen(&fields).collect::<Vec<_>>(), missing);
    let few = SimulationFields { seeds: 99, ..fields };
    assert_eq!(unseen(&few).count(), 0);
}

#[test]
fn the_command_plays_the_case_again() {
    let case = Case::draw(3);
    let command = command(&case);
    let text = command.split('\'').nth(1).unwrap();
    assert_eq!(text.parse::<Case>().unwrap(), case);
    assert!(command.starts_with("PERF_CASE='seed=3 ") && command.contains(" test_simulation -- --ignored"));
}

#[test]
fn what_fails_is_made_small_and_still_fails() {
    let faults = "cas key=*/HEAD p=0.5 ignore-conditions; get p=0.1 delay=80ms";
    let broken = (0..20).map(|seed| Case {
        faults: faults.parse().unwrap(),
        ..Case::draw(seed)
    });
    let failing = broken
        .map(Seed::play)
        .find(|seed| seed.first().is_some())
        .unwrap();
    let small = Small::of(&failing).unwrap();
    assert_eq!(small.drawn, failing.case);
    assert!(
        small.case.to_string().len() < small.drawn.to_string().len(),
        "{}",
        small.case
    );
    assert!(small.problems.iter().any(|problem| problem.name == small.name));
    assert!(small.case.faults.to_string().contains("ignore-conditions"));
    let again = Small::of(&failing).unwrap();
    assert_eq!((again.case, again.evidence), (small.case, small.evidence));
}
