//! The nights of a store: judges one, keeps their history, draws its page.
//!
//! ```text
//! nights judge --store NAME --night DAY --in FOLDER [--last FOLDER] [--history CSV] [--across-settings] [--failed WHY ...]
//! nights add HISTORY.csv NIGHT.csv ... [--replace]
//! nights draw HISTORY.csv PAGE.html
//! ```
//!
//! A folder of a night holds `baseline-1.csv` and so on and `sweep.csv`, each with its details beside it. `judge` holds
//! it against that of the last night, says what came of it, and leaves the row of the history there as `night.csv`. The
//! exit status is 0 if the night passed, 1 if it failed, and 2 if the files are not what they should be. `PERF_SUMMARY`
//! names a file to which the tables are appended in markdown.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use manifest_perf::{
    export::read_recording,
    nights::{
        self, Night,
        judge::{Judgement, Measured, hold},
    },
    output::{append, write_whole},
    plot,
};

const USAGE: &str = "usage: nights judge --store NAME --night DAY --in FOLDER [--last FOLDER] [--history CSV] \
    [--across-settings] [--failed WHY ...] | nights add HISTORY.csv NIGHT.csv ... [--replace] | \
    nights draw HISTORY.csv PAGE.html";

/// Far more repeats than anyone measures in a night.
const REPEATS_MAX: u32 = 99;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["judge", rest @ ..] => Ask::parse(rest).and_then(|ask| judge(&ask)),
        ["add", history, rest @ ..] => add(Path::new(history), rest).map(|()| true),
        ["draw", history, page] => draw(Path::new(history), Path::new(page)).map(|()| true),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(why) => {
            // Nobody may be listening; the status says it too.
            let _ = writeln!(io::stderr(), "error: {why}");
            ExitCode::from(2)
        }
    }
}

/// What `judge` is to do.
#[derive(Debug, Default)]
struct Ask<'a> {
    store: Option<&'a str>,
    night: Option<&'a str>,
    folder: Option<&'a Path>,
    last: Option<&'a Path>,
    history: Option<&'a Path>,
    across_settings: bool,
    failed: Vec<String>,
}

impl<'a> Ask<'a> {
    fn parse(arguments: &[&'a str]) -> Result<Self, String> {
        let (mut ask, mut rest) = (Self::default(), arguments.iter().copied());
        while let Some(name) = rest.next() {
            if name == "--across-settings" {
                ask.across_settings = true;
                continue;
            }
            let value = rest
                .next()
                .ok_or_else(|| format!("{name} has no value. {USAGE}"))?;
            match name {
                "--store" => ask.store = Some(value),
                "--night" => ask.night = Some(value),
                "--in" => ask.folder = Some(Path::new(value)),
                "--last" => ask.last = Some(Path::new(value)),
                "--history" => ask.history = Some(Path::new(value)),
                "--failed" => ask.failed.push(value.to_owned()),
                _ => return Err(format!("{name} is not known. {USAGE}")),
            }
        }
        Ok(ask)
    }
}

/// True if the night passed.
fn judge(ask: &Ask<'_>) -> Result<bool, String> {
    let (Some(store), Some(night), Some(folder)) = (ask.store, ask.night, ask.folder) else {
        return Err(USAGE.to_owned());
    };
    let now = measured(folder)?;
    let row = Night::of(night, store, &now.baseline, now.sweep.as_ref());
    let history = match ask.history {
        Some(path) => read_history(path)?,
        None => Vec::new(),
    };
    let last = ask.last.filter(|folder| folder.join("baseline-1.csv").is_file());
    let judgement = match last {
        Some(last) => hold(&measured(last)?, &now, &row, &history, ask.across_settings),
        None => Judgement {
            notes: vec![format!(
                "no comparison: there is no earlier night of {store} that passed. The next night is held against \
                 this one, if it passes"
            )],
            ..Judgement::default()
        },
    };
    let mut reasons = ask.failed.clone();
    reasons.extend(judgement.failures.iter().cloned());
    if now.baseline.is_empty() && reasons.is_empty() {
        reasons.push("no repeat of the baseline left its numbers".to_owned());
    }
    let row = row.failed(&reasons);
    let mut one = Vec::new();
    nights::add(&mut one, row.clone(), false)?;
    save(&folder.join("night.csv"), &nights::write(&one)?)?;
    tell(&row, &judgement)?;
    Ok(row.passed())
}

fn tell(row: &Night, judgement: &Judgement) -> Result<(), String> {
    let mut out = io::stdout().lock();
    let told = |error: io::Error| format!("the tables cannot be printed: {error}");
    let title = format!("{}, night of {}: {}", row.store, row.night, row.verdict);
    let mut markdown = format!("\n## {title}\n");
    for (heading, table) in &judgement.tables {
        writeln!(out, "\n{heading}:").map_err(told)?;
        table.write(&mut out).map_err(told)?;
        markdown.push_str(&table.markdown(heading));
    }
    markdown.push('\n');
    for note in &judgement.notes {
        writeln!(out, "Note: {note}").map_err(told)?;
        markdown.push_str(&format!("- {note}\n"));
    }
    if let Some(reason) = &row.reason {
        markdown.push_str(&format!("- **failed**: {reason}\n"));
    }
    writeln!(out, "NIGHT {}", nights::line(row)).map_err(told)?;
    if let Some(path) = std::env::var_os("PERF_SUMMARY").filter(|path| !path.is_empty()) {
        append(Path::new(&path), &markdown).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What lies in the folder of a night. What a run that failed did not leave is not there.
fn measured(folder: &Path) -> Result<Measured, String> {
    let paths = (1..=REPEATS_MAX).map(|number| folder.join(format!("baseline-{number}.csv")));
    let baseline = paths
        .filter(|path| path.is_file())
        .map(|path| read_recording(&path));
    let baseline = baseline.collect::<Result<_, _>>()?;
    let sweep = folder.join("sweep.csv");
    let sweep = sweep.is_file().then(|| read_recording(&sweep)).transpose()?;
    Ok(Measured { baseline, sweep })
}

fn add(history: &Path, arguments: &[&str]) -> Result<(), String> {
    let replace = arguments.contains(&"--replace");
    let paths: Vec<PathBuf> = arguments
        .iter()
        .filter(|argument| **argument != "--replace")
        .map(PathBuf::from)
        .collect();
    if paths.is_empty() {
        return Err(USAGE.to_owned());
    }
    let mut all = read_history(history)?;
    for path in &paths {
        let rows = nights::parse(&path.display().to_string(), &read(path)?)?;
        if rows.is_empty() {
            return Err(format!("{} has no rows", path.display()));
        }
        for night in rows {
            nights::add(&mut all, night, replace)?;
        }
    }
    save(history, &nights::write(&all)?)
}

fn draw(history: &Path, page: &Path) -> Result<(), String> {
    save(page, &plot::nights::page(&read_history(history)?)?)
}

/// The nights so far: none if there is no such file yet.
fn read_history(path: &Path) -> Result<Vec<Night>, String> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    nights::parse(&path.display().to_string(), &read(path)?)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

fn save(path: &Path, text: &str) -> Result<(), String> {
    write_whole(path, text.as_bytes()).map_err(|error| error.to_string())
}
