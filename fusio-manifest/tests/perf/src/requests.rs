//! How many requests were sent, by class and by purpose.

/// Requests of one class, and the bytes of their bodies in the direction that matters: sent by a PUT, received
/// by a GET or LIST.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassCount {
    /// Requests, each attempt on the wire counted.
    pub requests: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

impl ClassCount {
    fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// Requests by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// PUT with If-Match or If-None-Match.
    pub conditional_put: ClassCount,
    /// PUT without a condition.
    pub put: ClassCount,
    /// GET with If-None-Match or If-Match.
    pub conditional_get: ClassCount,
    /// GET or HEAD without a condition.
    pub get: ClassCount,
    /// LIST.
    pub list: ClassCount,
    /// DELETE.
    pub delete: ClassCount,
}

impl RequestCounts {
    /// Each class with its name in reports.
    pub fn classes(&self) -> [(&'static str, ClassCount); 6] {
        [
            ("conditional_put", self.conditional_put),
            ("put", self.put),
            ("conditional_get", self.conditional_get),
            ("get", self.get),
            ("list", self.list),
            ("delete", self.delete),
        ]
    }

    /// Requests of all classes.
    pub fn requests(&self) -> u64 {
        self.classes().iter().map(|(_, class)| class.requests).sum()
    }

    /// What came after `earlier`, a former reading of the same counts.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            conditional_put: self.conditional_put.since(earlier.conditional_put),
            put: self.put.since(earlier.put),
            conditional_get: self.conditional_get.since(earlier.conditional_get),
            get: self.get.since(earlier.get),
            list: self.list.since(earlier.list),
            delete: self.delete.since(earlier.delete),
        }
    }

    /// The sum of both, class by class.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            conditional_put: self.conditional_put.plus(other.conditional_put),
            put: self.put.plus(other.put),
            conditional_get: self.conditional_get.plus(other.conditional_get),
            get: self.get.plus(other.get),
            list: self.list.plus(other.list),
            delete: self.delete.plus(other.delete),
        }
    }
}

/// The requests of a cell by what they were for.
///
/// The first three cover the operations that the latencies cover: neither open, probe, warm-up nor cleanup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CellRequests {
    /// What callers of writes waited for.
    pub writers: RequestCounts,
    /// What callers of reads waited for.
    pub readers: RequestCounts,
    /// What the engine did besides, of its own accord.
    pub maintenance: RequestCounts,
    /// The bare requests that the engine is compared to.
    pub floor: RequestCounts,
    /// Everything that was sent, the three above and all else: what the bill shows.
    pub total: RequestCounts,
}
