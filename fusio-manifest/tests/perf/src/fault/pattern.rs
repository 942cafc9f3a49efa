//! Which keys a rule is about.

use std::fmt;

/// A pattern for whole keys: `*` stands for any text, also none and also with slashes, `?` for one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyPattern(String);

impl KeyPattern {
    pub(super) fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// Takes time proportional to the product of the two lengths at worst: patterns may hold many stars.
    pub(super) fn matches(&self, key: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.chars(), key.chars());
        // Where to go on if the text after the latest star does not match here: the star takes one more.
        let mut retry = None;
        loop {
            let here = rest.clone();
            match (pattern.next(), rest.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    rest = here.clone();
                    retry = Some((pattern.clone(), here));
                    continue;
                }
                (Some('?'), Some(_)) => continue,
                (Some(want), Some(got)) if want == got => continue,
                _ => {}
            }
            let Some((after_star, from)) = &mut retry else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            (pattern, rest) = (after_star.clone(), from.clone());
        }
    }
}

impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_keys() {
        for (pattern, key, matches) in [
            ("*", "", true),
            ("*", "a/b/c", true),
            ("*/HEAD", "run/7/HEAD", true),
            ("*/HEAD", "run/7/HEAD2", false),
            ("*/HEAD", "HEAD", false),
            ("run/*/log/*", "run/a/b/log/1", true),
            ("run/*/log/*", "run/log/1", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "a\u{e9}c", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "aabxab", true),
            ("*ab*ab", "abx", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("abc", "ab", false),
            ("a**", "a", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(KeyPattern::new(pattern).matches(key), matches, "{pattern} {key}");
        }
    }
}
