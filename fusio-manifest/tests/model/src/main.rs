//! Explores the model and prints what it found: `cargo run -p manifest-model -- [large] [within=SECONDS] [NAME ...]`.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use manifest_model::{explore, large, ordinary, product, simulate, variants};

fn main() -> io::Result<()> {
    let (large_too, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word == "large");
    let (limits, only): (Vec<String>, Vec<String>) =
        words.into_iter().partition(|word| word.starts_with("within="));
    let seconds = limits
        .first()
        .map(|word| word.trim_start_matches("within=").parse::<u64>());
    let within = match seconds.transpose() {
        Ok(seconds) => seconds.map(Duration::from_secs),
        Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidInput, error)),
    };
    let wanted = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part.as_str()));
    let mut out = io::stdout();
    // On one thread the depth is that of the shortest paths, every time.
    let (configurations, threads) = if large_too.is_empty() {
        (ordinary(), 1)
    } else {
        (large(), 2)
    };
    writeln!(
        out,
        "| world | states | unique | depth | time | |\n|---|--:|--:|--:|--:|---|"
    )?;
    for configuration in configurations {
        if wanted(configuration.name) {
            writeln!(out, "{}", explore(&configuration, threads, within))?;
        }
    }
    let everything = product();
    if wanted(everything.name) {
        let states = if large_too.is_empty() {
            1_000_000
        } else {
            10_000_000
        };
        writeln!(out, "{}", simulate(&everything, 1, states))?;
    }
    writeln!(
        out,
        "\n| rule taken out | violated | steps | how |\n|---|---|--:|---|"
    )?;
    for variant in variants() {
        if wanted(&format!("{:?}", variant.broken)) {
            write!(out, "{}", variant.check())?;
        }
    }
    Ok(())
}
