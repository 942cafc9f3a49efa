//! One row of the table: a manifest, a founder, a handle that meets the fault, and what is true in the end.

use std::{fmt, sync::Arc, time::Duration};

use fusio_manifest::{
    CommitOptions, CommitOutcome, Error, KeyRange, Manifest, Receipt, SharedSettings, Transaction,
};
use parking_lot::Mutex;

use super::{Case, Comes, Part, Setting, Told};
use crate::{
    faulty::Hook,
    spill::{KIB, kilobyte},
    support::{Verdict, ensure, incremented, number, pause, put, spilled_at_once, unexpected},
};

/// A store on which the cases can be run.
pub(super) trait Bench {
    /// Its name in the table.
    fn store(&self) -> &'static str;

    /// How long a commit may take that has to find out that it cannot be known.
    fn patience(&self) -> Duration;

    /// A new manifest without commits, in the place of the last one.
    async fn found(&self, shared: SharedSettings) -> Result<(), Error>;

    /// A handle that nothing happens to.
    async fn open(&self, seed: u64) -> Result<Manifest, Error>;

    /// The handle that meets the faults.
    async fn open_exposed(&self, seed: u64) -> Result<Manifest, Error>;

    /// From now on the faults of `case` happen; `between` after the first of them and before its answer.
    fn arm(&self, case: &Case, between: Hook);

    /// Nothing happens any more.
    fn heal(&self);

    /// Everything that is late has arrived.
    async fn late_arrives(&self);

    /// How many log objects there are, named or not.
    async fn log_objects(&self) -> usize;
}

/// One row of the table.
pub(super) struct Row {
    case: Case,
    setting: Setting,
    store: &'static str,
    told: Told,
    /// What `outcome` said in the end, where the commit was told to be unknown.
    later: Option<CommitOutcome>,
    durable: bool,
}

impl Row {
    /// What was told is true.
    pub(super) fn is_true(&self) -> bool {
        match (self.told, self.later) {
            (Told::Committed, _) => self.durable,
            (Told::NotCommitted, _) => !self.durable,
            (Told::Unknown, Some(CommitOutcome::Committed { .. })) => self.durable,
            (Told::Unknown, Some(CommitOutcome::NotCommitted)) => !self.durable,
            (Told::Unknown, Some(CommitOutcome::StillUnknown)) => true,
            (Told::Unknown, None) => false,
        }
    }

    /// And it is what has to be told; nothing stays open.
    pub(super) fn holds(&self) -> bool {
        self.is_true()
            && self.told == self.case.comes.to_tell(self.setting)
            && self.later != Some(CommitOutcome::StillUnknown)
    }
}

impl fmt::Display for Row {
    /// As a row of a table in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.case.part {
            Part::Commit => "commit",
            Part::LargeTransaction => "large transaction's log object",
            Part::Spill => "spill",
        };
        let setting = match self.setting {
            Setting::Alone => "alone",
            Setting::ForeignCommit => "foreign commit",
            Setting::ConflictingCommit => "conflicting commit",
            Setting::MaintenanceOnly => "maintenance-only HEAD",
        };
        let told = match self.told {
            Told::Committed => "committed",
            Told::NotCommitted => "not committed",
            Told::Unknown => "unknown",
        };
        let later = match self.later {
            None => "",
            Some(CommitOutcome::Committed { .. }) => ", later committed",
            Some(CommitOutcome::NotCommitted) => ", later not committed",
            Some(CommitOutcome::StillUnknown) => ", later still unknown",
        };
        let durable = if self.durable {
            "committed"
        } else {
            "not committed"
        };
        let verdict = match (self.is_true(), self.holds()) {
            (true, true) => "true",
            (true, false) => "true, but another was expected",
            (false, _) => "FALSE",
        };
        let name = self.case.name.replace('_', " ");
        let store = self.store;
        write!(
            f,
            "| {part}: {name} | {setting} | {store} | {told}{later} | {durable} | {verdict} |"
        )
    }
}

/// What others did, once they have done it.
type Between = Arc<Mutex<Option<Result<(), String>>>>;

fn between(founder: &Manifest, part: Part, setting: Setting, done: &Between) -> Hook {
    let (founder, done) = (founder.clone(), Arc::clone(done));
    Arc::new(move || {
        let (founder, done) = (founder.clone(), Arc::clone(&done));
        Box::pin(async move {
            let result = others_act(&founder, part, setting).await;
            *done.lock() = Some(result.map_err(unexpected));
        })
    })
}

async fn others_act(founder: &Manifest, part: Part, setting: Setting) -> Result<(), Error> {
    if part == Part::Spill {
        // In the other parts it is up to date, and a look could meet the fault.
        founder.get("base").await?;
    }
    match setting {
        Setting::Alone => {}
        Setting::ForeignCommit => drop(put(founder, "foreign", "v").await?),
        Setting::ConflictingCommit => drop(founder.transact(add_one).await?),
        Setting::MaintenanceOnly => founder.maintain().await?,
    }
    Ok(())
}

/// It wins or loses against the watched commit, and is made in any case.
async fn add_one(transaction: &mut Transaction) -> Result<(), Error> {
    let count = number(transaction.get("count").await?.as_ref());
    transaction.put("count", (count + 1).to_string())
}

fn settings(part: Part, setting: Setting) -> SharedSettings {
    match (part, setting) {
        // One more small commit than this makes a spill due.
        (Part::Spill, _) => SharedSettings {
            spill_bytes: FILL as u64 * KIB as u64,
            spill_keep_bytes: KIB as u64,
            ..SharedSettings::default()
        },
        (_, Setting::MaintenanceOnly) => spilled_at_once(),
        _ => SharedSettings::default(),
    }
}

/// Commits of a kilobyte before the spill that goes wrong.
const FILL: usize = 8;

/// Runs one row.
pub(super) async fn run(bench: &impl Bench, case: &Case, setting: Setting) -> Result<Row, String> {
    bench
        .found(settings(case.part, setting))
        .await
        .map_err(unexpected)?;
    let founder = bench.open(1).await.map_err(unexpected)?;
    put(&founder, "base", "v").await.map_err(unexpected)?;
    if case.part != Part::Spill && setting == Setting::MaintenanceOnly {
        // Its spill is written, and waits for the HEAD that swaps it in.
        while bench.log_objects().await == 0 {
            pause(Duration::from_millis(5)).await;
        }
    }
    let manifest = bench.open_exposed(2).await.map_err(unexpected)?;
    let done = Between::default();
    bench.arm(case, between(&founder, case.part, setting, &done));
    if case.part == Part::Spill {
        for number in 0..FILL {
            put(&manifest, &format!("key {number}"), &kilobyte(number))
                .await
                .map_err(unexpected)?;
        }
        for _ in 0..1_000 {
            if done.lock().is_some() {
                break;
            }
            pause(Duration::from_millis(5)).await;
        }
    }
    let result = commit(bench, &manifest, case).await;
    bench.heal();
    let first = ask(&manifest, &result).await?;
    bench.late_arrives().await;
    let later = ask(&manifest, &result).await?;
    done.lock().take().ok_or("nobody acted in between")??;
    manifest.close().await;
    founder.close().await;
    let told = match &result {
        Ok(_) => Told::Committed,
        Err(error) if error.outcome_unknown() => Told::Unknown,
        Err(_) => Told::NotCommitted,
    };
    let durable = check(bench, case, setting).await?;
    // An answer that was final stays.
    ensure!(
        first == later || first == Some(CommitOutcome::StillUnknown),
        "asked twice: {first:?}, then {later:?}"
    );
    Ok(Row {
        case: case.clone(),
        setting,
        store: bench.store(),
        told,
        later,
        durable,
    })
}

/// The commit that is watched: it reads and writes the counter.
async fn commit(bench: &impl Bench, manifest: &Manifest, case: &Case) -> Result<Receipt, Error> {
    let mut transaction = incremented(manifest, "count").await?;
    transaction.put("own", "v")?;
    if case.part == Part::LargeTransaction {
        transaction.put("bulk", vec![7; 20 * KIB])?;
    }
    let ends_at_its_deadline = matches!(case.comes, Comes::Open | Comes::RefusedWhileOpen | Comes::Refused);
    let options = CommitOptions {
        timeout: ends_at_its_deadline.then(|| bench.patience()),
        ..CommitOptions::default()
    };
    transaction.commit_with(options).await
}

async fn ask(manifest: &Manifest, result: &Result<Receipt, Error>) -> Result<Option<CommitOutcome>, String> {
    match result.as_ref().err().and_then(Error::token) {
        Some(token) => manifest.outcome(token).await.map(Some).map_err(unexpected),
        None => Ok(None),
    }
}

/// Whether the watched commit is there for a handle that has seen nothing before, once and whole, and all others too.
async fn check(bench: &impl Bench, case: &Case, setting: Setting) -> Result<bool, String> {
    let reader = bench.open(3).await.map_err(unexpected)?;
    let entries = reader.scan(KeyRange::all()).await.map_err(unexpected)?;
    let entries = entries.collect().await.map_err(unexpected)?;
    let txn = reader.info().map_err(unexpected)?.txn;
    reader.close().await;
    let value = |key: &str| {
        let found = entries.iter().find(|(held, _)| held == key);
        found.map(|(_, value)| value.clone())
    };
    let durable = value("own").is_some();
    let conflicting = u64::from(setting == Setting::ConflictingCommit);
    let count = number(value("count").as_ref());
    ensure!(
        count == conflicting + u64::from(durable),
        "the counter ends at {count}"
    );
    let filled = if case.part == Part::Spill { FILL } else { 0 };
    let others = 1 + filled as u64 + conflicting + u64::from(setting == Setting::ForeignCommit);
    ensure!(txn == others + u64::from(durable), "{txn} commits");
    ensure!(value("base").is_some(), "the first commit is lost");
    let foreign = value("foreign").is_some();
    ensure!(
        foreign == (setting == Setting::ForeignCommit),
        "the foreign commit is there: {foreign}"
    );
    for number in 0..filled {
        let held = value(&format!("key {number}"));
        ensure!(
            held.is_some_and(|held| held == kilobyte(number)),
            "key {number} is lost"
        );
    }
    let bulk = case.part == Part::LargeTransaction && durable;
    ensure!(value("bulk").is_some() == bulk, "half a transaction");
    Ok(durable)
}

/// A row must hold, or the table tells what does not.
pub(super) fn verdict(rows: &[Row]) -> Verdict {
    let wrong: Vec<_> = rows
        .iter()
        .filter(|row| !row.holds())
        .map(Row::to_string)
        .collect();
    ensure!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}
