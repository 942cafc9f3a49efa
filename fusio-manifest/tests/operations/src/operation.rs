//! What can be done, and how often.

/// What can be done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation {
    Write,
    Begin,
    InTransaction,
    Commit,
    CommitAll,
    CompareAndSet,
    Get,
    Scan,
    Snapshot,
    ReadSnapshot,
    Pin,
    OpenPin,
    ReleasePin,
    Maintain,
    Reopen,
    Wait,
    Fault,
    LatePut,
}

impl Operation {
    /// Of 32 numbers, more of them for what has to happen more often.
    pub(crate) fn of(number: u8) -> Self {
        match number {
            0..=4 => Self::Write,
            5 | 6 => Self::Begin,
            7..=10 => Self::InTransaction,
            11 | 12 => Self::Commit,
            13 => Self::CommitAll,
            14 | 15 => Self::Get,
            16 | 17 => Self::Scan,
            18 | 19 => Self::Snapshot,
            20 | 21 => Self::ReadSnapshot,
            22 => Self::Pin,
            23 => Self::OpenPin,
            24 => Self::ReleasePin,
            25 => Self::Maintain,
            26 => Self::Wait,
            27 => Self::Reopen,
            28 | 29 => Self::Fault,
            30 => Self::LatePut,
            _ => Self::CompareAndSet,
        }
    }
}
