//! The conformance suite, on the store that the settings name: whether it keeps the rules that commits rely on.

use std::{io::Write as _, time::Duration};

use fusio_manifest::store::conformance::{Check, run as run_checks};
use serde::Serialize;

use super::{Context, Ended, Plan, as_given, class, run};
use crate::{requests::RequestCounts, result::Verdict};

/// What the suite sends, about.
const REQUESTS: f64 = 2_600.0;

/// The fields of the result line.
#[derive(Debug, Serialize)]
struct ConformanceFields {
    checks: usize,
    passed: usize,
}

/// Runs every check of the suite.
///
/// # Errors
///
/// One line: which rule the store broke.
pub fn conformance() -> Result<(), String> {
    let plan = Plan {
        name: "test_conformance",
        title: "Store Conformance Test",
        estimate: |_| RequestCounts {
            conditional_put: class(REQUESTS),
            ..RequestCounts::default()
        },
        duration: |_| Duration::ZERO,
        adjust: as_given,
    };
    run(&plan, async |context| check(context).await)
}

async fn check(context: &Context) -> Ended<ConformanceFields> {
    let store = context.store.store(&context.store.meters.other);
    let prefix = context.store.prefix("conformance");
    let checked = tokio::select! {
        biased;
        checked = run_checks(store, &*context.clock, &prefix) => checked,
        () = context.interrupt.wait() => {
            return Ended { verdict: Verdict::Interrupted, ..Ended::failed("interrupted") };
        }
    };
    let checks = Check::ALL.len();
    match checked {
        Ok(report) => {
            let passed = report.passed.len();
            context.say(|out| {
                report
                    .passed
                    .iter()
                    .try_for_each(|check| writeln!(out, "  ok  {}: {}", check.name(), check.rule()))?;
                writeln!(out, "✅ All {passed} checks passed")
            });
            let fields = Some(ConformanceFields { checks, passed });
            Ended {
                verdict: Verdict::Pass,
                valid: true,
                reason: None,
                fields,
            }
        }
        Err(failure) => {
            let why = failure.to_string();
            context.say(|out| writeln!(out, "❌ {why}"));
            Ended::failed(why)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_estimate_is_not_below_what_the_suite_sends() {
        // Sent by the suite to a store in memory.
        let meter = Arc::new(fusio_manifest::RequestMeter::new());
        let store = fusio_manifest::MemoryStore::new().with_meter(Arc::clone(&meter));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(run_checks(Arc::new(store), &fusio_manifest::SystemClock, "c/"))
            .unwrap();
        let sent = meter.counts().total();
        assert!((sent as f64 - REQUESTS).abs() < REQUESTS / 10.0, "{sent}");
    }
}
