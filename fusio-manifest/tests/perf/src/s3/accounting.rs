//! Bounds what a run may send, and turns the engine's counts into the report's.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use fusio_manifest::{
    RequestClass, RequestCounts as Metered, StoreError, StoreErrorKind,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode, Store},
};

use crate::requests::{ClassCount, RequestCounts};

/// The most requests that a run may send, over all its stores.
#[derive(Debug)]
pub struct Budget {
    max: Option<u64>,
    spent: AtomicU64,
}

impl Budget {
    /// No more than `max`; `None` is no bound.
    pub fn new(max: Option<u64>) -> Self {
        Self {
            max,
            spent: AtomicU64::new(0),
        }
    }

    /// True once a request was refused.
    pub fn is_spent(&self) -> bool {
        self.max
            .is_some_and(|max| self.spent.load(Ordering::Relaxed) > max)
    }

    /// How many more may be sent; none if there is no bound.
    pub fn left(&self) -> Option<u64> {
        let spent = self.spent.load(Ordering::Relaxed);
        self.max.map(|max| max.saturating_sub(spent))
    }

    fn take(&self, operation: &'static str, key: &str) -> Result<(), StoreError> {
        let spent = self.spent.fetch_add(1, Ordering::Relaxed) + 1;
        match self.max {
            Some(max) if spent > max => Err(StoreError::new(
                StoreErrorKind::NotSent,
                operation,
                key,
                format!("the run's {max} requests are spent (PERF_MAX_REQUESTS)"),
            )),
            _ => Ok(()),
        }
    }
}

/// A store that stops sending when the budget is spent. What is refused never left: a definite answer.
#[derive(Debug)]
pub struct BudgetedStore<S> {
    inner: S,
    budget: Arc<Budget>,
}

impl<S> BudgetedStore<S> {
    /// Puts `inner` under the budget.
    pub fn new(inner: S, budget: Arc<Budget>) -> Self {
        Self { inner, budget }
    }
}

impl<S: Store> Store for BudgetedStore<S> {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(async move {
            self.budget.take("GET", key)?;
            self.inner.get(key, options).await
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            self.budget.take("PUT", key)?;
            self.inner.put(key, body, mode).await
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        // Not bounded: deleting is free, and what a run wrote must go even when it has spent everything.
        self.inner.delete(keys)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        // Not bounded, for the same reason: it finds what is to be deleted, 1,000 objects a request.
        self.inner.list(prefix, after)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn date(&self) -> Option<u64> {
        self.inner.date()
    }

    fn warning(&self) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            self.budget.take("GET", "bucket versioning")?;
            self.inner.warning().await
        })
    }
}

/// The engine's counts, as reports name them.
pub fn report_counts(metered: &Metered) -> RequestCounts {
    let class = |class| ClassCount {
        requests: metered.requests(class),
        bytes: metered.bytes(class),
    };
    RequestCounts {
        conditional_put: class(RequestClass::ConditionalPut),
        put: class(RequestClass::Put),
        conditional_get: class(RequestClass::ConditionalGet),
        get: class(RequestClass::Get),
        list: class(RequestClass::List),
        delete: class(RequestClass::Delete),
    }
}

#[cfg(test)]
mod tests {
    use fusio_manifest::{MemoryStore, RequestMeter};

    use super::*;

    #[test]
    fn the_date_is_passed_on_or_nothing_would_ever_be_collected() {
        let budgeted = BudgetedStore::new(MemoryStore::new(), Arc::new(Budget::new(None)));
        assert!(budgeted.date().is_some());
    }

    #[tokio::test]
    async fn a_spent_budget_sends_nothing_more_and_says_which_setting_it_was() {
        let meter = Arc::new(RequestMeter::new());
        let budget = Arc::new(Budget::new(Some(2)));
        let store = BudgetedStore::new(
            MemoryStore::new().with_meter(Arc::clone(&meter)),
            Arc::clone(&budget),
        );
        for _ in 0..2 {
            store.put("k", Bytes::new(), PutMode::Overwrite).await.unwrap();
        }
        assert!(!budget.is_spent());
        let error = store.get("k", GetOptions::default()).await.unwrap_err();
        assert!(
            error.is_definite() && error.message.contains("PERF_MAX_REQUESTS"),
            "{error}"
        );
        assert!(budget.is_spent());
        assert_eq!(meter.counts().total(), 2);
        store.delete(&["k".to_owned()]).await.unwrap();
    }
}
