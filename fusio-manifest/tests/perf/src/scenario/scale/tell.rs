//! What the scale scenario says, and writes down.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::{STEM, Scale, judge::judge, reader::Findings};
use crate::{
    plot,
    report::write_outcome,
    result::{ScaleFields, TenMillionFields, Verdict},
    scenario::{Context, Ended, reason},
};

pub(super) fn report(context: &Context, scale: &Scale) -> Ended<ScaleFields> {
    let fields = scale.fields();
    let mut judgement = judge(scale, &fields, context.settings.latency());
    judgement.fail_if(context.store.budget_spent(), || {
        "PERF_MAX_REQUESTS stopped the run".to_owned()
    });
    let written = details(scale, &fields).and_then(|csv| {
        let written = context.folder.write(&format!("{STEM}_detail.csv"), &csv);
        written.map_err(|error| error.to_string())
    });
    match written {
        Ok(path) => judgement.files.push(path),
        Err(error) => judgement.failures.push(error),
    }
    let last = [format!("{STEM}.result.json"), plot::REPORT.to_owned()];
    judgement
        .files
        .extend(last.map(|name| context.folder.path().join(name)));
    let verdict = match (context.interrupt.is_set(), judgement.failures.is_empty()) {
        (true, _) => Verdict::Interrupted,
        (false, true) => Verdict::Pass,
        (false, false) => Verdict::Fail,
    };
    context.say(|out| {
        write_fields(out, &fields, scale.own_process)?;
        write_outcome(
            out,
            verdict,
            &judgement.verified,
            &judgement.failures,
            &judgement.files,
        )
    });
    Ended {
        verdict,
        valid: true,
        reason: reason(verdict, &judgement.failures),
        fields: Some(fields),
    }
}

/// Everything that was counted, a number a line.
#[derive(Serialize)]
struct Details<'a> {
    result: &'a ScaleFields,
    after_fold: &'a Findings,
    after_updates: &'a Findings,
}

fn details(scale: &Scale, fields: &ScaleFields) -> Result<Vec<u8>, String> {
    let details = Details {
        result: fields,
        after_fold: &scale.after_fold,
        after_updates: &scale.in_the_end,
    };
    let value = serde_json::to_value(details).map_err(|error| error.to_string())?;
    let mut rows = vec![["name".to_owned(), "value".to_owned()]];
    flatten(String::new(), &value, &mut rows);
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        csv.write_record(row).map_err(|error| error.to_string())?;
    }
    csv.into_inner().map_err(|error| error.to_string())
}

/// Names of what lies in one another are joined by dots.
fn flatten(name: String, value: &Value, rows: &mut Vec<[String; 2]>) {
    let below = |part: &str| match name.is_empty() {
        true => part.to_owned(),
        false => format!("{name}.{part}"),
    };
    match value {
        Value::Object(fields) => {
            for (part, value) in fields {
                flatten(below(part), value, rows);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                flatten(below(&number.to_string()), value, rows);
            }
        }
        Value::Null => rows.push([name, String::new()]),
        Value::String(text) => rows.push([name, text.clone()]),
        value => rows.push([name, value.to_string()]),
    }
}

fn shown(number: Option<f64>) -> String {
    number.map_or("n/a".to_owned(), |number| format!("{number:.2}"))
}

fn write_fields(out: &mut impl Write, fields: &ScaleFields, own_process: bool) -> io::Result<()> {
    let ScaleFields {
        keys, runs, tables, ..
    } = fields;
    writeln!(out, "--- Scale ---")?;
    writeln!(
        out,
        "Loaded {keys} keys in {} s; in the end {runs} runs of {tables} tables, {:.1} MB",
        shown(fields.load_s),
        fields.run_bytes as f64 / 1e6
    )?;
    writeln!(
        out,
        "Cold open to first value: {} round trips, {} bytes, {} ms; just after a fold {} round trips, {} bytes",
        fields.cold_round_trips,
        fields.cold_bytes,
        shown(fields.cold_get_ms),
        fields.cold_round_trips_after_fold,
        fields.cold_bytes_after_fold
    )?;
    writeln!(
        out,
        "Fresh reads p50: {} ms at random, {} ms where the block is in memory; {} requests each, 16 at once",
        shown(fields.get_p50_ms),
        shown(fields.cached_get_p50_ms),
        shown(fields.requests_per_random_get)
    )?;
    match own_process {
        true => writeln!(
            out,
            "Memory of the reader, MB: {} at its start, {} after the first value, {} after reads, {} after a scan",
            shown(fields.start_rss_mb),
            shown(fields.cold_rss_mb),
            shown(fields.gets_rss_mb),
            shown(fields.peak_rss_mb)
        )?,
        false => writeln!(
            out,
            "Memory of the reader: not measured, it had no process of its own"
        )?,
    }
    write_costs(out, fields)?;
    match &fields.ten_million {
        Some(larger) => write_larger(out, larger),
        None => Ok(()),
    }
}

fn write_costs(out: &mut impl Write, fields: &ScaleFields) -> io::Result<()> {
    writeln!(
        out,
        "Commit to it: {} requests, p50 {} ms. Updates: {} at {}/s, p50 {} ms; largest HEAD {} bytes",
        shown(fields.requests_per_commit),
        shown(fields.commit_p50_ms),
        fields.updates,
        shown(fields.updates_per_s),
        shown(fields.update_p50_ms),
        fields.head_bytes_max
    )?;
    writeln!(
        out,
        "Maintenance per MiB of log: {} requests ({} spills, {} PUTs and {} GETs of tables); {} bytes of tables per \
         byte",
        shown(fields.maintenance_requests_per_mib),
        shown(fields.spill_puts_per_mib),
        shown(fields.table_puts_per_mib),
        shown(fields.table_gets_per_mib),
        shown(fields.bytes_rewritten_per_byte)
    )?;
    writeln!(
        out,
        "Scan: {} MB/s, plain GETs of the same ranges {} MB/s with {} at once: ratio {}",
        shown(fields.scan_mb_per_s),
        shown(fields.plain_mb_per_s),
        fields.scan_in_flight,
        shown(fields.scan_ratio)
    )
}

fn write_larger(out: &mut impl Write, larger: &TenMillionFields) -> io::Result<()> {
    writeln!(
        out,
        "10,000,000 keys, computed: cold {} round trips, {} bytes ({} just after a fold), {} tables, HEAD {} bytes, \
         load {} s, scan {} s\n  {}\n",
        larger.cold_round_trips,
        larger.cold_bytes,
        larger.cold_bytes_after_fold,
        larger.tables,
        larger.head_bytes,
        shown(larger.load_s),
        shown(larger.scan_s),
        larger.formula
    )
}
