//! Counts requests as they leave, by class, so that a request budget can be checked and a bill computed.

use std::sync::atomic::{AtomicU64, Ordering};

/// The classes in which requests are counted, as object stores bill them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestClass {
    /// A PUT with a condition.
    ConditionalPut,
    /// A PUT without one.
    Put,
    /// A GET with `If-None-Match`.
    ConditionalGet,
    /// A GET without.
    Get,
    /// A listing.
    List,
    /// A deletion of one or many objects.
    Delete,
}

impl RequestClass {
    /// Every class, in the order in which reports show them.
    pub const ALL: [Self; 6] = [
        Self::ConditionalPut,
        Self::Put,
        Self::ConditionalGet,
        Self::Get,
        Self::List,
        Self::Delete,
    ];

    /// The name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConditionalPut => "conditional_put",
            Self::Put => "put",
            Self::ConditionalGet => "conditional_get",
            Self::Get => "get",
            Self::List => "list",
            Self::Delete => "delete",
        }
    }
}

#[derive(Debug, Default)]
struct Cell {
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// Counts requests; shared by every clone of the store that it was given to.
#[derive(Debug, Default)]
pub struct RequestMeter {
    cells: [Cell; 6],
}

/// What a [`RequestMeter`] has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestCounts {
    requests: [u64; 6],
    bytes: [u64; 6],
}

impl RequestMeter {
    /// A meter at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one request that is about to leave.
    pub fn count(&self, class: RequestClass) {
        if let Some(cell) = self.cells.get(class as usize) {
            cell.requests.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts the bytes of a body that was sent (PUT) or received (GET).
    pub fn count_bytes(&self, class: RequestClass, bytes: usize) {
        if let Some(cell) = self.cells.get(class as usize) {
            cell.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// The counts as they are now.
    pub fn counts(&self) -> RequestCounts {
        let mut counts = RequestCounts::default();
        for ((cell, requests), bytes) in self.cells.iter().zip(&mut counts.requests).zip(&mut counts.bytes) {
            *requests = cell.requests.load(Ordering::Relaxed);
            *bytes = cell.bytes.load(Ordering::Relaxed);
        }
        counts
    }
}

impl RequestCounts {
    /// Requests of one class.
    pub fn requests(&self, class: RequestClass) -> u64 {
        self.requests.get(class as usize).copied().unwrap_or_default()
    }

    /// Body bytes of one class.
    pub fn bytes(&self, class: RequestClass) -> u64 {
        self.bytes.get(class as usize).copied().unwrap_or_default()
    }

    /// Requests of all classes.
    pub fn total(&self) -> u64 {
        self.requests.iter().sum()
    }

    /// PUTs of both kinds.
    pub fn puts(&self) -> u64 {
        self.requests(RequestClass::ConditionalPut) + self.requests(RequestClass::Put)
    }

    /// GETs of both kinds.
    pub fn gets(&self) -> u64 {
        self.requests(RequestClass::ConditionalGet) + self.requests(RequestClass::Get)
    }

    /// What was counted since `earlier`, a former reading of the same meter.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        self.combine(earlier, u64::saturating_sub)
    }

    /// The counts of two meters together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.combine(other, u64::saturating_add)
    }

    fn combine(&self, other: &Self, with: impl Fn(u64, u64) -> u64) -> Self {
        let mut sum = *self;
        for (a, b) in sum.requests.iter_mut().zip(other.requests) {
            *a = with(*a, b);
        }
        for (a, b) in sum.bytes.iter_mut().zip(other.bytes) {
            *a = with(*a, b);
        }
        sum
    }
}
