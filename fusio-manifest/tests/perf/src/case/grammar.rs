//! From a case to its text and back. The words are described in the parent module.

use std::{collections::BTreeMap, error::Error, fmt, str::FromStr, time::Duration};

use super::{Case, Collect, Kill, Spill};
use crate::{
    latency::LatencyProfile,
    run::{Crew, ReaderTask, WriterTask},
    target::mortal::Work,
};

const NONE: &str = "none";
const FAULTS: &str = "faults=";

/// A text that is no case: which word, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseCaseError(String);

impl fmt::Display for ParseCaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ParseCaseError {}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spill { at, keep, inline } = self.spill;
        let kills = self.kills.iter().map(kill_text);
        let collect = self.collect.map_or_else(
            || NONE.to_owned(),
            |collect| format!("{}/{}", ms(collect.retention), collect.fold_objects),
        );
        write!(
            f,
            "seed={} writers={} readers={} writer-rate={} reader-rate={} span={} pool={} shared={} latency={} \
             limit={} refreshes={} spill={at}/{keep}/{inline} collect={collect} impatience={} kills={} ask={} faults={}",
            self.seed,
            list(self.crew.writers.iter().map(|task| word(&WriterTask::ALL, *task))),
            list(self.crew.readers.iter().map(|task| word(&ReaderTask::ALL, *task))),
            self.writer_rate,
            self.reader_rate,
            ms(self.span),
            self.pool,
            yes(self.shared_handle),
            self.latency,
            ms(self.limit),
            self.refreshes,
            self.impatience,
            list(kills),
            yes(self.ask),
            self.faults,
        )
    }
}

fn kill_text(kill: &Kill) -> String {
    let (at, process) = (ms(kill.at), kill.process);
    match kill.work {
        Some(work) => format!("{at}@{process}:{}", word(&Work::ALL, work)),
        None => format!("{at}@{process}"),
    }
}

fn ms(span: Duration) -> String {
    format!("{}ms", span.as_millis())
}

fn yes(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], wanted: T) -> String {
    let found = words.iter().find(|(_, task)| *task == wanted);
    found.map_or(NONE, |(word, _)| word).to_owned()
}

fn list(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        NONE.to_owned()
    } else {
        words.join(",")
    }
}

impl FromStr for Case {
    type Err = ParseCaseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Words::read(text)
            .and_then(|words| words.case())
            .map_err(ParseCaseError)
    }
}

/// The words of a text, by name.
struct Words<'t> {
    named: BTreeMap<&'t str, &'t str>,
    faults: &'t str,
}

impl<'t> Words<'t> {
    fn read(text: &'t str) -> Result<Self, String> {
        let (rest, faults) = text
            .split_once(FAULTS)
            .ok_or_else(|| format!("`{FAULTS}` is missing, and has to be the last word"))?;
        let mut named = BTreeMap::new();
        for word in rest.split_whitespace() {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| format!("`{word}` is not NAME=VALUE"))?;
            if named.insert(name, value).is_some() {
                return Err(format!("`{name}` is there twice"));
            }
        }
        Ok(Self { named, faults })
    }

    fn case(mut self) -> Result<Case, String> {
        let case = Case {
            seed: self.number("seed")?,
            crew: Crew {
                writers: self.tasks("writers", &WriterTask::ALL)?,
                readers: self.tasks("readers", &ReaderTask::ALL)?,
            },
            writer_rate: self.number("writer-rate")?,
            reader_rate: self.number("reader-rate")?,
            span: self.span("span")?,
            pool: self.number("pool")?,
            shared_handle: self.choice("shared")?,
            latency: self.latency()?,
            limit: self.span("limit")?,
            refreshes: self.number("refreshes")?,
            spill: self.spill()?,
            collect: self.collect()?,
            impatience: self.number("impatience")?,
            kills: self.kills()?,
            ask: self.choice("ask")?,
            faults: self.faults.parse().map_err(|error| format!("faults: {error}"))?,
        };
        if let Some(name) = self.named.keys().next() {
            return Err(format!("`{name}` is no word of a case"));
        }
        if !(0.0..=1.0).contains(&case.impatience) {
            return Err("impatience is a share, from 0 to 1".to_owned());
        }
        Ok(case)
    }

    fn take(&mut self, name: &str) -> Result<&'t str, String> {
        self.named
            .remove(name)
            .ok_or_else(|| format!("`{name}=` is missing"))
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Result<T, String> {
        let text = self.take(name)?;
        text.parse().map_err(|_| format!("{name}={text} is no number"))
    }

    fn choice(&mut self, name: &str) -> Result<bool, String> {
        match self.take(name)? {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => Err(format!("{name}={other}: yes or no")),
        }
    }

    fn span(&mut self, name: &str) -> Result<Duration, String> {
        let text = self.take(name)?;
        span(text).ok_or_else(|| format!("{name}={text}: a whole number and `ms`"))
    }

    fn latency(&mut self) -> Result<String, String> {
        let text = self.take("latency")?;
        let profile: Result<LatencyProfile, _> = text.parse();
        profile
            .map(|_| text.to_owned())
            .map_err(|error| format!("latency: {error}"))
    }

    fn tasks<T: Copy>(&mut self, name: &str, words: &[(&'static str, T)]) -> Result<Vec<T>, String> {
        let text = self.take(name)?;
        let task = |word: &str| {
            let found = words.iter().find(|(known, _)| *known == word);
            let allowed = words.iter().map(|(known, _)| *known);
            found.map(|(_, task)| *task).ok_or_else(|| {
                let allowed: Vec<&str> = allowed.collect();
                format!("{name}: `{word}` is none of {}", allowed.join(", "))
            })
        };
        parts(text).map(task).collect()
    }

    fn spill(&mut self) -> Result<Spill, String> {
        let text = self.take("spill")?;
        let numbers: Result<Vec<u64>, _> = text.split('/').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([at, keep, inline]) => Ok(Spill {
                at: *at,
                keep: *keep,
                inline: *inline,
            }),
            _ => Err(format!("spill={text}: three numbers with / between")),
        }
    }

    fn collect(&mut self) -> Result<Option<Collect>, String> {
        let text = self.take("collect")?;
        if text == NONE {
            return Ok(None);
        }
        let collect = text.split_once('/').and_then(|(retention, objects)| {
            Some(Collect {
                retention: span(retention)?,
                fold_objects: objects.parse().ok()?,
            })
        });
        let collect = collect.ok_or_else(|| format!("collect={text}: none, or like 1000ms/3"))?;
        Ok(Some(collect))
    }

    fn kills(&mut self) -> Result<Vec<Kill>, String> {
        let text = self.take("kills")?;
        parts(text)
            .map(|part| {
                kill(part).ok_or_else(|| format!("kills: `{part}` is not 1200ms@0 or 1200ms@0:delete"))
            })
            .collect()
    }
}

fn kill(part: &str) -> Option<Kill> {
    let (at, rest) = part.split_once('@')?;
    let (process, work) = match rest.split_once(':') {
        Some((process, name)) => {
            let (_, work) = Work::ALL.iter().find(|(word, _)| *word == name)?;
            (process, Some(*work))
        }
        None => (rest, None),
    };
    Some(Kill {
        at: span(at)?,
        process: process.parse().ok()?,
        work,
    })
}

fn span(text: &str) -> Option<Duration> {
    let ms = text.strip_suffix("ms")?.parse().ok()?;
    Some(Duration::from_millis(ms))
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(move |_| text != NONE)
}
