//! Explores the model and prints tables: `cargo run -p manifest-model`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout();
    for configuration in manifest_model::ordinary() {
        if !only.is_empty() && !only.iter().any(|name| configuration.name.contains(name.as_str())) {
            continue;
        }
        let found = manifest_model::explore(&configuration, 2);
        writeln!(
            out,
            "{:24} {:>11} {:>11} {:>4} {:>8.1?} {:?} {:?}",
            found.name,
            found.states,
            found.unique_states,
            found.depth,
            found.duration,
            found
                .violations
                .first()
                .map(|v| (v.property, v.steps.join("\n   "))),
            found.unreached
        )?;
    }
    Ok(())
}
