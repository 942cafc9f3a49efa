//! Seeds: each draws a small run with everything that can go wrong, plays it in virtual time and has it checked. What
//! fails is made as small as it can be, and printed with the command that plays it again.

use std::{
    io::Write as _,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use md5::{Digest as _, Md5};
use serde::Serialize;

use super::{
    Context, Ended, Plan,
    over_seeds::{over_seeds, refuse_what_is_drawn, threads, wait_for},
    reason, run_simulations,
};
use crate::{
    case::{Case, Played, Problem, Tally, shrink},
    history::write_jsonl,
    requests::RequestCounts,
    result::{SimulationFields, Verdict},
    settings::{Settings, StoreSettings},
};

const STEM: &str = "test_simulation";
const TITLE: &str = "Simulation Test";

/// So many of the seeds that fail are made smaller and printed.
const SHOWN_MAX: usize = 3;
/// So many of the problems of one case are printed.
const PROBLEMS_MAX: usize = 3;
/// So many seeds have to show everything that there is to be seen, or else nothing was tested.
const SEEDS_THAT_SHOW_ALL: u64 = 100;

/// Plays the cases of many seeds.
///
/// # Errors
///
/// One line: which seeds fail, or why it could not run.
pub fn simulation() -> Result<(), String> {
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
    settings.store = StoreSettings::Simulated {
        latency: "none".to_owned(),
        faults: None,
    };
    if let Some(text) = &settings.case {
        let case: Case = text.parse().map_err(|error| format!("PERF_CASE: {error}"))?;
        return Ok(Some(format!("Case: {case}")));
    }
    let (first, count) = (settings.seed, settings.seeds);
    let last = first.wrapping_add(count - 1);
    Ok(Some(format!(
        "Seeds: {first} to {last}, on {} threads; each draws clients, rates, latencies, faults and kills",
        threads(settings)
    )))
}

/// What is kept of a case that was played.
struct Seed {
    case: Case,
    tally: Tally,
    digest: String,
    problems: Vec<Problem>,
}

/// A line of the file that two runs are compared by.
#[derive(Serialize)]
struct Line<'a> {
    seed: u64,
    operations: u64,
    committed: u64,
    conflicts: u64,
    unknown: u64,
    reads: u64,
    kills: u64,
    collections: u64,
    deleted: u64,
    pins: u64,
    expired: u64,
    /// Of the history and the final state, as they would be written.
    md5: &'a str,
    problems: Vec<&'a str>,
}

impl Seed {
    fn play(case: Case) -> Self {
        let played = case.play(None);
        Self {
            tally: played.tally,
            digest: digest(&played),
            problems: played.problems,
            case,
        }
    }

    /// What was wrong first, if anything was.
    fn first(&self) -> Option<&Problem> {
        self.problems.first()
    }

    fn line(&self) -> Line<'_> {
        let tally = &self.tally;
        Line {
            seed: self.case.seed,
            operations: tally.operations,
            committed: tally.committed,
            conflicts: tally.conflicts,
            unknown: tally.unknown,
            reads: tally.reads,
            kills: tally.kills,
            collections: tally.collected.collections,
            deleted: tally.collected.deleted,
            pins: tally.kept.pinned,
            expired: tally.kept.expired,
            md5: &self.digest,
            problems: self
                .problems
                .iter()
                .map(|problem| problem.name.as_str())
                .collect(),
        }
    }
}

/// The history in the form in which it is kept as evidence.
fn evidence(played: &Played) -> Vec<u8> {
    let mut lines = Vec::new();
    // Writing to memory cannot fail.
    let _ = write_jsonl(&mut lines, &played.history, played.final_state.as_ref());
    lines
}

fn digest(played: &Played) -> String {
    let digest = Md5::digest(evidence(played));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn measure(context: &Context) -> Ended<SimulationFields> {
    let began = context.clock.now();
    let settings = &context.settings;
    let given: Option<Case> = settings.case.as_deref().and_then(|text| text.parse().ok());
    let count = if given.is_some() { 1 } else { settings.seeds };
    let (first, threads) = (settings.seed, threads(settings));
    let (interrupt, ended) = (context.interrupt.clone(), Arc::new(AtomicU64::new(0)));
    let counting = Arc::clone(&ended);
    let work = move || {
        let seeds = over_seeds((first, count), threads, &interrupt, &counting, |seed| {
            Seed::play(given.clone().unwrap_or_else(|| Case::draw(seed)))
        });
        let seeds: Vec<Seed> = seeds.into_values().collect();
        // On those threads, too: a case has a runtime of its own, which cannot begin within another.
        let failing: Vec<&Seed> = seeds.iter().filter(|seed| seed.first().is_some()).collect();
        let shown = failing.len().min(SHOWN_MAX) as u64;
        let small = over_seeds((0, shown), threads, &interrupt, &AtomicU64::new(0), |place| {
            let place = usize::try_from(place).ok()?;
            failing.get(place).and_then(|seed| Small::of(seed))
        });
        let small: Vec<Small> = small.into_values().flatten().collect();
        (seeds, small)
    };
    let (seeds, small) = match wait_for(context, "seeds", count, &ended, work).await {
        Ok(done) => done,
        Err(error) => return context.could_not_begin(error),
    };
    let wall = context.clock.now().saturating_sub(began);
    report(context, (&seeds, &small), count, wall)
}

fn fields(seeds: &[Seed], wall: Duration) -> SimulationFields {
    let sum = seeds
        .iter()
        .fold(Tally::default(), |sum, seed| sum.plus(&seed.tally));
    let failing = seeds.iter().filter(|seed| !seed.problems.is_empty());
    SimulationFields {
        seeds: seeds.len() as u64,
        violations: seeds.iter().map(|seed| seed.problems.len() as u64).sum(),
        wall_s: (wall.as_secs_f64() * 10.0).round() / 10.0,
        operations: sum.operations,
        committed: sum.committed,
        conflicts: sum.conflicts,
        unknown: sum.unknown,
        reads: sum.reads,
        left_open: sum.left_open,
        lists: sum.lists,
        kills: sum.kills,
        kills_at_work: sum.cut,
        collecting: sum.collected.cases,
        collections: sum.collected.collections,
        objects_deleted: sum.collected.deleted,
        objects_left: sum.collected.left,
        held: sum.kept.held,
        expired: sum.kept.expired,
        pins: sum.kept.pinned,
        pins_opened: sum.kept.opened,
        pins_released: sum.kept.released,
        pins_left: sum.collected.pins,
        pins_refused: sum.kept.refused,
        failing_seeds: failing.map(|seed| seed.case.seed).take(20).collect(),
    }
}

fn report(
    context: &Context,
    (seeds, small): (&[Seed], &[Small]),
    count: u64,
    wall: Duration,
) -> Ended<SimulationFields> {
    let fields = fields(seeds, wall);
    context.say(|out| write_fields(out, &fields));
    let mut failures = Vec::new();
    for small in small {
        show(context, small, &mut failures);
    }
    if fields.violations > 0 {
        failures.insert(0, format!("violations with the seeds {:?}", fields.failing_seeds));
    }
    failures.extend(unseen(&fields).map(|what| format!("no {what} in {} seeds", fields.seeds)));
    if let Err(error) = keep_lines(context, seeds) {
        failures.push(error);
    }
    let verdict = if !failures.is_empty() {
        Verdict::Fail
    } else if fields.seeds < count {
        Verdict::Interrupted
    } else {
        Verdict::Pass
    };
    if verdict == Verdict::Pass {
        context.say(|out| {
            writeln!(
                out,
                "Verification: {} histories strictly serializable or without contradiction, conflicts with reasons, the \
                 oracle agrees; nothing unneeded left, nothing needed gone\n✅ All tests passed",
                fields.seeds
            )
        });
    }
    Ended {
        verdict,
        valid: true,
        reason: reason(verdict, &failures),
        fields: Some(fields),
    }
}

/// What did not happen even once, although so many seeds were played that it should have.
fn unseen(fields: &SimulationFields) -> impl Iterator<Item = &'static str> {
    let all = [
        ("commit", fields.committed),
        ("conflict", fields.conflicts),
        ("unknown outcome", fields.unknown),
        ("read", fields.reads),
        ("list", fields.lists),
        ("kill", fields.kills),
        ("kill in the midst of maintenance", fields.kills_at_work),
        ("collection", fields.collections),
        ("deletion", fields.objects_deleted),
        ("state that was held", fields.held),
        ("state that had expired", fields.expired),
        ("pin that was opened", fields.pins_opened),
        ("pin that was let go", fields.pins_released),
        ("pin that was left", fields.pins_left),
        ("state too old to be pinned", fields.pins_refused),
    ];
    let enough = fields.seeds >= SEEDS_THAT_SHOW_ALL;
    all.into_iter()
        .filter(move |(_, seen)| enough && *seen == 0)
        .map(|(what, _)| what)
}

/// A case that fails, as small as it can be.
struct Small {
    drawn: Case,
    case: Case,
    tried: u32,
    name: String,
    problems: Vec<Problem>,
    evidence: Vec<u8>,
}

impl Small {
    /// None if nothing was wrong.
    fn of(seed: &Seed) -> Option<Self> {
        let name = seed.first()?.name.clone();
        let same = |played: &Played| played.problems.iter().any(|problem| problem.name == name);
        let shrunk = shrink(&seed.case, |case| same(&case.play(None)));
        let played = shrunk.case.play(None);
        Some(Self {
            drawn: seed.case.clone(),
            case: shrunk.case,
            tried: shrunk.played,
            evidence: evidence(&played),
            problems: played.problems,
            name,
        })
    }
}

/// Prints it, and keeps its history.
fn show(context: &Context, small: &Small, failures: &mut Vec<String>) {
    let number = small.drawn.seed;
    let kept = context
        .folder
        .write(&format!("seed_{number}.jsonl"), &small.evidence);
    context.say(|out| {
        writeln!(out, "\n❌ Seed {number}: {}", small.name)?;
        writeln!(out, "  drawn:    {}", small.drawn)?;
        writeln!(out, "  smallest: {} ({} tried)", small.case, small.tried)?;
        for problem in small.problems.iter().take(PROBLEMS_MAX) {
            writeln!(out, "  {}", problem.text.replace('\n', "\n  "))?;
        }
        writeln!(out, "  Again:    {}", command(&small.case))
    });
    match kept {
        Ok(path) => context.say(|out| writeln!(out, "  History:  {}", path.display())),
        Err(error) => failures.push(error.to_string()),
    }
}

/// What plays a case again.
fn command(case: &Case) -> String {
    format!(
        "PERF_CASE='{case}' cargo test -p fusio-manifest --test performance_test test_simulation -- --ignored --exact \
         --nocapture"
    )
}

/// A line a seed: the same seeds write the same bytes.
fn keep_lines(context: &Context, seeds: &[Seed]) -> Result<(), String> {
    let mut text = String::new();
    for seed in seeds {
        text.push_str(&serde_json::to_string(&seed.line()).map_err(|error| error.to_string())?);
        text.push('\n');
    }
    let written = context
        .folder
        .write("test_simulation_seeds.jsonl", text.as_bytes());
    written.map(|_| ()).map_err(|error| error.to_string())
}

fn write_fields(out: &mut impl std::io::Write, fields: &SimulationFields) -> std::io::Result<()> {
    writeln!(out, "--- Seeds ---")?;
    for (name, count) in [
        ("Seeds:               ", fields.seeds),
        ("Violations:          ", fields.violations),
        ("Operations:          ", fields.operations),
        ("  committed:         ", fields.committed),
        ("  told of conflicts: ", fields.conflicts),
        ("  unknown:           ", fields.unknown),
        ("Reads checked:       ", fields.reads),
        ("  left open:         ", fields.left_open),
        ("List transactions:   ", fields.lists),
        ("Processes killed:    ", fields.kills),
        ("  at maintenance:    ", fields.kills_at_work),
        ("Seeds that collect:  ", fields.collecting),
        ("  collections begun: ", fields.collections),
        ("  objects deleted:   ", fields.objects_deleted),
        ("  in the end:        ", fields.objects_left),
        ("States held:         ", fields.held),
        ("  told as expired:   ", fields.expired),
        ("States pinned:       ", fields.pins),
        ("  opened:            ", fields.pins_opened),
        ("  let go:            ", fields.pins_released),
        ("  left to the end:   ", fields.pins_left),
        ("  too old for a pin: ", fields.pins_refused),
    ] {
        writeln!(out, "{name}{count}")?;
    }
    writeln!(out, "Wall time:           {:.1} s\n", fields.wall_s)
}

#[cfg(test)]
mod tests;
