//! An inspection in words, for a terminal of 80 columns.

use std::{fmt, time::Duration};

use super::Inspection;
use crate::{
    id::ObjectName,
    limits::{HEAD_BYTES_MAX, PINS_MAX},
    listing::{Amount, Garbage},
};

/// Runs and log objects beyond these are summed up.
const SHOWN: usize = 12;

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "manifest  {}", self.manifest)?;
        writeln!(f, "at        {}", self.place)?;
        writeln!(
            f,
            "format    version {}, features: reader {:#x}, writer {:#x}",
            self.format, self.reader_features, self.writer_features
        )?;
        writeln!(
            f,
            "state     revision {}, commit {}, epoch {}",
            self.revision, self.last_txn, self.epoch
        )?;
        self.head(f)?;
        self.log(f)?;
        self.runs(f)?;
        self.pins(f)?;
        self.collections(f)?;
        if let Some(garbage) = &self.garbage {
            writeln!(f, "garbage   {garbage}")?;
        }
        self.settings(f)?;
        write!(
            f,
            "requests  {} ({} bytes read)",
            self.requests.total(),
            self.requests.bytes(crate::RequestClass::Get)
        )
    }
}

impl Inspection {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = Size(HEAD_BYTES_MAX as u64);
        writeln!(f, "HEAD      {} of at most {most}", Size(self.head_bytes as u64))?;
        let sections: Vec<String> = self
            .sections
            .iter()
            .map(|section| format!("{} {}", section.name, section.bytes))
            .collect();
        writeln!(f, "          sections: {} bytes", sections.join(", "))?;
        let (commits, bytes) = (self.inline_commits, Size(self.inline_bytes as u64));
        writeln!(f, "          {}, {bytes}", counted(commits as u64, "commit"))
    }

    fn log(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Amount { objects, bytes } = self.log_amount();
        let commits: u64 = self.log.iter().map(|object| object.commits).sum();
        writeln!(
            f,
            "log       {}, {}, {}",
            counted(objects, "object"),
            counted(commits, "commit"),
            Size(bytes)
        )?;
        for object in self.log.iter().take(SHOWN) {
            let last = object.first_txn.saturating_add(object.commits.saturating_sub(1));
            let txns = format!("commits {} to {last}", object.first_txn);
            writeln!(f, "          {txns:<32} {:>10}", Size(object.bytes).to_string())?;
        }
        more(f, self.log.len())
    }

    fn runs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Amount { objects, bytes } = self.table_amount();
        writeln!(
            f,
            "runs      {}, {}, {}",
            counted(self.runs.len() as u64, "run"),
            counted(objects, "table"),
            Size(bytes)
        )?;
        for run in self.runs.iter().take(SHOWN) {
            let txns = format!("commits {} to {}", run.first_txn, run.last_txn);
            writeln!(
                f,
                "          {txns:<32} {:>10}, {}, tier {}",
                Size(run.bytes).to_string(),
                counted(run.tables as u64, "table"),
                run.tier
            )?;
        }
        more(f, self.runs.len())
    }

    fn pins(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "pins      {} of at most {PINS_MAX}", self.pins.len())?;
        for pin in &self.pins {
            let until = match (pin.expires_unix_ms, self.date_unix_ms) {
                (None, _) => "until it is released".to_owned(),
                (Some(unix_ms), Some(now)) if unix_ms <= now => "expired".to_owned(),
                (Some(unix_ms), Some(now)) => {
                    format!("for {}", Span(Duration::from_millis(unix_ms - now)))
                }
                (Some(unix_ms), None) => format!("until {unix_ms} ms of Unix time"),
            };
            writeln!(f, "          {:?}, revision {}, {until}", pin.name, pin.revision)?;
        }
        Ok(())
    }

    fn collections(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let began = self.since_fence().map_or_else(
            || "at no known time".to_owned(),
            |span| format!("{} ago", Span(span)),
        );
        let what = if self.epoch > 1 {
            "the last one began"
        } else {
            "none yet; created"
        };
        writeln!(f, "collect   {what} {began}")?;
        if self.collected_through > 0 {
            let revision = self.collected_through;
            writeln!(f, "          states before revision {revision} are not kept")?;
        }
        let Some(collection) = &self.collection else {
            return Ok(());
        };
        let name: ObjectName = collection.list;
        let state = if collection.condemned {
            "being deleted"
        } else {
            "waiting for the retention"
        };
        let age = self.date_unix_ms.map_or_else(String::new, |now| {
            let span = Duration::from_millis(now.saturating_sub(collection.listed_unix_ms));
            format!(", listed {} ago", Span(span))
        });
        writeln!(f, "          under way: {state}{age}")?;
        writeln!(f, "          list {name}")
    }

    fn settings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        writeln!(
            f,
            "settings  retention {}, spill at {} down to {}, inline to {}",
            Span(settings.retention),
            Size(settings.spill_bytes),
            Size(settings.spill_keep_bytes),
            Size(settings.transaction_inline_bytes)
        )?;
        writeln!(
            f,
            "          fold at {} objects or {}, at most {} objects, {} runs",
            settings.fold_objects,
            Size(settings.fold_bytes),
            settings.log_objects_max,
            settings.runs_max
        )?;
        writeln!(
            f,
            "          tiers of {}, tables of {}, blocks of {}",
            settings.tier_ratio,
            Size(settings.table_bytes),
            Size(settings.block_bytes)
        )
    }
}

fn more(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    match count.checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(f, "          and {more} more"),
    }
}

impl fmt::Display for Garbage {
    /// One line, or one more for what no collection deletes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.own();
        write!(f, "{}, {}", counted(own.objects, "object"), Size(own.bytes))?;
        let kinds = [
            (self.log, "log"),
            (self.tables, "table"),
            (self.pins, "pin"),
            (self.lists, "list"),
        ];
        let kinds: Vec<String> = kinds
            .iter()
            .filter(|(amount, _)| amount.objects > 0)
            .map(|(amount, name)| format!("{} {name}", amount.objects))
            .collect();
        if !kinds.is_empty() {
            write!(f, " ({})", kinds.join(", "))?;
        }
        if self.young.objects > 0 {
            write!(f, "; {} of this epoch", self.young.objects)?;
        }
        let others = [
            (self.other_manifests, "of other manifests"),
            (self.probes, "of probes"),
            (self.foreign, "not the engine's"),
        ];
        let others: Vec<String> = others
            .iter()
            .filter(|(amount, _)| amount.objects > 0)
            .map(|(amount, name)| format!("{} {name}", amount.objects))
            .collect();
        match others.is_empty() {
            true => Ok(()),
            false => write!(f, "\n          never collected: {}", others.join(", ")),
        }
    }
}

fn counted(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// Bytes in a unit that leaves a small number.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
        match units.iter().rev().find(|(_, shift)| self.0 >> shift > 0) {
            None => write!(f, "{} B", self.0),
            Some((unit, shift)) => {
                let tenths = (u128::from(self.0) * 10) >> shift;
                match tenths % 10 {
                    0 => write!(f, "{} {unit}", tenths / 10),
                    tenth => write!(f, "{}.{tenth} {unit}", tenths / 10),
                }
            }
        }
    }
}

/// A span of time in one or two units.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..=119 => write!(f, "{seconds} s"),
            120..=7_199 => write!(f, "{} min", seconds / 60),
            7_200..=172_799 => write!(f, "{} h", seconds / 3_600),
            _ => write!(f, "{} days", seconds / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_short() {
        let sizes = [0, 1_023, 1_024, 1_536, 5 << 20, u64::MAX].map(|bytes| Size(bytes).to_string());
        assert_eq!(
            sizes,
            ["0 B", "1023 B", "1 KiB", "1.5 KiB", "5 MiB", "16777215.9 TiB"]
        );
        let spans =
            [5, 119, 120, 7_200, 172_800].map(|seconds| Span(Duration::from_secs(seconds)).to_string());
        assert_eq!(spans, ["5 s", "119 s", "2 min", "2 h", "2 days"]);
    }
}
