//! What callers saw, row by row, and what they have to see.

use std::{collections::BTreeMap, time::Duration};

use fusio_manifest::Error;

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) operation: &'static str,
    pub(crate) saw: Result<String, Error>,
    pub(crate) after: Duration,
}

impl Row {
    fn kind(&self) -> String {
        match &self.saw {
            Ok(_) => "Ok".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        }
    }

    fn text(&self) -> String {
        let text = match &self.saw {
            Ok(text) => text.clone(),
            Err(error) => error.to_string(),
        };
        let text = without_names(&text);
        match text.char_indices().nth(300) {
            Some((end, _)) => format!("{} …", &text[..end]),
            None => text,
        }
    }
}

/// Ports and names that differ from run to run.
fn without_names(text: &str) -> String {
    let text = text.replace(['\n', '|'], " ");
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let word = match word.find("127.0.0.1:") {
            Some(at) => {
                let rest = word[at + 10..].trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{}127.0.0.1{rest}", &word[..at])
            }
            None => word.to_owned(),
        };
        words.push(word);
    }
    let mut told = String::new();
    let mut digits = String::new();
    for character in words.join(" ").chars().chain([' ']) {
        if character.is_ascii_hexdigit() || (character == '-' && digits.len() == 16) {
            digits.push(character);
            continue;
        }
        // An id, or the name of an object.
        told.push_str(if digits.len() >= 32 { "…" } else { &digits });
        digits.clear();
        told.push(character);
    }
    told.trim_end().to_owned()
}

/// What a row has to show: `case | operation | kind, or several by / | words, or several by &`. Lines that begin with `#`
/// are none.
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile/expected.txt");

/// Prints the rows, and holds them against what is expected of this section.
pub(crate) fn hold(section: &str, mut rows: Vec<Row>) {
    rows.sort_by(|a, b| (&a.case, a.operation).cmp(&(&b.case, b.operation)));
    println!("\n{section}\n");
    println!("| what the store does | operation | the caller sees | after | in words |");
    println!("|---|---|---|---:|---|");
    for row in &rows {
        println!(
            "| {} | {} | {} | {} ms | {} |",
            row.case,
            row.operation,
            row.kind(),
            row.after.as_millis(),
            row.text()
        );
    }
    let text = std::fs::read_to_string(EXPECTED).unwrap();
    let mut expected = BTreeMap::new();
    let mut within = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("[").and_then(|line| line.strip_suffix("]")) {
            within = name;
        } else if within == section && !line.is_empty() && !line.starts_with('#') {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let [case, operation, kinds, words] = fields.as_slice() else {
                panic!("four fields: {line}")
            };
            let before = expected.insert((*case, *operation), (*kinds, *words));
            assert!(before.is_none(), "twice: {line}");
        }
    }
    let mut wrong = Vec::new();
    for row in &rows {
        let Some((kinds, words)) = expected.remove(&(row.case.as_str(), row.operation)) else {
            wrong.push(format!(
                "{} | {} | {} | {}",
                row.case,
                row.operation,
                row.kind(),
                row.text()
            ));
            continue;
        };
        let kind = row.kind();
        let text = row.text();
        let missing = words.split('&').map(str::trim).find(|word| !text.contains(word));
        if !kinds.split('/').any(|expected| expected == kind) || missing.is_some() {
            wrong.push(format!(
                "{} | {}: {kinds} with {words:?} expected, {kind} seen: {text}",
                row.case, row.operation
            ));
        }
    }
    wrong.extend(
        expected
            .keys()
            .map(|(case, operation)| format!("{case} | {operation}: no such row")),
    );
    assert!(wrong.is_empty(), "{section}:\n{}", wrong.join("\n"));
}
