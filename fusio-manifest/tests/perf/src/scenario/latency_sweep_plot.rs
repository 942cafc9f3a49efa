//! Draws the report of a sweep anew, from its files alone: no store, no load, seconds.

use std::io::{self, Write as _};

use crate::{
    plot::{self, Drawn, DrawnRun},
    result::{LatencySweepPlotFields, ScenarioResult, Verdict},
    settings::Settings,
};

const NAME: &str = "plot_latency_sweep";

/// Draws the newest sweep below `PERF_OUT`, or the run whose folder `PERF_OUT` is.
///
/// # Errors
///
/// One line: which file is missing or damaged.
pub fn latency_sweep_plot() -> Result<(), String> {
    let settings = Settings::from_env(std::env::vars_os());
    let drawn = settings.map_err(|error| error.to_string()).and_then(|settings| {
        let folder = plot::folder_to_draw(&settings.out).map_err(|error| error.to_string())?;
        plot::draw(&folder).map_err(|error| error.to_string())
    });
    let (result, told) = match drawn {
        Ok(drawn) => conclude(drawn),
        Err(why) => (
            result(DrawnRun::default(), vec![why.clone()], None),
            format!("error: {why}\n"),
        ),
    };
    // Nobody may be listening; the files are there all the same.
    let _ = write!(io::stdout(), "\n{told}");
    let printed = result.print().map_err(|error| error.to_string());
    match result.reason {
        None => printed,
        Some(reason) => Err(reason),
    }
}

/// What came of it, and the lines for people.
fn conclude(drawn: Drawn) -> (ScenarioResult<LatencySweepPlotFields>, String) {
    let mut told = String::from("Drawn from the files alone:\n");
    for file in &drawn.files {
        told.push_str(&format!("  {}\n", file.display()));
    }
    for line in &drawn.missing {
        told.push_str(&format!("Note: {line}\n"));
    }
    for line in &drawn.damaged {
        told.push_str(&format!("error: {line}\n"));
    }
    let fields = LatencySweepPlotFields { files: drawn.files };
    (result(drawn.run, drawn.damaged, Some(fields)), told)
}

fn result(
    run: DrawnRun,
    failures: Vec<String>,
    fields: Option<LatencySweepPlotFields>,
) -> ScenarioResult<LatencySweepPlotFields> {
    let whole = failures.is_empty();
    ScenarioResult {
        scenario: NAME.to_owned(),
        store: run.store.unwrap_or("none".to_owned()),
        latency: run.latency,
        seed: run.seed.unwrap_or_default(),
        verdict: if whole { Verdict::Pass } else { Verdict::Fail },
        valid: whole,
        reason: (!whole).then(|| failures.join("; ")),
        fields,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_fail_and_missing_ones_do_not() {
        let drawn = |damaged: &[&str]| Drawn {
            files: vec!["run/report.html".into()],
            missing: vec!["no .hlog".to_owned()],
            damaged: damaged.iter().map(|line| (*line).to_owned()).collect(),
            ..Drawn::default()
        };
        let (passed, told) = conclude(drawn(&[]));
        assert_eq!((passed.verdict, passed.reason.as_deref()), (Verdict::Pass, None));
        assert!(
            told.contains("  run/report.html\n") && told.contains("Note: no .hlog\n"),
            "{told}"
        );
        let line = passed.line().unwrap();
        assert!(line.ends_with("\"files\":[\"run/report.html\"]}"), "{line}");
        let (failed, told) = conclude(drawn(&["a.csv: torn"]));
        assert_eq!(
            (failed.verdict, failed.reason.as_deref()),
            (Verdict::Fail, Some("a.csv: torn"))
        );
        assert!(told.contains("error: a.csv: torn\n"), "{told}");
    }
}
