//! What is known of one interval of a run: a row of `test_soak.csv`.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

/// A row. Counts are of the interval alone; what has a level is the median of looks a second apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Row {
    /// When the interval ended, in seconds since the load began.
    pub(crate) second: f64,
    /// How long it was, in seconds.
    pub(crate) seconds: f64,
    /// Resident memory of the process that has the handles.
    pub(crate) memory_bytes: Option<f64>,
    /// That of it that is of no file: heap and stacks.
    pub(crate) anonymous_bytes: Option<f64>,
    /// Its descriptors: files, sockets, pipes.
    pub(crate) open_files: Option<f64>,
    pub(crate) threads: Option<f64>,
    /// Tasks of its runtime.
    pub(crate) tasks: f64,
    /// The size of HEAD, as a writer's handle saw it.
    pub(crate) head_bytes: f64,
    /// The largest of these looks.
    pub(crate) head_bytes_max: f64,
    /// What that HEAD names.
    pub(crate) log_objects: f64,
    pub(crate) runs: f64,
    pub(crate) tables: f64,
    pub(crate) pins: f64,
    /// Looks that found more folded than the look before, fewer runs, a higher epoch by so much.
    pub(crate) folds: u64,
    pub(crate) merges: u64,
    pub(crate) collections: u64,
    /// Transactions that were due.
    pub(crate) commits_offered: u64,
    /// Acknowledged.
    pub(crate) commits: u64,
    /// Told of a conflict.
    pub(crate) conflicts: u64,
    /// Told that they are not committed, for another reason.
    pub(crate) commits_failed: u64,
    /// Told neither.
    pub(crate) commits_unknown: u64,
    /// Fresh reads that were due, and those that ended, whatever they found.
    pub(crate) reads_offered: u64,
    pub(crate) reads: u64,
    /// States that were held or pinned, read twice, and let go.
    pub(crate) kept: u64,
    /// Handles that were opened, used and closed.
    pub(crate) visits: u64,
    /// Operations that were due while too many of their client were open: none was begun.
    pub(crate) dropped: u64,
    /// From due to answer: of acknowledged transactions but large ones, and of fresh reads.
    pub(crate) commit_p50_ms: Option<f64>,
    pub(crate) commit_p99_ms: Option<f64>,
    pub(crate) read_p50_ms: Option<f64>,
    pub(crate) read_p99_ms: Option<f64>,
    /// Requests that callers of transactions waited for.
    pub(crate) commit_puts: u64,
    pub(crate) commit_gets: u64,
    pub(crate) commit_others: u64,
    /// Requests of maintenance beside them.
    pub(crate) maintenance_puts: u64,
    pub(crate) maintenance_gets: u64,
    pub(crate) maintenance_lists: u64,
    pub(crate) maintenance_deletes: u64,
    /// Requests of fresh reads.
    pub(crate) read_gets: u64,
    pub(crate) read_others: u64,
    /// Requests of states that were held or pinned, and of handles that come and go.
    pub(crate) kept_requests: u64,
    /// Below the prefix of the manifest when the interval ended; none if the store did not answer.
    pub(crate) objects: Option<u64>,
    pub(crate) bytes: Option<u64>,
    /// Those of them that HEAD does not name: what waits for its retention, what pins need, what nobody needs.
    pub(crate) unreferenced_objects: Option<u64>,
    pub(crate) unreferenced_bytes: Option<u64>,
    /// Keys and values that a scan found.
    pub(crate) live_keys: Option<u64>,
    pub(crate) live_bytes: Option<u64>,
}

/// What lies in the store at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    pub(crate) unreferenced_objects: u64,
    pub(crate) unreferenced_bytes: u64,
    pub(crate) live_keys: u64,
    pub(crate) live_bytes: u64,
}

impl Row {
    pub(crate) fn take(&mut self, census: Census) {
        self.objects = Some(census.objects);
        self.bytes = Some(census.bytes);
        self.unreferenced_objects = Some(census.unreferenced_objects);
        self.unreferenced_bytes = Some(census.unreferenced_bytes);
        self.live_keys = Some(census.live_keys);
        self.live_bytes = Some(census.live_bytes);
    }

    /// None where nothing was committed.
    pub(crate) fn requests_per_commit(&self) -> Option<f64> {
        per(
            self.commit_puts + self.commit_gets + self.commit_others,
            self.commits,
        )
    }

    pub(crate) fn maintenance_per_commit(&self) -> Option<f64> {
        let requests =
            self.maintenance_puts + self.maintenance_gets + self.maintenance_lists + self.maintenance_deletes;
        per(requests, self.commits)
    }

    pub(crate) fn requests_per_read(&self) -> Option<f64> {
        per(self.read_gets + self.read_others, self.reads)
    }

    /// Bytes in the store for each byte of live keys and values.
    pub(crate) fn bytes_per_live_byte(&self) -> Option<f64> {
        per(self.bytes?, self.live_bytes?)
    }

    pub(crate) fn commits_per_s(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.commits as f64 / self.seconds)
    }
}

fn per(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The whole rows that a process has appended so far; none if it has not begun. An error is one line.
pub(crate) fn read_rows(path: &Path) -> Result<Vec<Row>, String> {
    let failed = |error: &dyn ToString| format!("{}: {}", path.display(), error.to_string());
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&error)),
    };
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str(line).map_err(|error| failed(&error)))
        .collect()
}

/// The rows as CSV, with a header. An error is one line.
pub(crate) fn rows_csv(rows: &[Row]) -> Result<Vec<u8>, String> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        csv.serialize(row).map_err(|error| error.to_string())?;
    }
    csv.into_inner().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_from_its_csv_and_half_a_line_is_no_row() {
        let mut row = Row {
            second: 10.0,
            commits: 7,
            maintenance_puts: 3,
            maintenance_deletes: 4,
            memory_bytes: Some(1.5e6),
            ..Row::default()
        };
        row.take(Census {
            bytes: 30,
            live_bytes: 10,
            ..Census::default()
        });
        let csv = rows_csv(&[row.clone(), Row::default()]).unwrap();
        let read: Vec<Row> = csv::Reader::from_reader(&csv[..])
            .deserialize()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(read, [row.clone(), Row::default()]);
        assert_eq!(
            (row.maintenance_per_commit(), row.bytes_per_live_byte()),
            (Some(1.0), Some(3.0))
        );
        assert_eq!(Row::default().requests_per_commit(), None);

        let path = std::env::temp_dir().join(format!("manifest-perf-rows-{}", std::process::id()));
        assert_eq!(read_rows(&path).unwrap(), []);
        let line = serde_json::to_string(&row).unwrap();
        fs::write(&path, format!("{line}\n{}", &line[..20])).unwrap();
        assert_eq!(read_rows(&path).unwrap(), [row]);
        fs::remove_file(&path).unwrap();
    }
}
