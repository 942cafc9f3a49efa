//! Faults of a store as plain data: one text for tests, settings (`PERF_FAULTS`) and reports.
//!
//! A plan is a list of rules, separated by `;`. `none`, or an empty text, is a plan without rules. A rule is
//! a word for the requests it is about, then other words in any order:
//!
//! ```text
//! REQUESTS [key=GLOB] [before|after] [p=P | first=N | nth=N] [from=SPAN] [to=SPAN] ACTION
//!
//! cas key=*/HEAD after p=0.05 drop; any from=10s to=13s stall; put ignore-conditions
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | `get` `put` `cas` `delete` `list` `any` | which requests; `put` means every PUT, `cas` only one with a condition |
//! | `key=GLOB` | whose whole key matches; `*` is any text, `/` included, `?` one character |
//! | `before` (the default) or `after` | the action happens before or after the store applied the request |
//! | `p=P` | with this probability, above 0 and up to 1 |
//! | `first=N`, `nth=N` | only the first N, or only the Nth, of the requests that the rule is about |
//! | `from=SPAN`, `to=SPAN` | only requests that arrive in this window since the plan was set |
//!
//! | action | what happens |
//! |---|---|
//! | `drop` | no answer; the connection is closed |
//! | `reset` | no answer; the connection is reset |
//! | `delay=SPAN` | it takes so much longer |
//! | `status=500`, `503`, `409`, `403` | the answer is InternalError, SlowDown, ConditionalRequestConflict or AccessDenied |
//! | `stall` | held until the window ends; needs `to=` |
//! | `replay` | applied twice; the answer is the second one |
//! | `corrupt` | one bit flips in the body that a GET answers, or that a PUT sends, before its digests are checked |
//! | `late=SPAN` | the connection is closed at once; the request is applied so much later |
//! | `ignore-conditions` | If-Match and If-None-Match are not looked at |
//!
//! A SPAN is a whole number with a unit, `250ms` or `3s`. The last four actions say themselves when they
//! happen, so `before` and `after` are refused with them. The key of a listing is its prefix; a request that
//! names no key in its address, such as the deletion of many, has the empty one.
//!
//! The first rule that fires decides. Every rule counts each request that it is about, inside its window,
//! also those that an earlier rule took.

use std::{fmt, time::Duration};

use bytes::Bytes;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::latency::RequestClass;

mod fired;
mod grammar;
mod outage;
mod pattern;
#[cfg(test)]
mod tests;

use self::pattern::KeyPattern;
pub use self::{
    fired::{FiredFaults, SLOT},
    grammar::ParseFaultsError,
    outage::Window,
};

/// What goes wrong in a run, and when. See the module for the text that it parses from and prints.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultPlan {
    rules: Vec<FaultRule>,
}

#[derive(Debug, Clone, PartialEq)]
struct FaultRule {
    requests: Requests,
    key: Option<KeyPattern>,
    occurs: Occurs,
    from: Option<Duration>,
    to: Option<Duration>,
    action: FaultAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requests {
    Any,
    Get,
    Put,
    Cas,
    Delete,
    List,
}

/// Which of the requests that a rule is about it hits.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Occurs {
    Always,
    Probability(f64),
    First(u64),
    Nth(u64),
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAction {
    /// It happens before the store applies the request.
    Before(Disturbance),
    /// It happens after the store applied the request.
    After(Disturbance),
    /// Applied twice; the second answer counts.
    Replay,
    /// One bit of a body flips: see [`Fault::flip_bit`].
    Corrupt,
    /// The client's connection is closed at once; the request is applied after this span.
    Late(Duration),
    /// Conditions are not looked at.
    IgnoreConditions,
}

/// What can happen on either side of the moment at which the store applies a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// No answer; the connection is closed.
    Drop,
    /// No answer; the connection is reset.
    Reset,
    /// It takes so much longer.
    Delay(Duration),
    /// This answer instead of the store's.
    Status(FaultStatus),
    /// Held until this long after the plan was set.
    StallUntil(Duration),
}

/// An answer that a fault can put in the store's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultStatus {
    /// 500 InternalError.
    InternalError,
    /// 503 SlowDown.
    SlowDown,
    /// 409 ConditionalRequestConflict.
    Conflict,
    /// 403 AccessDenied.
    Denied,
}

impl FaultStatus {
    const ALL: [Self; 4] = [Self::InternalError, Self::SlowDown, Self::Conflict, Self::Denied];

    /// The HTTP status.
    pub fn code(self) -> u16 {
        match self {
            Self::InternalError => 500,
            Self::SlowDown => 503,
            Self::Conflict => 409,
            Self::Denied => 403,
        }
    }

    /// The error code that S3 gives with it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InternalError => "InternalError",
            Self::SlowDown => "SlowDown",
            Self::Conflict => "ConditionalRequestConflict",
            Self::Denied => "AccessDenied",
        }
    }
}

/// What a plan knows about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultRequest<'a> {
    /// Its class.
    pub class: RequestClass,
    /// Its key; of a listing the prefix; empty if its address names none.
    pub key: &'a str,
}

/// A fault that hits a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The number of the rule, from 1.
    pub rule: usize,
    /// What happens.
    pub action: FaultAction,
    /// A random number that picks the bit which [`FaultAction::Corrupt`] flips.
    pub bit: u64,
}

impl Fault {
    /// A copy of the body with one bit flipped; an empty body stays as it is.
    pub fn flip_bit(&self, body: &Bytes) -> Bytes {
        let mut copy = body.to_vec();
        let bits = u64::try_from(copy.len()).unwrap_or(u64::MAX).saturating_mul(8);
        if let Some(bit) = self.bit.checked_rem(bits)
            && let Some(byte) = usize::try_from(bit / 8)
                .ok()
                .and_then(|index| copy.get_mut(index))
        {
            *byte ^= 1 << (bit % 8);
        }
        copy.into()
    }
}

/// What a plan remembers between requests: how many each rule has counted, and the draws of its seed.
#[derive(Debug)]
pub struct FaultState {
    seen: Vec<u64>,
    rng: StdRng,
}

impl FaultPlan {
    /// True if nothing can happen.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// How many rules it has.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// The plan without its rule at this place, counted from 0.
    #[must_use]
    pub fn without(&self, place: usize) -> Self {
        let mut rules = self.rules.clone();
        if place < rules.len() {
            rules.remove(place);
        }
        Self { rules }
    }

    /// What the rule of this number, from 1, does: its action as the grammar writes it, with `after` before it where the
    /// store has applied the request by then.
    pub fn action_of(&self, rule: usize) -> Option<String> {
        let rule = self.rules.get(rule.checked_sub(1)?)?;
        Some(match rule.action {
            FaultAction::After(disturbance) => format!("after {disturbance}"),
            action => action.to_string(),
        })
    }

    /// The state of a run that begins now.
    pub fn state(&self, seed: u64) -> FaultState {
        FaultState {
            seen: vec![0; self.rules.len()],
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// Decides about a request that arrives `elapsed` after the plan was set.
    ///
    /// The same requests at the same times, with states of the same seed, meet the same faults.
    pub fn decide(
        &self,
        request: &FaultRequest<'_>,
        elapsed: Duration,
        state: &mut FaultState,
    ) -> Option<Fault> {
        let mut decided = None;
        for (rule, (index, seen)) in self.rules.iter().zip(state.seen.iter_mut().enumerate()) {
            // Asked of every rule, also when an earlier one has fired: it counts and draws.
            let fires = rule.is_about(request, elapsed) && rule.occurs.next(seen, &mut state.rng);
            if fires && decided.is_none() {
                decided = Some(Fault {
                    rule: index + 1,
                    action: rule.action,
                    bit: state.rng.next_u64(),
                });
            }
        }
        decided
    }
}

impl FaultRule {
    fn is_about(&self, request: &FaultRequest<'_>, elapsed: Duration) -> bool {
        self.requests.include(request.class)
            && self.action.can_hit(request.class)
            && self.from.is_none_or(|from| elapsed >= from)
            && self.to.is_none_or(|to| elapsed < to)
            && self.key.as_ref().is_none_or(|key| key.matches(request.key))
    }
}

impl Occurs {
    fn next(self, seen: &mut u64, rng: &mut StdRng) -> bool {
        *seen += 1;
        match self {
            Self::Always => true,
            Self::Probability(p) => rng.random::<f64>() < p,
            Self::First(count) => *seen <= count,
            Self::Nth(place) => *seen == place,
        }
    }
}

impl Requests {
    const WORDS: [(&'static str, Self); 6] = [
        ("get", Self::Get),
        ("put", Self::Put),
        ("cas", Self::Cas),
        ("delete", Self::Delete),
        ("list", Self::List),
        ("any", Self::Any),
    ];

    fn include(self, class: RequestClass) -> bool {
        match self {
            Self::Any => true,
            Self::Get => class == RequestClass::Get,
            Self::Put => matches!(class, RequestClass::Put | RequestClass::Cas),
            Self::Cas => class == RequestClass::Cas,
            Self::Delete => class == RequestClass::Delete,
            Self::List => class == RequestClass::List,
        }
    }
}

impl FaultAction {
    /// Only GET and PUT have a body to corrupt and conditions to ignore.
    fn can_hit(self, class: RequestClass) -> bool {
        match self {
            Self::Corrupt | Self::IgnoreConditions => {
                matches!(class, RequestClass::Get | RequestClass::Put | RequestClass::Cas)
            }
            Self::Before(_) | Self::After(_) | Self::Replay | Self::Late(_) => true,
        }
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rules.is_empty() {
            return f.write_str("none");
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            rule.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.requests.fmt(f)?;
        if let Some(key) = &self.key {
            write!(f, " key={key}")?;
        }
        if matches!(self.action, FaultAction::After(_)) {
            f.write_str(" after")?;
        }
        match self.occurs {
            Occurs::Always => {}
            Occurs::Probability(p) => write!(f, " p={p}")?,
            Occurs::First(count) => write!(f, " first={count}")?,
            Occurs::Nth(place) => write!(f, " nth={place}")?,
        }
        if let Some(from) = self.from {
            write!(f, " from={}", Span(from))?;
        }
        if let Some(to) = self.to {
            write!(f, " to={}", Span(to))?;
        }
        write!(f, " {}", self.action)
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS
            .iter()
            .find(|(_, requests)| requests == self)
            .map_or("any", |(word, _)| word);
        f.write_str(word)
    }
}

impl fmt::Display for FaultAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(disturbance) | Self::After(disturbance) => disturbance.fmt(f),
            Self::Replay => f.write_str("replay"),
            Self::Corrupt => f.write_str("corrupt"),
            Self::Late(span) => write!(f, "late={}", Span(*span)),
            Self::IgnoreConditions => f.write_str("ignore-conditions"),
        }
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop => f.write_str("drop"),
            Self::Reset => f.write_str("reset"),
            Self::Delay(span) => write!(f, "delay={}", Span(*span)),
            Self::Status(status) => write!(f, "status={}", status.code()),
            Self::StallUntil(_) => f.write_str("stall"),
        }
    }
}

/// A span as the grammar writes it: whole seconds, or else milliseconds.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{}s", self.0.as_secs()),
            _ => write!(f, "{}ms", self.0.as_millis()),
        }
    }
}
