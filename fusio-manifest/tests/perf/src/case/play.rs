//! Plays a case in virtual time and judges what was recorded.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fusio_manifest::{Clock, Mutant, Options, SharedSettings};
use tokio::task::JoinSet;

use super::{
    Case, Kill,
    collected::{self, Collected},
};
use crate::{
    checker::{self, conflicts_justified},
    client::KeptCounts,
    history::{History, Outcome, State},
    interrupt::Interrupt,
    oracle,
    progress::Progress,
    run::{Cell, CellOutcome, Prepared, SETTER_UP},
    settings::Settings,
    simulate::{self, HandleSeeds, VirtualClock},
    store_under_test::StoreUnderTest,
    target::{Target, engine::Engine, mortal::Mortal},
};

/// How often a client tries again by itself what it lost in a single attempt.
const RETRIES: &str = "3";
/// Sets the draws of who leaves apart from those of clients.
const OF_CALLERS: u64 = 0x63_616c_6c65_7273;

/// What came of a case.
#[derive(Debug, Clone)]
pub struct Played {
    /// Everything that clients did.
    pub history: History,
    /// What a new handle saw in the end, if it could be opened.
    pub final_state: Option<State>,
    /// What happened in it.
    pub tally: Tally,
    /// What was wrong; empty if nothing was.
    pub problems: Vec<Problem>,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its name: the checker's, or that of who noticed.
    pub name: String,
    /// With a short counterexample.
    pub text: String,
}

/// How much of what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Operations, without those of the set-up.
    pub operations: u64,
    /// Commits that were acknowledged.
    pub committed: u64,
    /// Conflicts that were told.
    pub conflicts: u64,
    /// Commits of which nobody was told the outcome.
    pub unknown: u64,
    /// Reads that were compared with the state of their snapshot.
    pub reads: u64,
    /// Processes that were killed.
    pub kills: u64,
    /// Transactions on lists that the oracle looked at.
    pub lists: u64,
    /// Reads, and keys of the final state, of which the checker could not decide.
    pub left_open: u64,
    /// What became of states that were held and pinned.
    pub kept: KeptCounts,
    /// What was collected.
    pub collected: Collected,
    /// Processes that were killed in the midst of a fold, a merge or a collection.
    pub cut: u64,
}

impl Tally {
    /// Both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            operations: self.operations + other.operations,
            committed: self.committed + other.committed,
            conflicts: self.conflicts + other.conflicts,
            unknown: self.unknown + other.unknown,
            reads: self.reads + other.reads,
            kills: self.kills + other.kills,
            lists: self.lists + other.lists,
            left_open: self.left_open + other.left_open,
            kept: self.kept.plus(&other.kept),
            collected: self.collected.plus(&other.collected),
            cut: self.cut + other.cut,
        }
    }
}

impl Played {
    /// True if nothing was wrong.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }

    fn nothing(name: &str, text: String) -> Self {
        Self {
            history: History::default(),
            final_state: None,
            tally: Tally::default(),
            problems: vec![Problem {
                name: name.to_owned(),
                text,
            }],
        }
    }
}

impl Case {
    /// Plays it, with the engine as it is or broken on purpose.
    pub fn play(&self, mutant: Option<Mutant>) -> Played {
        let played = simulate::run(async |clock| Box::pin(self.play_on(clock, mutant)).await);
        played
            .unwrap_or_else(|error| Err(error.to_string()))
            .unwrap_or_else(|error| Played::nothing("NoEnd", error))
    }

    async fn play_on(&self, clock: VirtualClock, mutant: Option<Mutant>) -> Result<Played, String> {
        let settings = self.settings()?;
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let store = StoreUnderTest::connect(&settings, Arc::clone(&clock)).await?;
        let engine = self.engine(Arc::clone(&clock), mutant);
        // Who sets up has all the time that it needs.
        let mut founder = engine.clone();
        founder.options.commit_timeout = Options::default().commit_timeout;
        let target = Arc::new(Mortal::new(
            founder,
            engine,
            Arc::clone(&clock),
            self.impatience,
            self.seed ^ OF_CALLERS,
        ));
        let (interrupt, progress) = (Interrupt::new(), Progress::silent());
        let cell = Cell {
            name: "case".to_owned(),
            config: &settings.workload,
            settings: &settings,
            store: &store,
            meters: Arc::clone(&store.meters),
            target: &*target,
            shared_handle: self.shared_handle,
            crew: Some(&self.crew),
            clock: Arc::clone(&clock),
            interrupt: &interrupt,
            progress: &progress,
        };
        // The set-up and the last look are not what is tested: nothing breaks there.
        store.calm();
        let mut prepared = Prepared::new(&cell).await?;
        let killed = Arc::new(Killed::default());
        let mut killers = JoinSet::new();
        for kill in self.kills.clone() {
            let (target, clock, killed) = (Arc::clone(&target), Arc::clone(&clock), Arc::clone(&killed));
            killers.spawn(async move { killed.kill(&target, &*clock, kill).await });
        }
        let offered = prepared.offer().await?;
        killers.abort_all();
        if self.ask {
            prepared.ask_about_unknown().await;
        }
        store.calm();
        let mut outcome = prepared
            .finish(offered.measured, offered.stopped, offered.undrained)
            .await;
        let (collected, left) = match self.collect {
            Some(collect) => Box::pin(collected::check(&cell, collect.retention, &mut outcome)).await,
            None => (Collected::default(), Vec::new()),
        };
        let mut played = judge(outcome, left);
        played.tally.collected = collected;
        played.tally.kills = killed.kills.load(Ordering::Relaxed);
        played.tally.cut = killed.cut.load(Ordering::Relaxed);
        Ok(played)
    }

    /// The same settings as any run has.
    fn settings(&self) -> Result<Settings, String> {
        let faults = self.faults.to_string();
        let given = [
            ("PERF_STORE", "simulated".to_owned()),
            ("PERF_SEED", self.seed.to_string()),
            ("PERF_NUM_WRITERS", self.crew.writers.len().to_string()),
            ("PERF_NUM_READERS", self.crew.readers.len().to_string()),
            ("PERF_WRITER_RATE", self.writer_rate.to_string()),
            ("PERF_READER_RATE", self.reader_rate.to_string()),
            ("PERF_DURATION_SECS", self.span.as_secs_f64().to_string()),
            ("PERF_WARMUP_SECS", "0".to_owned()),
            ("PERF_KEY_POOL_SIZE", self.pool.to_string()),
            ("PERF_KEY_OVERLAP_RATIO", "1".to_owned()),
            ("PERF_MAX_RETRY_COUNT", RETRIES.to_owned()),
            ("PERF_ARRIVALS", "poisson".to_owned()),
            ("PERF_LATENCY", self.latency.clone()),
            ("PERF_FAULTS", faults),
        ];
        Settings::from_env(given).map_err(|error| error.to_string())
    }

    fn engine(&self, clock: Arc<dyn Clock>, mutant: Option<Mutant>) -> Engine {
        let mut engine = Engine::default();
        let options = &mut engine.options;
        options.clock = clock;
        options.commit_timeout = self.limit;
        options.refreshes_in_flight = self.refreshes;
        options.shared = SharedSettings {
            spill_bytes: self.spill.at,
            spill_keep_bytes: self.spill.keep,
            transaction_inline_bytes: self.spill.inline,
            ..options.shared
        };
        if let Some(collect) = self.collect {
            options.shared.retention = collect.retention;
            options.shared.fold_objects = collect.fold_objects;
            // Merges come soon, too.
            options.shared.tier_ratio = 2;
        }
        options.mutant = mutant;
        engine.seeds = Some(Arc::new(HandleSeeds::new(self.seed)));
        engine
    }
}

/// Counts those that lived when they were killed.
#[derive(Debug, Default)]
struct Killed {
    kills: AtomicU64,
    /// Those of them that were in the midst of what was waited for.
    cut: AtomicU64,
}

impl Killed {
    /// Kills whom the case names, when it says.
    async fn kill<T: Target + 'static>(&self, target: &Mortal<T>, clock: &dyn Clock, kill: Kill) {
        clock.sleep(kill.at).await;
        let done = match kill.work {
            Some(work) => target.kill_at(kill.process, work).await,
            None => target.kill(kill.process),
        };
        self.kills.fetch_add(u64::from(done), Ordering::Relaxed);
        let cut = done && kill.work.is_some();
        self.cut.fetch_add(u64::from(cut), Ordering::Relaxed);
    }
}

fn judge(outcome: CellOutcome, mut problems: Vec<Problem>) -> Played {
    let mut add = |name: &str, text: String| {
        problems.push(Problem {
            name: name.to_owned(),
            text,
        });
    };
    if outcome.undrained > 0 {
        let text = format!(
            "{} operations had no answer long after the last one began",
            outcome.undrained
        );
        add("NoAnswer", text);
    }
    for alarm in outcome.alarms {
        add(alarm.name, alarm.text);
    }
    let final_state = match outcome.final_state {
        Ok(state) => Some(state),
        Err(error) => {
            add("NoFinalState", error);
            None
        }
    };
    let history = outcome.history;
    let verdict = checker::check(&history, final_state.as_ref());
    let conflicts = conflicts_justified(&history, final_state.as_ref());
    for violation in verdict.violations.iter().chain(&conflicts.violations) {
        add(&format!("{:?}", violation.kind), violation.to_string());
    }
    let opinion = match oracle::judge(&history, final_state.as_ref()) {
        Ok(opinion) => opinion,
        Err(error) => {
            add("BadRecord", error);
            oracle::Opinion::default()
        }
    };
    for (name, text) in opinion.anomalies.iter().zip(&opinion.explanations) {
        add(&format!("oracle: {name}"), text.clone());
    }
    let tally = Tally {
        kept: outcome.kept,
        lists: opinion.transactions,
        reads: verdict.reads,
        left_open: verdict.left_open,
        ..tally(&history)
    };
    Played {
        history,
        final_state,
        tally,
        problems,
    }
}

fn tally(history: &History) -> Tally {
    let mut tally = Tally::default();
    for operation in history
        .operations
        .iter()
        .filter(|operation| operation.client != SETTER_UP)
    {
        tally.operations += 1;
        tally.committed += u64::from(operation.txn().is_some());
        tally.conflicts += u64::from(matches!(operation.outcome, Outcome::Conflict { .. }));
        tally.unknown += u64::from(operation.is_unknown_commit());
    }
    tally
}
