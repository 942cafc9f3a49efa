//! The fields of the result line, whatever the scenario.

use serde_json::{Map, Value};

use super::table::{Table, UNKNOWN};
use crate::plot::{files::RunFiles, scale::plain, svg::escape};

/// They stand at the top.
const SAID: [&str; 7] = [
    "scenario", "store", "latency", "seed", "verdict", "valid", "reason",
];

/// A longer text would push the table's numbers off the page.
const TEXT_IN_TABLE_MAX: usize = 40;

pub(super) fn section(files: &RunFiles) -> String {
    let Some(fields) = files.result.as_ref().and_then(Value::as_object) else {
        return String::new();
    };
    let own = fields.iter().filter(|(name, _)| !SAID.contains(&name.as_str()));
    let html = group(own);
    match html.is_empty() {
        true => html,
        false => format!("<section>\n<h2>The result line</h2>\n{html}</section>\n"),
    }
}

/// Values in one table; lists, groups and long texts beside it.
fn group<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let mut single = Table::new(["field", "value"]);
    let mut beside = String::new();
    for (name, value) in fields {
        match value {
            Value::Array(rows) => beside.push_str(&list(name, rows)),
            Value::Object(fields) => {
                beside.push_str(&format!("<h3>{}</h3>\n{}", escape(name), group(fields.iter())));
            }
            Value::String(long) if long.len() > TEXT_IN_TABLE_MAX => {
                beside.push_str(&format!("<p>{}: {}</p>\n", escape(name), escape(long)));
            }
            value => single.row(vec![name.clone(), text(value)]),
        }
    }
    match single.is_empty() {
        true => beside,
        false => single.html() + &beside,
    }
}

/// A list of points is a table; other lists are shown as they are.
fn list(name: &str, rows: &[Value]) -> String {
    let points: Option<Vec<&Map<String, Value>>> = rows.iter().map(Value::as_object).collect();
    let Some(points) = points else {
        let shown: Vec<_> = rows.iter().map(text).collect();
        return format!("<p>{}: {}</p>\n", escape(name), escape(&shown.join(", ")));
    };
    let Some(first) = points.first() else {
        return String::new();
    };
    let columns: Vec<_> = first.keys().map(String::as_str).collect();
    let mut table = Table::new(columns.iter().copied());
    for point in points {
        let value = |name: &&str| point.get(*name).map_or(UNKNOWN.to_owned(), text);
        table.row(columns.iter().map(value).collect());
    }
    format!("<h3>{}</h3>\n{}", escape(name), table.html())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => UNKNOWN.to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or(number.to_string(), plain),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> String {
        section(&RunFiles {
            result: serde_json::from_str(json).unwrap(),
            ..RunFiles::default()
        })
    }

    #[test]
    fn groups_and_long_texts_stand_beside_the_table() {
        let long = "a formula ".repeat(10);
        let html = of(&format!(
            r#"{{"scenario":"s","keys":7,"larger":{{"trips":4,"formula":"{long}"}}}}"#
        ));
        for text in [
            "<th scope=\"row\">keys</th><td>7</td>",
            "<h3>larger</h3>",
            "<th scope=\"row\">trips</th><td>4</td>",
            &format!("<p>formula: {long}</p>"),
        ] {
            assert!(html.contains(text), "{text} is missing in {html}");
        }
        assert!(!html.contains("<td>{"), "{html}");
    }

    #[test]
    fn points_become_a_table() {
        let html =
            of(r#"{"scenario":"s","seed":1,"points":[{"writers":1,"knee":12.5},{"writers":2,"knee":null}]}"#);
        for text in [
            "<h3>points</h3>",
            "<th scope=\"row\">1</th><td>12.5</td>",
            "<th scope=\"row\">2</th><td>–</td>",
        ] {
            assert!(html.contains(text), "{text} is missing from {html}");
        }
        assert!(!html.contains("seed"));
    }

    #[test]
    fn what_says_no_more_than_the_top_has_no_section() {
        assert_eq!(of(r#"{"scenario":"s","verdict":"fail"}"#), "");
        assert_eq!(of("[1]"), "");
        assert!(of(r#"{"files":["a.svg","b.svg"]}"#).contains("<p>files: a.svg, b.svg</p>"));
    }
}
