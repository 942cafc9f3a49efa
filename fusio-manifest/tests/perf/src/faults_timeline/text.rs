//! The timeline in a few lines of text, for a console.

use super::{Counted, FaultsTimeline, What};

/// As wide as fits beside the names.
const WIDTH: usize = 62;
const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The lines.
pub fn lines(timeline: &FaultsTimeline) -> Vec<String> {
    let mut lines = Vec::new();
    for row in timeline.of(What::Outage) {
        let (name, from, to, count) = (&row.name, row.start_s, row.end_s(), row.count);
        lines.push(format!(
            "Outage ({name}): {from:.1} s to {to:.1} s, {count} requests hit"
        ));
    }
    let fired = timeline.names(What::Fault);
    let said: Vec<_> = fired
        .iter()
        .map(|name| format!("{name} {}", timeline.total(What::Fault, name)))
        .collect();
    lines.push(match said.is_empty() {
        true => "Faults that fired: none".to_owned(),
        false => format!("Faults that fired: {}", said.join(", ")),
    });
    let told: Vec<_> = Counted::ALL
        .iter()
        .map(|outcome| (outcome.name(), timeline.total(What::Told, outcome.name())))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    lines.push(format!("Commits: {}", told.join("; ")));
    lines.extend(recovery(timeline));
    let fired = sum(fired.iter().map(|name| timeline.counts(What::Fault, name)));
    let acknowledged = timeline.counts(What::Told, Counted::Acknowledged.name());
    let waiting = timeline.counts(What::Open, "commits");
    for (name, counts) in [
        ("faults", fired),
        ("committed", acknowledged),
        ("waiting", waiting),
    ] {
        lines.push(bars(name, &counts));
    }
    let all = timeline.starts().len();
    let shown = all.div_ceil(together(all)).saturating_sub(3);
    let end = format!("{:.0} s", timeline.end_s());
    lines.push(format!("{:10}  0 s{end:>shown$}", ""));
    lines
}

/// How soon commits were as before, if there was an outage.
fn recovery(timeline: &FaultsTimeline) -> Option<String> {
    let said: Vec<_> = [
        ("first commit", "a commit"),
        ("every writer", "one of every writer"),
        ("latency", "latency as before"),
    ]
    .iter()
    .filter_map(|(name, said)| {
        let row = timeline.named(What::Recovery, name)?;
        Some(format!("{said} after {:.0} ms", row.seconds * 1_000.0))
    })
    .collect();
    (!said.is_empty()).then(|| format!("Recovery, from the end of the outage: {}", said.join(", ")))
}

fn sum(all: impl Iterator<Item = Vec<u64>>) -> Vec<u64> {
    all.reduce(|one, other| one.iter().zip(&other).map(|(a, b)| a + b).collect())
        .unwrap_or_default()
}

/// How many intervals are put together, where there are too many.
fn together(intervals: usize) -> usize {
    intervals.div_ceil(WIDTH).max(1)
}

/// A character for each, higher where there is more.
fn bars(name: &str, counts: &[u64]) -> String {
    let chunks = counts.chunks(together(counts.len()));
    let counts: Vec<u64> = chunks
        .map(|chunk| chunk.iter().copied().max().unwrap_or_default())
        .collect();
    let most = counts.iter().copied().max().unwrap_or_default();
    let last = STEPS.len() as u64 - 1;
    let character = |count: &u64| {
        // Whatever happened at all is seen.
        let step = usize::try_from((count * last).div_ceil(most.max(1))).unwrap_or_default();
        STEPS.get(step).copied().unwrap_or(' ')
    };
    let bars: String = counts.iter().map(character).collect();
    format!("{name:10} |{bars}| at most {most}")
}
