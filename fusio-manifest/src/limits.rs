//! The limits of keys, values and transactions, checked when something is staged.

use crate::error::{Error, ErrorKind, Result};

/// The longest key, in bytes. A key has at least one byte.
pub const KEY_BYTES_MAX: usize = 2 * 1024;
/// The longest value, in bytes. An empty value is a value.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// The largest transaction: keys and values that it writes, in bytes.
pub const TRANSACTION_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most keys that one transaction writes.
pub const TRANSACTION_WRITES_MAX: usize = 10_000;
/// The largest HEAD, in bytes. Each reader downloads it whenever it has changed.
pub const HEAD_BYTES_MAX: usize = 256 * 1024;
/// The most that is read of a HEAD. More than is written, so that no estimate of a writer's makes a HEAD which nobody
/// reads, and bounded, whatever lies there.
pub(crate) const HEAD_BYTES_READ_MAX: u64 = 2 * HEAD_BYTES_MAX as u64;
/// The longest log object that is read: twice the largest that is written, which is a transaction's.
pub(crate) const LOG_OBJECT_BYTES_READ_MAX: u64 = 2 * TRANSACTION_BYTES_MAX as u64;
/// The longest list of a collection that is read: four times the longest that is written.
pub(crate) const LIST_BYTES_READ_MAX: u64 = 16 * 1024 * 1024;
/// The most log objects that HEAD names where they cannot be folded. Else a commit folds first at
/// [`SharedSettings::log_objects_max`](crate::SharedSettings::log_objects_max).
pub const LOG_OBJECTS_MAX: usize = 1_024;

/// The most pins of a manifest.
pub const PINS_MAX: usize = 64;
/// The longest name of a pin, in bytes of UTF-8. A name has at least one byte.
pub const PIN_NAME_BYTES_MAX: usize = 64;

/// The longest prefix of a manifest, in bytes of UTF-8, without slashes at its ends: S3's keys have 1,024 bytes at most, and
/// the names below a prefix 100.
pub const PREFIX_BYTES_MAX: usize = 900;

/// `prefix` without slashes at its ends. Refused is what a store, a gateway or a listing may take for something else, so that
/// no two prefixes ever mean the same objects, and none of those of another one.
pub(crate) fn check_prefix(prefix: &str) -> Result<&str> {
    let inner = prefix.trim_matches('/');
    let why = if inner.len() > PREFIX_BYTES_MAX {
        format!(
            "it has {} bytes, and {PREFIX_BYTES_MAX} are the most",
            inner.len()
        )
    } else if inner.chars().any(is_unlistable) {
        "it has control characters, which listings cannot tell: leave them out".to_owned()
    } else if !inner.is_empty() && inner.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "parts between slashes may not be empty, `.` or `..`, which gateways resolve: name them".to_owned()
    } else {
        return Ok(inner);
    };
    Err(Error::new(
        ErrorKind::Invalid,
        format!("the prefix {} cannot be used: {why}", abridged(prefix)),
    ))
}

/// Listings are XML 1.0, which has no characters for these.
fn is_unlistable(character: char) -> bool {
    character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// What somebody gave, quoted and escaped, and its beginning alone where it is long.
fn abridged(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

pub(crate) fn check_pin_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > PIN_NAME_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "the name of a pin has 1 to {PIN_NAME_BYTES_MAX} bytes, this one has {}",
                name.len()
            ),
        ));
    }
    Ok(())
}

pub(crate) fn check_key(key: &[u8]) -> Result<()> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("a key has 1 to {KEY_BYTES_MAX} bytes, this one has {}", key.len()),
        ));
    }
    Ok(())
}

pub(crate) fn check_value(value: &[u8]) -> Result<()> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "a value has at most {VALUE_BYTES_MAX} bytes, this one has {}",
                value.len()
            ),
        ));
    }
    Ok(())
}

/// `writes` and `bytes` as they would be with what is about to be staged.
pub(crate) fn check_transaction(writes: usize, bytes: usize) -> Result<()> {
    if writes > TRANSACTION_WRITES_MAX {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("a transaction writes at most {TRANSACTION_WRITES_MAX} keys; this is one more"),
        ));
    }
    if bytes > TRANSACTION_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "a transaction writes at most {TRANSACTION_BYTES_MAX} bytes; with this one it has {bytes}"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_inclusive() {
        assert!(check_key(&[]).is_err());
        assert!(check_key(&[0]).is_ok());
        assert!(check_key(&[0; KEY_BYTES_MAX]).is_ok());
        assert!(check_key(&[0; KEY_BYTES_MAX + 1]).is_err());
        assert!(check_value(&[]).is_ok());
        assert!(check_value(&vec![0; VALUE_BYTES_MAX]).is_ok());
        assert!(check_value(&vec![0; VALUE_BYTES_MAX + 1]).is_err());
        assert!(check_transaction(TRANSACTION_WRITES_MAX, TRANSACTION_BYTES_MAX).is_ok());
        assert!(check_transaction(TRANSACTION_WRITES_MAX + 1, 0).is_err());
        assert!(check_transaction(0, TRANSACTION_BYTES_MAX + 1).is_err());
    }

    #[test]
    fn prefixes_that_could_mean_another_place_are_refused() {
        for (given, inner) in [
            ("", ""),
            ("/", ""),
            ("//", ""),
            ("a", "a"),
            ("/a/b/", "a/b"),
            ("a b+c%2F&=?#", "a b+c%2F&=?#"),
            ("\u{e9}t\u{e9}/\u{1f4c1}", "\u{e9}t\u{e9}/\u{1f4c1}"),
            ("...", "..."),
            ("a..b/.c", "a..b/.c"),
        ] {
            assert_eq!(check_prefix(given).unwrap(), inner, "{given}");
        }
        for given in [
            ".", "..", "../a", "a/..", "a/../b", "a/./b", "a//b", "/../", "a\0b", "a\nb", "a/\u{7f}",
            "\u{85}", "\u{ffff}",
        ] {
            let error = check_prefix(given).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            let message = error.to_string();
            assert!(!message.contains(char::is_control), "{message:?}");
        }
        assert!(check_prefix(&"a".repeat(PREFIX_BYTES_MAX)).is_ok());
        let message = check_prefix(&"\u{e9}".repeat(PREFIX_BYTES_MAX / 2 + 1))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("902") && message.contains("900") && message.len() < 300,
            "{message}"
        );
    }

    #[test]
    fn a_refusal_names_the_limit_and_what_was_given() {
        let message = check_key(&[0; 3000]).unwrap_err().to_string();
        assert!(message.contains("2048") && message.contains("3000"), "{message}");
    }
}
