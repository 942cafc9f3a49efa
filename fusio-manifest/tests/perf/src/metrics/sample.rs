//! What a client tells of one operation. Times are since t0, the start of the measurement.

use std::time::Duration;

use fusio_manifest::Moment;

/// Which side of the load a client is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It commits.
    Writer,
    /// It reads.
    Reader,
}

/// One write, retries included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteSample {
    /// When the schedule wanted it.
    pub due: Duration,
    /// When the generator handed it to the client.
    pub issued: Duration,
    /// When the client began to work on it: later than `issued` if it queued.
    pub started: Duration,
    /// When its outcome was known.
    pub completed: Duration,
    /// Each PUT of HEAD that carried it, in order.
    pub attempts: Vec<AttemptSample>,
    /// What came of it.
    pub outcome: WriteOutcome,
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteOutcome {
    /// It is committed.
    Acknowledged,
    /// It lost more often than it may be tried again.
    GivenUp,
    /// It is not committed, for another reason than a lost race.
    Failed,
    /// Nobody knows whether it is committed.
    Unknown,
}

/// One PUT of HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptSample {
    /// What came of it.
    pub outcome: AttemptResult,
    /// When it was sent, on the run's clock.
    pub sent: Moment,
    /// From sending it to its answer.
    pub duration: Duration,
    /// From the sending of the request that showed its base last to its own answer: how long others could make it
    /// lose, at most.
    pub window: Duration,
}

/// What came of one PUT of HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptResult {
    /// It landed.
    Committed,
    /// It lost its precondition: another writer had replaced HEAD (412).
    LostRace,
    /// The store saw a concurrent write of HEAD (409).
    LostConflict,
    /// It lost its precondition to an earlier copy of itself.
    OwnEarlierSuccess,
    /// HEAD was gone (404).
    HeadMissing,
    /// The store refused the request itself, or it never left.
    Refused,
    /// No answer, or one that proves nothing.
    Unknown,
}

impl AttemptResult {
    /// True if the PUT's precondition did not hold.
    pub fn lost_precondition(self) -> bool {
        match self {
            Self::LostRace | Self::LostConflict | Self::OwnEarlierSuccess | Self::HeadMissing => true,
            Self::Committed | Self::Refused | Self::Unknown => false,
        }
    }
}

/// One read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadSample {
    /// When the schedule wanted it.
    pub due: Duration,
    /// When the generator handed it to the client.
    pub issued: Duration,
    /// When the client began to work on it.
    pub started: Duration,
    /// When its answer was there.
    pub completed: Duration,
    /// What came of it.
    pub outcome: ReadOutcome,
}

/// What came of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadOutcome {
    /// It returned a version.
    Read {
        /// By how many commits its snapshot lacks what was acknowledged for its key before it was invoked; 0
        /// for a fresh read.
        behind: u64,
    },
    /// It returned an error.
    Failed,
}
