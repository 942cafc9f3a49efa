//! A history as lines of JSON, so that a violation can be kept, looked at with ordinary tools, and checked
//! again.
//!
//! The first line is `{"base": ..}`, then one `{"operation": ..}` a line, then `{"final": ..}` if a final
//! state was observed. Bytes are strings where they are UTF-8 and `{"hex": ".."}` where they are not.

use std::{
    fmt::Write as _,
    io::{self, BufRead, Write},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{History, Operation, State};

/// A history could not be written or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonlError {
    /// The file itself failed.
    #[error("history: {0}")]
    Io(#[from] io::Error),
    /// A line is not what [`write_jsonl`] writes.
    #[error("history, line {line}: {source}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file does not begin with its base state, or holds two of a kind.
    #[error("history, line {line}: {problem}")]
    Order {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum LineRef<'h> {
    Base(&'h State),
    Operation(&'h Operation),
    Final(&'h State),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Base(State),
    Operation(Operation),
    Final(State),
}

/// Writes a history, and the final state if one was observed. Give it a buffered writer.
pub fn write_jsonl(
    mut to: impl Write,
    history: &History,
    final_state: Option<&State>,
) -> Result<(), JsonlError> {
    let base = std::iter::once(LineRef::Base(&history.base));
    let operations = history.operations.iter().map(LineRef::Operation);
    for line in base.chain(operations).chain(final_state.map(LineRef::Final)) {
        serde_json::to_writer(&mut to, &line).map_err(io::Error::from)?;
        to.write_all(b"\n")?;
    }
    to.flush()?;
    Ok(())
}

/// Reads back what [`write_jsonl`] wrote.
pub fn read_jsonl(from: impl BufRead) -> Result<(History, Option<State>), JsonlError> {
    let mut base = None;
    let mut operations = Vec::new();
    let mut final_state = None;
    for (at, text) in from.lines().enumerate() {
        let line = at + 1;
        let parsed = serde_json::from_str(&text?).map_err(|source| JsonlError::Line { line, source })?;
        let problem = match parsed {
            Line::Base(_) if base.is_some() => Some("a second base state"),
            Line::Base(state) => {
                base = Some(state);
                None
            }
            _ if base.is_none() => Some("the base state must come first"),
            _ if final_state.is_some() => Some("the final state must come last"),
            Line::Operation(operation) => {
                operations.push(operation);
                None
            }
            Line::Final(state) => {
                final_state = Some(state);
                None
            }
        };
        if let Some(problem) = problem {
            return Err(JsonlError::Order { line, problem });
        }
    }
    let base = base.ok_or(JsonlError::Order {
        line: 1,
        problem: "the base state is missing",
    })?;
    Ok((History { base, operations }, final_state))
}

#[derive(Serialize)]
#[serde(untagged)]
enum TextRef<'b> {
    Utf8(&'b str),
    Hex { hex: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Utf8(String),
    Hex { hex: String },
}

impl<'b> From<&'b Bytes> for TextRef<'b> {
    fn from(bytes: &'b Bytes) -> Self {
        std::str::from_utf8(bytes).map_or_else(
            |_| {
                let mut hex = String::with_capacity(bytes.len() * 2);
                for byte in bytes {
                    // Writing to a string cannot fail.
                    let _ = write!(hex, "{byte:02x}");
                }
                Self::Hex { hex }
            },
            Self::Utf8,
        )
    }
}

impl Text {
    fn bytes(self) -> Result<Bytes, &'static str> {
        let hex = match self {
            Self::Utf8(text) => return Ok(Bytes::from(text)),
            Self::Hex { hex } => hex,
        };
        let digit = |byte: &u8| {
            char::from(*byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let pairs = hex.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        });
        pairs
            .collect::<Option<Vec<u8>>>()
            .map(Bytes::from)
            .ok_or("not pairs of hex digits")
    }
}

/// Bytes as text.
pub(super) mod text {
    use serde::{Deserializer, Serializer, de::Error};

    use super::{Bytes, Deserialize, Serialize, Text, TextRef};

    pub(in crate::history) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        TextRef::from(bytes).serialize(to)
    }

    pub(in crate::history) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        Text::deserialize(from)?.bytes().map_err(D::Error::custom)
    }
}

/// Bytes that may be missing, as text or null.
pub(super) mod optional_text {
    use serde::{Deserializer, Serializer, de::Error};

    use super::{Bytes, Deserialize, Serialize, Text, TextRef};

    pub(in crate::history) fn serialize<S: Serializer>(
        bytes: &Option<Bytes>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(TextRef::from).serialize(to)
    }

    pub(in crate::history) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Bytes>, D::Error> {
        Option::<Text>::deserialize(from)?
            .map(Text::bytes)
            .transpose()
            .map_err(D::Error::custom)
    }
}

/// A map as a list of pairs of text: JSON's own maps take only strings as keys.
pub(super) mod map_text {
    use std::collections::BTreeMap;

    use serde::{Deserializer, Serializer, de::Error};

    use super::{Bytes, Deserialize, Text, TextRef};

    pub(in crate::history) fn serialize<S: Serializer>(
        map: &BTreeMap<Bytes, Bytes>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(
            map.iter()
                .map(|(key, value)| (TextRef::from(key), TextRef::from(value))),
        )
    }

    pub(in crate::history) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Bytes, Bytes>, D::Error> {
        let pairs = Vec::<(Text, Text)>::deserialize(from)?;
        let pairs = pairs
            .into_iter()
            .map(|(key, value)| Ok((key.bytes()?, value.bytes()?)));
        pairs
            .collect::<Result<_, &'static str>>()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{ClientId, OperationId, OperationKind, Outcome, Read, Row, Write as Change};

    fn sample() -> (History, State) {
        let odd = Bytes::from_static(&[0xff, 0x00, 0x7f]);
        let text = Bytes::from_static("k\u{e9} \"1\"\n".as_bytes());
        let operation = Operation {
            id: OperationId(7),
            client: ClientId(2),
            kind: OperationKind::Commit,
            invoked: u64::MAX,
            completed: None,
            reads: vec![
                Read::Point {
                    key: text.clone(),
                    value: None,
                },
                Read::Point {
                    key: text.clone(),
                    value: Some(odd.clone()),
                },
                Read::Range {
                    from: Bytes::new(),
                    to: None,
                    rows: vec![Row {
                        key: odd.clone(),
                        value: text.clone(),
                    }],
                },
            ],
            writes: vec![
                Change {
                    key: odd.clone(),
                    value: Some(Bytes::new()),
                },
                Change {
                    key: text.clone(),
                    value: None,
                },
            ],
            outcome: Outcome::Unknown { snapshot: Some(3) },
        };
        let state = State {
            txn: 4,
            entries: [(odd.clone(), text.clone()), (text, odd)].into(),
        };
        let mut done = operation.clone();
        done.completed = Some(1);
        done.outcome = Outcome::Ok {
            snapshot: 1,
            txn: Some(2),
        };
        (
            History {
                base: state.clone(),
                operations: vec![operation, done],
            },
            state,
        )
    }

    #[test]
    fn a_history_survives_its_file() {
        let (history, state) = sample();
        for final_state in [None, Some(&state)] {
            let mut file = Vec::new();
            write_jsonl(&mut file, &history, final_state).unwrap();
            let (back, back_state) = read_jsonl(file.as_slice()).unwrap();
            assert_eq!(back, history);
            assert_eq!(back_state.as_ref(), final_state);
        }
    }

    #[test]
    fn a_cut_or_foreign_file_is_refused() {
        let (history, _) = sample();
        let mut file = Vec::new();
        write_jsonl(&mut file, &history, None).unwrap();
        assert!(matches!(
            read_jsonl(&file[..file.len() - 9]),
            Err(JsonlError::Line { line: 3, .. })
        ));
        let rest = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        assert!(matches!(
            read_jsonl(&file[rest..]),
            Err(JsonlError::Order { line: 1, .. })
        ));
        assert!(matches!(read_jsonl(&b""[..]), Err(JsonlError::Order { .. })));
        let odd_hex = br#"{"base":{"txn":0,"entries":[[{"hex":"f"},"a"]]}}"#;
        assert!(matches!(
            read_jsonl(&odd_hex[..]),
            Err(JsonlError::Line { line: 1, .. })
        ));
    }
}
