//! Listings, page by page, held against what a listing can be: a store that gives the same page for ever, or keys that
//! nobody asked for, is found out and not followed.

use crate::{
    access::Access,
    clock::Moment,
    error::{Error, ErrorKind, Result},
    store::{ListPage, ListedObject},
};

/// What one page holds at most on S3.
const PAGE_OBJECTS_MAX: usize = 1_000;
/// No prefix of a manifest holds so much; and nobody would wait for it.
const PAGES_MAX: u32 = 10_000;

/// What is wrong with page `number` of a listing, counted from 1, that was asked for with this prefix and after this key.
pub(crate) fn flaw(prefix: &str, after: Option<&str>, number: u32, page: &ListPage) -> Option<String> {
    if page.more && number >= PAGES_MAX {
        return Some(format!("more than {PAGES_MAX} pages"));
    }
    if page.objects.len() > PAGE_OBJECTS_MAX {
        let found = page.objects.len();
        return Some(format!(
            "{found} keys in a page, and {PAGE_OBJECTS_MAX} are the most"
        ));
    }
    if page.more && page.objects.is_empty() {
        return Some("an empty page that is not the last".to_owned());
    }
    let mut before = after;
    for ListedObject { key, .. } in &page.objects {
        if !key.starts_with(prefix) {
            return Some(format!("the key {}, which does not begin so", shown(key)));
        }
        if let Some(before) = before.filter(|before| *before >= key.as_str()) {
            return Some(format!("the key {} after {}", shown(key), shown(before)));
        }
        before = Some(key);
    }
    None
}

/// A key as a message tells it.
fn shown(key: &str) -> String {
    const SHOWN: usize = 256;
    format!("{:?}", key.chars().take(SHOWN).collect::<String>())
}

/// A listing that is being read.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    access: &'a Access,
    prefix: &'a str,
    doing: &'a str,
    after: Option<String>,
    read: u32,
    ended: bool,
}

impl<'a> Pages<'a> {
    pub(crate) fn of(access: &'a Access, prefix: &'a str, doing: &'a str) -> Self {
        Self {
            access,
            prefix,
            doing,
            after: None,
            read: 0,
            ended: false,
        }
    }

    /// The next page, asked for until `deadline`; none after the last.
    pub(crate) async fn next(&mut self, deadline: Moment) -> Result<Option<Vec<ListedObject>>> {
        if self.ended {
            return Ok(None);
        }
        self.read += 1;
        let after = self.after.as_deref();
        let page = self.access.list(self.prefix, after, deadline, self.doing).await?;
        if let Some(flaw) = flaw(self.prefix, after, self.read, &page) {
            return Err(wrong(self.access, self.prefix, self.doing, &flaw));
        }
        match page.objects.last() {
            Some(last) if page.more => self.after = Some(last.key.clone()),
            _ => self.ended = true,
        }
        Ok(Some(page.objects))
    }
}

/// A listing that cannot be.
pub(crate) fn wrong(access: &Access, prefix: &str, doing: &str, flaw: &str) -> Error {
    let message = format!(
        "{doing}: {} lists below \"{prefix}\" {flaw}: its listings cannot be relied on",
        access.store.describe()
    );
    Error::new(ErrorKind::UnfitStore, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(keys: &[&str], more: bool) -> ListPage {
        let object = |key: &&str| ListedObject {
            key: (*key).to_owned(),
            bytes: 1,
        };
        ListPage {
            objects: keys.iter().map(object).collect(),
            more,
        }
    }

    #[test]
    fn a_page_in_order_below_the_prefix_has_no_flaw() {
        assert_eq!(flaw("p/", None, 1, &page(&["p/a", "p/b"], true)), None);
        assert_eq!(flaw("p/", Some("p/a"), 2, &page(&["p/b"], false)), None);
        assert_eq!(flaw("p/", Some("p/a"), 2, &page(&[], false)), None);
    }

    #[test]
    fn what_a_listing_cannot_be_is_named() {
        for (after, keys, more, words) in [
            (None, vec!["q/a"], false, "does not begin so"),
            (None, vec!["p/b", "p/a"], false, "after \"p/b\""),
            (None, vec!["p/a", "p/a"], false, "after \"p/a\""),
            (Some("p/a"), vec!["p/a"], true, "after \"p/a\""),
            (Some("p/b"), vec!["p/a"], true, "after \"p/b\""),
            (None, vec![], true, "empty"),
            (None, vec!["p/a"; 1_001], false, "1001 keys"),
        ] {
            let flaw = flaw("p/", after, 1, &page(&keys, more)).unwrap();
            assert!(flaw.contains(words), "{flaw}");
        }
        let endless = flaw("p/", None, PAGES_MAX, &page(&["p/a"], true));
        assert!(endless.unwrap().contains("10000 pages"));
    }
}
