//! A cell as its rows in the CSV and in the details tell it.

use std::collections::BTreeMap;

use crate::{
    price::PriceTable,
    requests::{ClassCount, RequestCounts},
    summary::{Columns, SAMPLES_ENOUGH},
};

/// The columns of one row by name.
pub(super) type Details = BTreeMap<String, String>;

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plot) struct Cell {
    /// The row of the CSV.
    pub(in crate::plot) columns: Columns,
    details: Details,
}

/// Percentiles of one thing; each none if it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::plot) struct Percentiles {
    pub(in crate::plot) samples: Option<u64>,
    pub(in crate::plot) p50: Option<f64>,
    pub(in crate::plot) p95: Option<f64>,
    pub(in crate::plot) p99: Option<f64>,
    pub(in crate::plot) p999: Option<f64>,
    pub(in crate::plot) max: Option<f64>,
}

impl Percentiles {
    /// True if they are mostly chance.
    pub(in crate::plot) fn few(&self) -> bool {
        self.samples.is_some_and(|samples| samples < SAMPLES_ENOUGH)
    }
}

impl Cell {
    pub(in crate::plot) fn label(&self) -> &str {
        &self.columns.config_label
    }

    /// A column of the details; none if it is empty or not there.
    pub(in crate::plot) fn detail(&self, name: &str) -> Option<&str> {
        let text = self.details.get(name)?;
        (!text.is_empty()).then_some(text.as_str())
    }

    /// The same as a number.
    pub(in crate::plot) fn number(&self, name: &str) -> Option<f64> {
        self.detail(name)?
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }

    /// The same as a count.
    pub(in crate::plot) fn count(&self, name: &str) -> Option<u64> {
        self.detail(name)?.parse().ok()
    }

    /// The details' percentiles of `of`, such as `write_response`. Response times stand in the CSV too, which is
    /// asked where there are no details.
    pub(in crate::plot) fn percentiles(&self, of: &str) -> Percentiles {
        let number = |what: &str| self.number(&format!("{of}_{what}_ms"));
        let columns = &self.columns;
        let (p50, p95, p99) = match of {
            "write_response" => (columns.write_p50_ms, columns.write_p95_ms, columns.write_p99_ms),
            "read_response" => (columns.read_p50_ms, columns.read_p95_ms, columns.read_p99_ms),
            _ => (number("p50"), number("p95"), number("p99")),
        };
        Percentiles {
            samples: self.count(&format!("{of}_samples")),
            p50,
            p95,
            p99,
            p999: number("p999"),
            max: number("max"),
        }
    }

    /// The requests of one purpose by class.
    pub(in crate::plot) fn requests(&self, purpose: &str) -> Option<RequestCounts> {
        let class = |name: &str| {
            Some(ClassCount {
                requests: self.count(&format!("{purpose}_{name}_requests"))?,
                bytes: self.count(&format!("{purpose}_{name}_bytes"))?,
            })
        };
        Some(RequestCounts {
            conditional_put: class("conditional_put")?,
            put: class("put")?,
            conditional_get: class("conditional_get")?,
            get: class("get")?,
            list: class("list")?,
            delete: class("delete")?,
        })
    }

    /// The prices that the run was reckoned with.
    pub(in crate::plot) fn prices(&self) -> Option<&'static PriceTable> {
        PriceTable::named(self.detail("price_table")?)
    }
}

/// The rows of the details by their label.
pub(super) fn read_details(text: &str) -> Result<BTreeMap<String, Details>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut rows = BTreeMap::new();
    for row in reader.deserialize::<Details>() {
        let row = row.map_err(|error| format!("not a CSV of details: {}", one_line(&error)))?;
        let label = row.get("config_label").cloned();
        rows.insert(label.ok_or("it has no column config_label")?, row);
    }
    Ok(rows)
}

/// The rows of the CSV, each with its details.
pub(super) fn read_cells(text: &str, mut details: BTreeMap<String, Details>) -> Result<Vec<Cell>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut cells = Vec::new();
    for row in reader.deserialize::<Columns>() {
        let columns = row.map_err(|error| format!("not a CSV of cells: {}", one_line(&error)))?;
        let details = details.remove(&columns.config_label).unwrap_or_default();
        cells.push(Cell { columns, details });
    }
    if cells.is_empty() {
        return Err("it has no row".to_owned());
    }
    Ok(cells)
}

fn one_line(error: &csv::Error) -> String {
    error.to_string().replace(['\n', '\r'], " ")
}
