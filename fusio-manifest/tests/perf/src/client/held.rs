//! What clients that hold a state do with it, and what they tell of it.

use super::{Own, draws};
use crate::{
    history::{OperationId, Outcome, Read},
    metrics::ReadOutcome,
    target::{Ask, Refusal, TargetSnapshot},
};

impl Own {
    /// Waits for as long as a state is held, between two looks at it.
    pub(super) async fn pause(&self) {
        let span = draws::holding(&mut *self.rng.lock());
        self.shared.clock.sleep(span).await;
    }

    /// Reads this of the state as well. False if it cannot be read any more.
    pub(super) async fn look(
        &self,
        snapshot: &dyn TargetSnapshot,
        asks: Vec<Ask>,
        reads: &mut Vec<Read>,
    ) -> bool {
        let (read, refusal) = snapshot.read(asks).await;
        reads.extend(read);
        if let Some(refusal) = &refusal {
            self.refused(refusal);
        }
        refusal.is_none()
    }

    /// Notes why a state that was held could not be read.
    pub(super) fn refused(&self, refusal: &Refusal) {
        match refusal {
            Refusal::Expired(_) => self.shared.kept.expired(),
            Refusal::ExpiredEarly(why) => {
                let text = format!("reader {}: {why}", self.id.0);
                self.shared.errors.alarm("ExpiredEarly", text);
            }
            Refusal::NoPin(why) | Refusal::Failed(why) => {
                self.shared.errors.note(|| format!("reader {}: {why}", self.id.0));
            }
        }
    }

    pub(super) fn saw(
        &self,
        operation: OperationId,
        snapshot: &dyn TargetSnapshot,
        reads: Vec<Read>,
    ) -> ReadOutcome {
        let told = Outcome::Ok {
            snapshot: snapshot.txn(),
            txn: None,
        };
        let shared = &self.shared;
        shared.recorder.complete(operation, shared.nanos(), reads, told);
        ReadOutcome::Read { behind: 0 }
    }

    pub(super) fn saw_nothing(&self, operation: OperationId, refusal: &Refusal) -> ReadOutcome {
        self.refused(refusal);
        let told = Outcome::Failed { snapshot: None };
        let shared = &self.shared;
        shared
            .recorder
            .complete(operation, shared.nanos(), Vec::new(), told);
        ReadOutcome::Failed
    }
}
