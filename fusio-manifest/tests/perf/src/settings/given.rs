//! The variables that were given, checked by name, and how their text becomes values.

use std::{collections::BTreeMap, ffi::OsStr, fmt, ops::RangeInclusive, str::FromStr};

use super::{
    SettingsError,
    table::{LINUX_PERF, SETTINGS, Setting},
};

/// The known variables that are set and not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Given(BTreeMap<&'static str, String>);

impl Given {
    /// Sorts out the variables that begin with `PERF_`; all others are let through.
    pub(super) fn read<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self, SettingsError>
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        // Sorted, so that the first error does not depend on the order of the environment.
        let mut found = BTreeMap::new();
        for (name, value) in vars {
            let Some(name) = name.as_ref().to_str() else {
                continue;
            };
            if name.starts_with("PERF_") && !LINUX_PERF.contains(&name) {
                found.insert(name.to_owned(), value.as_ref().to_owned());
            }
        }
        let mut given = BTreeMap::new();
        for (name, value) in found {
            let setting = known(&name)?;
            let Some(value) = value.to_str() else {
                let value = value.to_string_lossy().into_owned();
                return Err(bad(setting, &value, "text in UTF-8"));
            };
            if !value.trim().is_empty() {
                given.insert(setting.name, value.trim().to_owned());
            }
        }
        Ok(Self(given))
    }

    /// Each of them, with its value.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// A number within `range`.
    pub(super) fn number<T>(&self, name: &str, range: &RangeInclusive<T>) -> Result<Option<T>, SettingsError>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        self.parse(
            name,
            |text| text.parse().ok().filter(|number| range.contains(number)),
            || format!("a number from {} to {}", range.start(), range.end()),
        )
    }

    /// A number above the start of `range` up to its end.
    pub(super) fn rate(&self, name: &str, range: &RangeInclusive<f64>) -> Result<Option<f64>, SettingsError> {
        let fits = |number: &f64| *number > *range.start() && *number <= *range.end();
        self.parse(
            name,
            |text| text.parse().ok().filter(fits),
            || format!("a number above {} up to {}", range.start(), range.end()),
        )
    }

    /// `0` or `1`.
    pub(super) fn switch(&self, name: &str) -> Result<Option<bool>, SettingsError> {
        self.choice(name, &[("0", false), ("1", true)])
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, SettingsError> {
        let find = |text: &str| {
            words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, value)| *value)
        };
        self.parse(name, find, || {
            words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
        })
    }

    /// Whatever `read` makes of the text; `allowed` says what it takes.
    pub(super) fn parse<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Option<T>,
        allowed: impl FnOnce() -> String,
    ) -> Result<Option<T>, SettingsError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match read(text) {
            Some(value) => Ok(Some(value)),
            None => Err(bad(known(name)?, text, &allowed())),
        }
    }
}

fn known(name: &str) -> Result<&'static Setting, SettingsError> {
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
        return Ok(setting);
    }
    let name = name.to_owned();
    let nearest = SETTINGS
        .iter()
        .map(|setting| setting.name)
        .min_by_key(|known| strsim::damerau_levenshtein(known, &name))
        .unwrap_or_default();
    Err(SettingsError::Unknown { name, nearest })
}

fn bad(setting: &Setting, value: &str, allowed: &str) -> SettingsError {
    let fallback = match setting.default {
        "" => "to go without it".to_owned(),
        default => format!("for the default {default}"),
    };
    SettingsError::Bad {
        name: setting.name,
        value: value.to_owned(),
        allowed: allowed.to_owned(),
        unit: match setting.unit {
            unit if unit.contains('`') => String::new(),
            unit => format!(" ({unit})"),
        },
        fallback,
    }
}
