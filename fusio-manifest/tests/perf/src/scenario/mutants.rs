//! Mutants: the engine broken on purpose in one way after the other, and the seed whose case shows it.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use fusio_manifest::Mutant;

use super::{
    Context, Ended, Plan,
    over_seeds::{over_seeds, refuse_what_is_drawn, threads, wait_for},
    reason, run_simulations,
};
use crate::{
    case::Case,
    requests::RequestCounts,
    result::{MutantFate, MutantsFields, Verdict},
    settings::{Settings, StoreSettings},
};

const STEM: &str = "test_mutants";
const TITLE: &str = "Mutants Test";

/// So many seeds are tried of each at most, unless the settings say.
const USUAL_SEEDS: u64 = 3_000;

/// Those that no seed need show: what they break is hidden by a second safeguard, or takes a chain of accidents that cases
/// do not have. Each is killed by the test that is named here.
const LEFT_TO_TESTS: [(Mutant, &str); 4] = [
    (Mutant::BaseJudgedByCommits, "every_row_in_memory_holds"),
    (Mutant::RefusalBelievedWhileUnknown, "every_row_in_memory_holds"),
    (
        Mutant::SpillOfUnlanded,
        "a_spill_waits_until_its_commits_have_landed",
    ),
    (
        Mutant::ObjectNamedWithoutMember,
        "no_object_is_named_without_its_members",
    ),
];

/// Looks for a seed that shows each mutant.
///
/// # Errors
///
/// One line: which mutants no seed shows, or why it could not run.
pub fn mutants() -> Result<(), String> {
    let plan = Plan {
        name: STEM,
        title: TITLE,
        estimate: |_| RequestCounts::default(),
        duration: |_| Duration::ZERO,
        adjust,
    };
    run_simulations(&plan, async |context| measure(context).await)
}

fn adjust(settings: &mut Settings) -> Result<Option<String>, String> {
    refuse_what_is_drawn(settings, STEM)?;
    if settings.case.is_some() {
        return Err("test_mutants plays the cases of seeds, PERF_CASE has no effect: unset it".to_owned());
    }
    settings.set_unless_given("PERF_SEEDS", USUAL_SEEDS, |settings| &mut settings.seeds);
    settings.store = StoreSettings::Simulated {
        latency: "none".to_owned(),
        faults: None,
    };
    Ok(Some(format!(
        "Mutants: {}, each until a seed shows it; at most {} seeds from {} on",
        Mutant::ALL.len(),
        settings.seeds,
        settings.seed
    )))
}

async fn measure(context: &Context) -> Ended<MutantsFields> {
    let began = context.clock.now();
    let settings = &context.settings;
    let (first, seeds, threads) = (settings.seed, settings.seeds, threads(settings));
    let (interrupt, ended) = (context.interrupt.clone(), Arc::new(AtomicU64::new(0)));
    let count = Mutant::ALL.len() as u64;
    let counting = Arc::clone(&ended);
    let work = move || {
        let fate = |number: u64| {
            let mutant = usize::try_from(number)
                .ok()
                .and_then(|place| Mutant::ALL.get(place));
            mutant.map(|mutant| fate(*mutant, first, seeds, || interrupt.is_set()))
        };
        over_seeds((0, count), threads, &interrupt, &counting, fate)
    };
    let fates = match wait_for(context, "mutants", count, &ended, work).await {
        Ok(fates) => fates.into_values().flatten().collect::<Vec<_>>(),
        Err(error) => return context.could_not_begin(error),
    };
    let wall = context.clock.now().saturating_sub(began);
    report(context, fates, wall)
}

/// The first seed that shows it.
fn fate(mutant: Mutant, first: u64, seeds: u64, stop: impl Fn() -> bool) -> MutantFate {
    let mut fate = MutantFate {
        mutant: format!("{mutant:?}"),
        seed: None,
        played: 0,
        problem: None,
    };
    while fate.played < seeds && !stop() {
        let seed = first.wrapping_add(fate.played);
        fate.played += 1;
        let played = Case::draw(seed).play(Some(mutant));
        if let Some(problem) = played.problems.into_iter().next() {
            fate.seed = Some(seed);
            fate.problem = Some(problem.name);
            break;
        }
    }
    fate
}

fn report(context: &Context, fates: Vec<MutantFate>, wall: Duration) -> Ended<MutantsFields> {
    context.say(|out| write_table(out, &fates));
    let left = |fate: &&MutantFate| left_to(&fate.mutant).is_none();
    let alive: Vec<&str> = fates
        .iter()
        .filter(|fate| fate.seed.is_none())
        .filter(left)
        .map(|fate| fate.mutant.as_str())
        .collect();
    let mut failures = Vec::new();
    if !alive.is_empty() && !context.interrupt.is_set() {
        failures.push(format!(
            "no one of {} seeds shows {}",
            context.settings.seeds,
            alive.join(", ")
        ));
    }
    let verdict = if !failures.is_empty() {
        Verdict::Fail
    } else if context.interrupt.is_set() {
        Verdict::Interrupted
    } else {
        Verdict::Pass
    };
    Ended {
        verdict,
        valid: true,
        reason: reason(verdict, &failures),
        fields: Some(MutantsFields {
            mutants: Mutant::ALL.len(),
            killed: fates.iter().filter(|fate| fate.seed.is_some()).count(),
            fates,
            wall_s: (wall.as_secs_f64() * 10.0).round() / 10.0,
        }),
    }
}

fn left_to(mutant: &str) -> Option<&'static str> {
    LEFT_TO_TESTS
        .iter()
        .find(|(left, _)| format!("{left:?}") == mutant)
        .map(|(_, test)| *test)
}

fn write_table(out: &mut impl std::io::Write, fates: &[MutantFate]) -> std::io::Result<()> {
    writeln!(
        out,
        "| mutant | seeds played | first that shows it | what is wrong there |\n|---|---|---|---|"
    )?;
    for fate in fates {
        let seed = fate
            .seed
            .map_or_else(|| "none".to_owned(), |seed| seed.to_string());
        let problem = match (&fate.problem, left_to(&fate.mutant)) {
            (Some(problem), _) => problem.clone(),
            (None, Some(test)) => format!("left to `{test}`"),
            (None, None) => "nothing".to_owned(),
        };
        writeln!(out, "| {} | {} | {seed} | {problem} |", fate.mutant, fate.played)?;
    }
    writeln!(out)
}
