//! What runs left behind: found by the names that runs give themselves, and deleted below those alone.

use fusio_manifest::{
    StoreError, StoreErrorKind,
    store::{ListPage, Store},
};

/// The digits of a run's name below the root.
const NAME_DIGITS: usize = 16;

/// The prefixes of the runs that these keys belong to. What lies beside them, or has no run's name, is somebody else's.
pub(super) fn runs_of(root: &str, page: &ListPage) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    for object in &page.objects {
        let Some((name, _)) = object
            .key
            .strip_prefix(root)
            .and_then(|rest| rest.split_once('/'))
        else {
            continue;
        };
        let digits = name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let run = format!("{root}{name}/");
        if digits && name.len() == NAME_DIGITS && runs.last() != Some(&run) {
            runs.push(run);
        }
    }
    runs
}

/// Deletes what lies below a prefix, and nothing else whatever the store lists.
pub(super) async fn delete_below(store: &dyn Store, prefix: &str) -> Result<(), StoreError> {
    loop {
        let page = store.list(prefix, None).await?;
        if page.objects.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
        if let Some(foreign) = keys.iter().find(|key| !key.starts_with(prefix)) {
            let message = format!(
                "the store listed {foreign:?}, which is not below it: nothing of this page was deleted"
            );
            return Err(StoreError::new(
                StoreErrorKind::Unexpected,
                "LIST",
                prefix,
                message,
            ));
        }
        store.delete(&keys).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use fusio_manifest::{
        MemoryStore,
        store::{BoxFuture, ETag, GetAnswer, GetOptions, ListedObject, PutMode},
    };
    use parking_lot::Mutex;

    use super::*;

    /// Lists objects that do not lie where it was asked about, beside those that do.
    #[derive(Debug)]
    struct Confused {
        inner: MemoryStore,
        also: Vec<String>,
        deleted: Arc<Mutex<Vec<String>>>,
    }

    impl Store for Confused {
        fn get<'a>(
            &'a self,
            key: &'a str,
            options: GetOptions,
        ) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
            self.inner.get(key, options)
        }

        fn put<'a>(
            &'a self,
            key: &'a str,
            body: Bytes,
            mode: PutMode,
        ) -> BoxFuture<'a, Result<ETag, StoreError>> {
            self.inner.put(key, body, mode)
        }

        fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
            self.deleted.lock().extend_from_slice(keys);
            self.inner.delete(keys)
        }

        fn list<'a>(
            &'a self,
            prefix: &'a str,
            after: Option<&'a str>,
        ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
            Box::pin(async move {
                let mut page = self.inner.list(prefix, after).await?;
                let foreign = self.also.iter().map(|key| ListedObject {
                    key: key.clone(),
                    bytes: 1,
                });
                page.objects.extend(foreign);
                Ok(page)
            })
        }

        fn describe(&self) -> String {
            self.inner.describe()
        }

        fn date(&self) -> Option<u64> {
            self.inner.date()
        }
    }

    async fn confused(also: &[&str]) -> Confused {
        let inner = MemoryStore::new();
        for key in [
            "root/0123456789abcdef/a",
            "root/0123456789abcdef/b",
            "root/0123456789abcdef-",
            "other",
        ] {
            inner.put(key, Bytes::new(), PutMode::Create).await.unwrap();
        }
        Confused {
            inner,
            also: also.iter().map(|key| (*key).to_owned()).collect(),
            deleted: Arc::default(),
        }
    }

    #[tokio::test]
    async fn what_lies_below_a_prefix_is_deleted_and_no_neighbour() {
        let store = confused(&[]).await;
        delete_below(&store, "root/0123456789abcdef/").await.unwrap();
        let page = store.inner.list("", None).await.unwrap();
        let left: Vec<_> = page.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(left, ["other", "root/0123456789abcdef-"]);
    }

    #[tokio::test]
    async fn nothing_is_deleted_by_a_list_that_names_what_lies_elsewhere() {
        for foreign in [
            "other",
            "root/x",
            "root/0123456789abcdef",
            "root/0123456789abcde/../other",
        ] {
            let store = confused(&[foreign]).await;
            let error = delete_below(&store, "root/0123456789abcdef/").await.unwrap_err();
            assert!(error.to_string().contains(foreign), "{error}");
            assert_eq!(*store.deleted.lock(), Vec::<String>::new(), "{foreign}");
        }
    }

    #[test]
    fn only_names_of_runs_are_runs() {
        let keys = [
            "root/0123456789abcdef/a/HEAD",
            "root/0123456789abcdef/b",
            "root/fedcba9876543210/x",
            "root/README",
            "root/0123456789abcde/short",
            "root/0123456789ABCDEF/capitals",
            "root/../other/x",
            "root//x",
            "elsewhere/0123456789abcdef/x",
        ];
        let objects = keys.map(|key| ListedObject {
            key: key.to_owned(),
            bytes: 1,
        });
        let page = ListPage {
            objects: objects.into(),
            more: false,
        };
        assert_eq!(
            runs_of("root/", &page),
            ["root/0123456789abcdef/", "root/fedcba9876543210/"]
        );
    }
}
