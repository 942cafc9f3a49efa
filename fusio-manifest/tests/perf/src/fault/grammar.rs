//! From text to rules. The grammar is described in the parent module.

use std::{error::Error, fmt, str::FromStr, time::Duration};

use super::{Disturbance, FaultAction, FaultPlan, FaultRule, FaultStatus, KeyPattern, Occurs, Requests};

const ACTIONS: &str =
    "drop, reset, delay=SPAN, status=500|503|409|403, stall, replay, corrupt, late=SPAN, ignore-conditions";
const WORDS: &str = "key=GLOB, before, after, p=P, first=N, nth=N, from=SPAN, to=SPAN, or an action";
const SPAN_MS_MAX: u64 = 86_400_000;

/// A text that is no fault plan: which rule, which word, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseFaultsError {
    rule: usize,
    text: String,
    problem: String,
}

impl fmt::Display for ParseFaultsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault rule {} (`{}`): {}", self.rule, self.text, self.problem)
    }
}

impl Error for ParseFaultsError {}

impl FromStr for FaultPlan {
    type Err = ParseFaultsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if matches!(text.trim(), "" | "none") {
            return Ok(Self::default());
        }
        let parse = |(index, rule): (usize, &str)| {
            let text = rule.trim();
            Draft::parse(text)
                .and_then(Draft::finish)
                .map_err(|problem| ParseFaultsError {
                    rule: index + 1,
                    text: text.to_owned(),
                    problem,
                })
        };
        let rules = text.split(';').enumerate().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }
}

/// A rule while its words are read.
struct Draft {
    requests: Requests,
    key: Option<KeyPattern>,
    after: Option<bool>,
    occurs: Option<Occurs>,
    from: Option<Duration>,
    to: Option<Duration>,
    action: Option<Action>,
}

/// An action whose side, and whose end for a stall, is not yet known.
#[derive(Clone, Copy)]
enum Action {
    Sided(Disturbance),
    Stall,
    Unsided(FaultAction),
}

impl Draft {
    fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let first = words.next().unwrap_or_default();
        let requests = Requests::WORDS
            .iter()
            .find(|(word, _)| *word == first)
            .map(|(_, requests)| *requests)
            .ok_or_else(|| format!("begins with `{first}`; allowed are get, put, cas, delete, list, any"))?;
        let mut draft = Self {
            requests,
            key: None,
            after: None,
            occurs: None,
            from: None,
            to: None,
            action: None,
        };
        for word in words {
            draft.take(word)?;
        }
        Ok(draft)
    }

    fn take(&mut self, word: &str) -> Result<(), String> {
        let (name, value) = word
            .split_once('=')
            .map_or((word, None), |(name, value)| (name, Some(value)));
        match (name, value) {
            ("key", Some(glob)) => once(&mut self.key, KeyPattern::new(glob), word, "one key"),
            ("before", None) => once(&mut self.after, false, word, SIDE),
            ("after", None) => once(&mut self.after, true, word, SIDE),
            ("p", Some(p)) => once(&mut self.occurs, probability(word, p)?, word, OCCURS),
            ("first", Some(n)) => once(&mut self.occurs, Occurs::First(count(word, n)?), word, OCCURS),
            ("nth", Some(n)) => once(&mut self.occurs, Occurs::Nth(count(word, n)?), word, OCCURS),
            ("from", Some(at)) => once(&mut self.from, span(word, at)?, word, "one from"),
            ("to", Some(at)) => once(&mut self.to, span(word, at)?, word, "one to"),
            _ => once(&mut self.action, action(word, name, value)?, word, "one action"),
        }
    }

    fn finish(self) -> Result<FaultRule, String> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err("the window is empty: from must be less than to".to_owned());
        }
        let action = self
            .action
            .ok_or_else(|| format!("has no action; allowed are {ACTIONS}"))?;
        let sided = |disturbance| match self.after {
            Some(true) => FaultAction::After(disturbance),
            _ => FaultAction::Before(disturbance),
        };
        let action = match action {
            Action::Sided(disturbance) => sided(disturbance),
            Action::Stall => sided(Disturbance::StallUntil(
                self.to
                    .ok_or("`stall` needs a window that ends: give to=SPAN, such as to=13s")?,
            )),
            Action::Unsided(action) if self.after.is_some() => {
                return Err(format!(
                    "`{action}` says itself when it happens; leave out before and after"
                ));
            }
            Action::Unsided(action) => action,
        };
        let rule = FaultRule {
            requests: self.requests,
            key: self.key,
            occurs: self.occurs.unwrap_or(Occurs::Always),
            from: self.from,
            to: self.to,
            action,
        };
        if !super::RequestClass::ALL
            .iter()
            .any(|class| rule.requests.include(*class) && action.can_hit(*class))
        {
            return Err(format!(
                "`{action}` happens to get, put and cas only, not to {}",
                rule.requests
            ));
        }
        Ok(rule)
    }
}

const SIDE: &str = "one of before and after";
const OCCURS: &str = "one of p, first and nth";

fn once<T>(slot: &mut Option<T>, value: T, word: &str, allowed: &str) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("`{word}` is too much: a rule has {allowed}")),
    }
}

fn action(word: &str, name: &str, value: Option<&str>) -> Result<Action, String> {
    Ok(match (name, value) {
        ("drop", None) => Action::Sided(Disturbance::Drop),
        ("reset", None) => Action::Sided(Disturbance::Reset),
        ("delay", Some(value)) => Action::Sided(Disturbance::Delay(span(word, value)?)),
        ("status", Some(value)) => Action::Sided(Disturbance::Status(status(word, value)?)),
        ("stall", None) => Action::Stall,
        ("replay", None) => Action::Unsided(FaultAction::Replay),
        ("corrupt", None) => Action::Unsided(FaultAction::Corrupt),
        ("late", Some(value)) => Action::Unsided(FaultAction::Late(span(word, value)?)),
        ("ignore-conditions", None) => Action::Unsided(FaultAction::IgnoreConditions),
        _ => {
            return Err(format!(
                "`{word}` is no word of a rule; allowed are {WORDS} ({ACTIONS})"
            ));
        }
    })
}

fn status(word: &str, value: &str) -> Result<FaultStatus, String> {
    let known = FaultStatus::ALL
        .into_iter()
        .find(|status| status.code().to_string() == value);
    known.ok_or_else(|| format!("`{word}`: allowed are 500, 503, 409 and 403"))
}

fn probability(word: &str, value: &str) -> Result<Occurs, String> {
    match value.parse() {
        Ok(p) if p > 0.0 && p <= 1.0 => Ok(Occurs::Probability(p)),
        _ => Err(format!("`{word}`: allowed is a number above 0 and up to 1")),
    }
}

fn count(word: &str, value: &str) -> Result<u64, String> {
    match value.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("`{word}`: allowed is a whole number from 1")),
    }
}

fn span(word: &str, value: &str) -> Result<Duration, String> {
    let (number, ms_per_unit) = match value.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (value.strip_suffix('s').unwrap_or_default(), 1_000),
    };
    let ms = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(ms_per_unit));
    ms.filter(|ms| *ms <= SPAN_MS_MAX)
        .map(Duration::from_millis)
        .ok_or_else(|| {
            format!("`{word}`: allowed is a whole number with a unit, such as 250ms or 3s, up to a day")
        })
}
