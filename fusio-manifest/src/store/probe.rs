//! Asks a store, before a manifest is entrusted to it, whether it keeps the conditions that commits rely on.

use std::sync::Arc;

use super::{
    Store, StoreError,
    conformance::{
        Check,
        bench::{Bench, Fault},
        run_checks,
    },
};
use crate::{
    clock::Clock,
    entropy::{Entropy, EntropyFailed},
    id::Nonce,
};

/// A store that keeps the conditions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProbeReport {
    /// What was checked.
    pub held: Vec<Check>,
    /// Why the probe's objects are still there, if they are: most often a policy that forbids to delete.
    pub not_cleaned: Option<StoreError>,
}

/// A store that did not pass the probe.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The store answered, and a condition does not hold. No manifest may live there.
    #[error("the store is unfit: {} does not hold: expected {expected}, got {got}", check.rule())]
    Unfit {
        /// The condition.
        check: Check,
        /// What it demands.
        expected: String,
        /// What came.
        got: String,
    },
    /// The store could not be asked: not reachable, not allowed, or failing.
    #[error("could not ask the store whether {} holds: {source}", check.rule())]
    Unanswered {
        /// The condition that was being asked about.
        check: Check,
        /// The request that failed, after every retry.
        source: StoreError,
    },
    /// The store's answers prove nothing: no racing writer won, time after time.
    #[error("could not tell whether {} holds: {got}", check.rule())]
    Inconclusive {
        /// The condition.
        check: Check,
        /// What came.
        got: String,
    },
    /// The probe could not name its objects.
    #[error(transparent)]
    Entropy(#[from] EntropyFailed),
}

/// Asks whether the store keeps every condition that the protocol relies on: each in sequence, then races of
/// eight writers, ten rounds each. Sends about 220 requests of a few bytes below `<prefix>probe-<nonce>/`
/// and deletes what it wrote, also when the store fails (not if the future is dropped). Needs a tokio runtime.
///
/// A store that passes may still break a rule on another day: the engine watches for that as it runs.
///
/// # Errors
/// [`ProbeError::Unfit`] names the condition that does not hold. The others say nothing about the store's
/// fitness; failures that pass were retried before.
pub async fn probe(
    store: &Arc<dyn Store>,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    prefix: &str,
) -> Result<ProbeReport, ProbeError> {
    let nonce = Nonce::draw(entropy)?;
    let bench = Bench::new(Arc::clone(store), clock, format!("{prefix}probe-{nonce}/"));
    let outcome = run_checks(&bench, Check::OF_THE_PROTOCOL).await;
    let not_cleaned = bench.clean().await.err();
    match outcome {
        Ok(()) => Ok(ProbeReport {
            held: Check::OF_THE_PROTOCOL.to_vec(),
            not_cleaned,
        }),
        Err((check, Fault::Unfit { expected, got })) => Err(ProbeError::Unfit { check, expected, got }),
        Err((check, Fault::Store(source))) => Err(ProbeError::Unanswered { check, source }),
        Err((check, Fault::Undecided(got))) => Err(ProbeError::Inconclusive { check, got }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::TokioClock,
        entropy::OsEntropy,
        store::{
            StoreErrorKind,
            conformance::broken::{Broken, Flaw},
            memory::MemoryStore,
            meter::RequestMeter,
        },
    };

    async fn ask(store: Arc<dyn Store>) -> Result<ProbeReport, ProbeError> {
        probe(&store, &TokioClock::new(), &OsEntropy, "p/").await
    }

    #[tokio::test(start_paused = true)]
    async fn a_sound_store_passes_and_is_left_clean() {
        let meter = Arc::new(RequestMeter::new());
        let memory = MemoryStore::new().with_meter(Arc::clone(&meter));
        let report = ask(Arc::new(memory.clone())).await.unwrap();
        assert_eq!(report.held, Check::OF_THE_PROTOCOL);
        assert!(report.not_cleaned.is_none());
        assert!(memory.list("", None).await.unwrap().objects.is_empty());
        assert!(meter.counts().total() < 260, "{:?}", meter.counts());
    }

    #[tokio::test(start_paused = true)]
    async fn each_broken_condition_is_named_and_nothing_is_left() {
        for (flaw, check, words) in Flaw::UNFIT {
            let memory = MemoryStore::new();
            let error = ask(Arc::new(Broken::new(memory.clone(), *flaw)))
                .await
                .unwrap_err();
            let ProbeError::Unfit { check: named, .. } = &error else {
                panic!("{flaw:?}: {error}")
            };
            assert_eq!(named, check, "{flaw:?}");
            assert!(error.to_string().contains(words), "{flaw:?}: {error}");
            assert!(
                memory.list("", None).await.unwrap().objects.is_empty(),
                "{flaw:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lost_replies_and_passing_failures_do_not_make_a_store_unfit() {
        for flaw in [Flaw::LosesReplies, Flaw::LosesRequests, Flaw::ReplaysPuts] {
            let memory = MemoryStore::new();
            ask(Arc::new(Broken::new(memory.clone(), flaw))).await.unwrap();
            assert!(
                memory.list("", None).await.unwrap().objects.is_empty(),
                "{flaw:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_cannot_be_asked_is_not_called_unfit() {
        for (flaw, kind) in [
            (Flaw::Denies, StoreErrorKind::Denied),
            (Flaw::Down, StoreErrorKind::Connection),
        ] {
            match ask(Arc::new(Broken::new(MemoryStore::new(), flaw)))
                .await
                .unwrap_err()
            {
                ProbeError::Unanswered {
                    check: Check::ReadAfterWrite,
                    source,
                } => assert_eq!(source.kind, kind),
                other => panic!("{flaw:?}: {other}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn races_that_nobody_wins_prove_nothing() {
        let error = ask(Arc::new(Broken::new(MemoryStore::new(), Flaw::RefusesRacers)))
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                ProbeError::Inconclusive {
                    check: Check::CreateRace,
                    ..
                }
            ),
            "{error}"
        );
    }
}
