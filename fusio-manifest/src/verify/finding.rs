//! What a check found: which object, what is wrong with it, what that means and what to do.

use std::{fmt, ops::RangeInclusive};

use bytes::Bytes;

use crate::id::Folder;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// The one object that is ever replaced.
    Head,
    /// Commits that lie outside HEAD.
    Log,
    /// Sorted entries of a run.
    Table,
    /// A copy of a HEAD.
    Pin,
    /// What a collection is to delete.
    List,
}

impl ObjectKind {
    /// Every kind, in the order in which reports show them.
    pub const ALL: [Self; 5] = [Self::Head, Self::Log, Self::Table, Self::Pin, Self::List];

    /// The word that reports use, and the folder of all but HEAD.
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Log => "log",
            Self::Table => "table",
            Self::Pin => "pin",
            Self::List => "list",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Head => "HEAD",
            Self::Log => "log object",
            Self::Table => "table",
            Self::Pin => "pin",
            Self::List => "list of a collection",
        }
    }
}

impl From<Folder> for ObjectKind {
    fn from(folder: Folder) -> Self {
        match folder {
            Folder::Log => Self::Log,
            Folder::Table => Self::Table,
            Folder::Pin => Self::Pin,
            Folder::List => Self::List,
        }
    }
}

/// How an object differs from what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Damage {
    /// It is not there.
    Missing,
    /// It has fewer or more bytes than were written.
    Length,
    /// Its bytes do not match their checksum.
    Checksum,
    /// It is another object, whole but not the one that belongs here.
    Foreign,
    /// Its checksums hold, and its content cannot be read.
    Malformed,
    /// Its content contradicts itself, or what another object says.
    Contradiction,
    /// HEAD is older than what it had named already.
    WentBack,
}

impl Damage {
    /// The word that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Length => "length",
            Self::Checksum => "checksum",
            Self::Foreign => "foreign",
            Self::Malformed => "malformed",
            Self::Contradiction => "contradiction",
            Self::WentBack => "went_back",
        }
    }
}

/// The part of an object that is hit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// All of it.
    Whole,
    /// Its header, which readers of ranges never see.
    Header,
    /// A section of HEAD.
    Section(&'static str),
    /// The footer of a table, without which none of its blocks is found.
    Footer,
    /// Neighbouring blocks of a table, counted from 0.
    Blocks(RangeInclusive<usize>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("the whole object"),
            Self::Header => f.write_str("its header"),
            Self::Section(name) => write!(f, "section {name}"),
            Self::Footer => f.write_str("its footer"),
            Self::Blocks(blocks) if blocks.start() == blocks.end() => write!(f, "block {}", blocks.start()),
            Self::Blocks(blocks) => write!(f, "blocks {} to {}", blocks.start(), blocks.end()),
        }
    }
}

/// Who needs an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Need {
    /// The newest state.
    Head,
    /// The state that is pinned under this name; of a manifest without a readable HEAD, that of the pin with this key.
    Pin(String),
    /// HEAD, to tell whether an earlier commit whose answer was lost is durable.
    Outcomes,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("HEAD"),
            // Escaped: whoever may write to the bucket chose it.
            Self::Pin(name) => write!(f, "pin {name:?}"),
            Self::Outcomes => f.write_str("the outcomes of earlier commits"),
        }
    }
}

/// The keys from the first one on, up to the second, which is not among them; `None`: to the end.
pub type KeySpan = (Bytes, Option<Bytes>);

/// One thing that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The key of the object.
    pub object: String,
    /// What the object is.
    pub kind: ObjectKind,
    /// What is wrong with it.
    pub damage: Damage,
    /// Where in it.
    pub place: Place,
    /// What was seen.
    pub detail: String,
    /// Who needs it.
    pub needed_by: Vec<Need>,
    /// The commits that are hit, where that is known.
    pub txns: Option<RangeInclusive<u64>>,
    /// The keys that may be hit, where it is not all of them.
    pub keys: Option<KeySpan>,
}

impl Finding {
    /// What it means for those who use the manifest.
    pub fn meaning(&self) -> String {
        let commits = self.txns.as_ref().map_or_else(String::new, |txns| {
            format!(" of commits {} to {}", txns.start(), txns.end())
        });
        let part = |(first, end): &&KeySpan| !first.is_empty() || end.is_some();
        let keys = self.keys.as_ref().filter(part);
        let keys = keys.map_or_else(String::new, |(first, end)| {
            let end = end
                .as_ref()
                .map_or_else(|| "the end".to_owned(), |end| readable(end));
            format!(", of keys from {} to {end}", readable(first))
        });
        match (self.kind, &self.place) {
            (ObjectKind::Head, _) => self.meaning_of_head(),
            (ObjectKind::Log, _) if self.needed_by == [Need::Outcomes] => format!(
                "The writes{commits} lie in runs and can be read. Whether one of these commits is durable whose \
                 answer was lost may stay unknown."
            ),
            (ObjectKind::Log, _) if self.for_head() => {
                format!("The writes{commits} cannot be read: the manifest cannot be opened.")
            }
            (ObjectKind::Table, Place::Header) => {
                "No read needs the header of a table: everything can be read.".to_owned()
            }
            (ObjectKind::Log | ObjectKind::Table, _) => format!(
                "What {} holds{commits}{keys} cannot be read, nor merged or copied from here.",
                listed(&self.needed_by)
            ),
            (ObjectKind::Pin, _) => format!(
                "{} cannot be opened, and nothing is collected until it is released.",
                listed(&self.needed_by)
            ),
            (ObjectKind::List, _) if self.damage == Damage::Missing => {
                "Nothing is lost: the next collection lists anew what is to be deleted.".to_owned()
            }
            (ObjectKind::List, _) if self.damage == Damage::Contradiction => {
                "The collection under way would delete what is still needed.".to_owned()
            }
            (ObjectKind::List, _) => {
                "Nothing is lost, but the collection under way cannot end: garbage stays.".to_owned()
            }
        }
    }

    fn meaning_of_head(&self) -> String {
        match self.damage {
            Damage::WentBack => "Commits that were acknowledged are missing from this HEAD.",
            Damage::Foreign => "The commits of the manifest that was here cannot be read through this HEAD.",
            _ => "The manifest cannot be opened: no key of it can be read, nothing can be committed.",
        }
        .to_owned()
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        match (self.kind, &self.place, self.damage) {
            (ObjectKind::Head, ..) => "Stop all writers. Restore HEAD from a noncurrent version of the bucket or from \
                                       a backup, the newest that verifies. If there is none, `restore_head` writes \
                                       one from a pin, once no HEAD is there."
                .to_owned(),
            (ObjectKind::List, _, Damage::Contradiction) => {
                "Stop all writers and maintenance before the retention is over, and keep a copy of the bucket.".to_owned()
            }
            (ObjectKind::List, _, Damage::Missing) => "Nothing: run maintenance once, and verify again.".to_owned(),
            (ObjectKind::List, ..) => "Delete this object: the collection then begins again.".to_owned(),
            (ObjectKind::Pin, ..) => {
                "Restore it from a noncurrent version of the bucket or from a backup, or release the pin.".to_owned()
            }
            (ObjectKind::Log, ..) if self.needed_by == [Need::Outcomes] => {
                "Nothing: HEAD forgets it when newer log objects are folded.".to_owned()
            }
            (ObjectKind::Table, Place::Header, _) => {
                "Find out what changed it: the store damages objects. A merge writes the table anew.".to_owned()
            }
            _ => "Restore it under the same key from a noncurrent version of the bucket or from a backup. If there is \
                  none, read an older state through a pin."
                .to_owned(),
        }
    }

    fn for_head(&self) -> bool {
        self.needed_by.contains(&Need::Head)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.kind.title(), self.object)?;
        writeln!(f, "  {}: {}: {}", self.damage.name(), self.place, self.detail)?;
        if !self.needed_by.is_empty() {
            writeln!(f, "  needed by: {}", listed(&self.needed_by))?;
        }
        writeln!(f, "  {}", self.meaning())?;
        write!(f, "  {}", self.remedy())
    }
}

fn listed(needs: &[Need]) -> String {
    const SHOWN: usize = 4;
    let mut words: Vec<String> = needs.iter().take(SHOWN).map(Need::to_string).collect();
    if needs.len() > SHOWN {
        words.push(format!("{} more", needs.len() - SHOWN));
    }
    match words.is_empty() {
        true => "the manifest".to_owned(),
        false => words.join(", "),
    }
}

/// A key for people: as text where it is text, else in hexadecimal digits; cut where it is long.
pub(crate) fn readable(key: &[u8]) -> String {
    const SHOWN: usize = 48;
    if key.is_empty() {
        return "the first".to_owned();
    }
    let shown = key.get(..SHOWN).unwrap_or(key);
    let cut = if shown.len() < key.len() { "..." } else { "" };
    match std::str::from_utf8(shown) {
        Ok(text) if !text.chars().any(char::is_control) => format!("\"{text}\"{cut}"),
        _ => {
            let digits: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("0x{digits}{cut}")
        }
    }
}

/// What is wrong with an object, by whoever reads it; who needs it is known elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Flaw {
    pub(crate) damage: Damage,
    pub(crate) place: Place,
    pub(crate) detail: String,
    pub(crate) keys: Option<KeySpan>,
}

impl Flaw {
    pub(crate) fn new(damage: Damage, place: Place, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            damage,
            place,
            // The damage says so already.
            detail: detail.strip_prefix("damaged: ").unwrap_or(&detail).to_owned(),
            keys: None,
        }
    }

    pub(crate) fn of_keys(self, first: Bytes, end: Option<Bytes>) -> Self {
        Self {
            keys: Some((first, end)),
            ..self
        }
    }
}
