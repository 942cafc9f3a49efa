//! A store each of whose requests is bounded in time: what is asked of it before there is a handle goes by the same limit
//! as what a handle asks.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::{
    access::Access,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode, Store, StoreError},
};

pub(crate) struct Impatient(Arc<Access>);

impl Impatient {
    pub(crate) fn new(access: &Arc<Access>) -> Self {
        Self(Arc::clone(access))
    }

    fn bounded<'a, T: Send + 'a>(
        &'a self,
        operation: &'static str,
        key: &'a str,
        request: BoxFuture<'a, Result<T, StoreError>>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let limit = self.0.request_timeout;
        Box::pin(self.0.bounded(operation, key, limit, request))
    }
}

impl Store for Impatient {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        self.bounded("GET", key, self.0.store.get(key, options))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        self.bounded("PUT", key, self.0.store.put(key, body, mode))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        let first = keys.first().map_or("", String::as_str);
        self.bounded("DELETE", first, self.0.store.delete(keys))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        self.bounded("LIST", prefix, self.0.store.list(prefix, after))
    }

    fn describe(&self) -> String {
        self.0.store.describe()
    }

    fn date(&self) -> Option<u64> {
        self.0.store.date()
    }

    fn warning(&self) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.bounded("GET", "", self.0.store.warning())
    }
}

impl fmt::Debug for Impatient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.store.fmt(f)
    }
}
