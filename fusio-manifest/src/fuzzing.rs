//! What must hold of every decoder, whatever bytes it is given. Fuzzers (`fuzz/`), property tests and the replay of the
//! corpus run these very functions: what one of them finds, the others repeat.
//!
//! It is here, and behind a feature, because the decoders are private: a fuzzer is a crate of its own. A feature instead of
//! `cfg(fuzzing)`, so that ordinary builds on stable compile it, lint it and run it.
//!
//! An input is an object's bytes as they are stored. Checksums would stop a fuzzer at once, so every input is tried as it is
//! and [sealed anew](reseal): its lengths and checksums made right, so that what was changed reaches what lies behind them.

use std::fmt::Display;

use crate::{
    error::{Error, ErrorKind},
    frame::FormatError,
    id::ManifestId,
};

mod objects;
mod opened;
mod reseal;
mod seeds;
mod table;
#[cfg(test)]
mod tests;

pub use seeds::seeds;

/// Whether a property holds; if not, what was seen.
pub type Verdict = Result<(), String>;

/// Runs what it is given once, and returns the most bytes that were allocated by it at one time. An allocator of one's own
/// is not for a library.
pub type Gauge = dyn Fn(&mut dyn FnMut()) -> u64;

/// The manifest to which inputs that do not say it themselves belong.
pub(crate) const MANIFEST: ManifestId = ManifestId::from_bits(3);

/// How much memory decoding may take for each byte of input: an empty message of two bytes becomes a struct of up to 136,
/// in a vector that doubles, while the old one is still there. What is kept takes far less.
const BYTES_PER_BYTE: u64 = 256;
/// And for any input: messages, errors, what a map or a set has to begin with.
const BYTES_AT_LEAST: u64 = 16 * 1024;
/// The longest message of an error.
const MESSAGE_MAX: usize = 600;

/// Holds a property against what was seen.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if !$holds {
            return Err(format!($($seen)+));
        }
    };
}
pub(crate) use ensure;

/// A decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The header of every object.
    Frame,
    /// HEAD.
    Head,
    /// A log object.
    LogObject,
    /// A table, and the length of its footer (4 bytes, little endian) behind it, which HEAD would tell.
    Table,
    /// A pin.
    Pin,
    /// A list of a collection.
    List,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Frame,
        Self::Head,
        Self::LogObject,
        Self::Table,
        Self::Pin,
        Self::List,
    ];

    /// The name of its fuzzer and of its folder in the corpus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Head => "head",
            Self::LogObject => "log_object",
            Self::Table => "table",
            Self::Pin => "pin",
            Self::List => "list",
        }
    }

    /// Gives these bytes to the decoder, as they are and sealed anew.
    ///
    /// # Errors
    ///
    /// What does not hold. A panic is one more thing that must not be, also in a task that was spawned: whoever calls this has
    /// to see to that.
    pub fn holds(self, data: &[u8], gauge: &Gauge) -> Verdict {
        match self {
            Self::Frame => objects::frame(data, gauge),
            Self::Head => objects::head(data, gauge),
            Self::LogObject => objects::log_object(data, gauge),
            Self::Table => table::table(data, gauge),
            Self::Pin => objects::pin(data, gauge),
            Self::List => objects::list(data, gauge),
        }
    }
}

/// Decodes, and holds what that took against what the input may cost.
fn measured<T>(gauge: &Gauge, what: &str, allowed: u64, mut decode: impl FnMut() -> T) -> Result<T, String> {
    let mut decoded = None;
    let taken = gauge(&mut || decoded = Some(decode()));
    ensure!(
        taken <= allowed,
        "decoding {what} took {taken} bytes, {allowed} are allowed"
    );
    decoded.ok_or_else(|| format!("nobody decoded {what}"))
}

/// What decoding so many bytes may take.
fn allowance(bytes: usize) -> u64 {
    BYTES_AT_LEAST.saturating_add(BYTES_PER_BYTE.saturating_mul(bytes as u64))
}

/// A refusal says what is wrong, in words that fit a line of a log, and names the object.
fn refused(error: &FormatError) -> Verdict {
    let (what, told) = (error.to_string(), error.in_object("folder/name").to_string());
    ensure!(
        what.trim_start_matches("damaged: ").len() >= 8,
        "a refusal that says nothing: {what:?}"
    );
    ensure!(told.contains("folder/name"), "a refusal of nothing: {told:?}");
    ensure!(
        told.len() <= MESSAGE_MAX,
        "a refusal of {} bytes: {told:?}",
        told.len()
    );
    Ok(())
}

/// The same of an error of the engine, which may be of these kinds only.
fn failed(doing: &str, error: &Error, kinds: &[ErrorKind]) -> Verdict {
    ensure!(
        kinds.contains(&error.kind()),
        "{doing} ended as {:?}: {error}",
        error.kind()
    );
    let told = error.to_string();
    ensure!(
        (8..=MESSAGE_MAX).contains(&told.len()),
        "{doing} ended with a message of {} bytes: {told:?}",
        told.len()
    );
    Ok(())
}

/// What was to succeed.
fn succeeds<T, E: Display>(doing: &str, result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("{doing} failed: {error}"))
}
