//! Deletes what runs left in a real bucket, such as after one was killed: `PERF_STORE=s3 PERF_S3_BUCKET=... delete-leftovers`.
//!
//! It takes the settings of the scenarios, and must not run beside one: the objects of a run that is still writing go
//! as well. The exit status is 0 if nothing is left, 2 if that cannot be told.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use fusio_manifest::SystemClock;
use manifest_perf::{settings::Settings, store_under_test::delete_leftovers};

fn main() -> ExitCode {
    let told = match carry_out() {
        Ok(runs) if runs.is_empty() => writeln!(io::stdout(), "nothing was left behind"),
        Ok(runs) => writeln!(io::stdout(), "deleted what was left behind: {}", runs.join(", ")),
        Err(why) => {
            // Nobody may be listening; the status says it too.
            let _ = writeln!(io::stderr(), "error: {why}");
            return ExitCode::from(2);
        }
    };
    if told.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    }
}

fn carry_out() -> Result<Vec<String>, String> {
    let settings = Settings::from_env(std::env::vars_os()).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(delete_leftovers(&settings, &SystemClock))
}
