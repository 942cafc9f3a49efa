//! The same facts as JSON, whose names are kept.

use fusio_manifest::{
    Amount, Copied, Destroyed, Finding, Garbage, Info, Inspection, PinInfo, Place, RequestCounts, Restored,
    SharedSettings, Verification,
};
use serde_json::{Value, json};

pub(crate) fn inspection(seen: &Inspection) -> String {
    let log = seen.log.iter().map(|object| {
        json!({
            "name": object.name.to_string(),
            "first_txn": object.first_txn,
            "commits": object.commits,
            "bytes": object.bytes,
        })
    });
    let runs = seen.runs.iter().map(|run| {
        json!({
            "first_txn": run.first_txn,
            "last_txn": run.last_txn,
            "tier": run.tier,
            "tables": run.tables,
            "bytes": run.bytes,
        })
    });
    let pins = seen.pins.iter().map(|pin| {
        json!({
            "name": pin.name,
            "revision": pin.revision,
            "object": pin.object.to_string(),
            "expires_unix_ms": pin.expires_unix_ms,
        })
    });
    let collection = seen.collection.map(|collection| {
        json!({
            "list": collection.list.to_string(),
            "listed_unix_ms": collection.listed_unix_ms,
            "condemned": collection.condemned,
        })
    });
    let sections: serde_json::Map<String, Value> = seen
        .sections
        .iter()
        .map(|section| (section.name.to_owned(), json!(section.bytes)))
        .collect();
    let since_fence_ms = seen
        .since_fence()
        .map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    written(&json!({
        "place": seen.place,
        "manifest": seen.manifest.to_string(),
        "format": seen.format,
        "reader_features": seen.reader_features,
        "writer_features": seen.writer_features,
        "revision": seen.revision,
        "epoch": seen.epoch,
        "last_txn": seen.last_txn,
        "folded_through": seen.folded_through,
        "head_bytes": seen.head_bytes,
        "sections": sections,
        "inline_commits": seen.inline_commits,
        "inline_bytes": seen.inline_bytes,
        "log": log.collect::<Vec<_>>(),
        "runs": runs.collect::<Vec<_>>(),
        "pins": pins.collect::<Vec<_>>(),
        "collected_through": seen.collected_through,
        "collection": collection,
        "fenced_unix_ms": seen.fenced_unix_ms,
        "date_unix_ms": seen.date_unix_ms,
        "since_fence_ms": since_fence_ms,
        "garbage": seen.garbage.as_ref().map(garbage),
        "settings": settings(&seen.settings),
        "requests": requests(&seen.requests),
    }))
}

pub(crate) fn verification(report: &Verification) -> String {
    written(&verified(report))
}

fn verified(report: &Verification) -> Value {
    let copies = report.copies.iter().map(|copy| {
        json!({
            "object": copy.object,
            "revision": copy.revision,
            "last_txn": copy.last_txn,
            "complete": copy.complete,
        })
    });
    json!({
        "clean": report.is_clean(),
        "manifest": report.manifest.map(|manifest| manifest.to_string()),
        "revision": report.revision,
        "last_txn": report.last_txn,
        "objects": report.objects,
        "bytes": report.bytes,
        "commits": report.commits,
        "entries": report.entries,
        "pins": report.pins,
        "superseded": report.superseded,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "copies": copies.collect::<Vec<_>>(),
        "garbage": report.garbage.as_ref().map(garbage),
        "requests": requests(&report.requests),
    })
}

pub(crate) fn copied(done: &Copied, report: Option<&Verification>) -> String {
    written(&json!({
        "manifest": done.manifest.to_string(),
        "revision": done.revision,
        "last_txn": done.last_txn,
        "pins": done.pins,
        "needed": amount(&done.needed),
        "present": amount(&done.present),
        "written": done.written,
        "begun_again": done.begun_again,
        "verification": report.map(verified),
    }))
}

pub(crate) fn restored(restored: &Restored) -> String {
    let unusable = restored.unusable.iter();
    let unusable = unusable.map(|(copy, lacking)| json!({ "copy": copy, "lacks": lacking }));
    written(&json!({
        "manifest": restored.manifest.to_string(),
        "object": restored.object,
        "revision": restored.revision,
        "last_txn": restored.last_txn,
        "pins": restored.pins,
        "pins_lost": restored.pins_lost,
        "unusable": unusable.collect::<Vec<_>>(),
        "written": restored.written,
    }))
}

pub(crate) fn destroyed(gone: &Destroyed) -> String {
    written(&json!({
        "head": gone.head,
        "objects": gone.objects,
        "foreign": gone.foreign,
        "foreign_keys": gone.foreign_keys,
        "unanswered": gone.unanswered,
    }))
}

pub(crate) fn pinned(pin: &PinInfo, txn: u64) -> String {
    written(&json!({
        "name": pin.name,
        "revision": pin.revision,
        "txn": txn,
        "expires_unix_ms": pin.expires_unix_ms,
    }))
}

pub(crate) fn released(name: &str) -> String {
    written(&json!({ "released": name }))
}

pub(crate) fn maintained(before: &Info, after: &Info) -> String {
    let changes = crate::words::compared(before, after);
    let changes = changes.map(|(what, before, after)| {
        let pair = json!({ "before": before, "after": after });
        (what.to_owned(), pair)
    });
    written(&Value::Object(changes.into_iter().collect()))
}

fn finding(finding: &Finding) -> Value {
    let blocks = match &finding.place {
        Place::Blocks(blocks) => Some(json!([blocks.start(), blocks.end()])),
        _ => None,
    };
    let hex = |key: &[u8]| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let keys = finding
        .keys
        .as_ref()
        .map(|(first, end)| json!({ "first_hex": hex(first), "end_hex": end.as_ref().map(|end| hex(end)) }));
    json!({
        "object": finding.object,
        "kind": finding.kind.name(),
        "damage": finding.damage.name(),
        "place": finding.place.to_string(),
        "blocks": blocks,
        "detail": finding.detail,
        "needed_by": finding.needed_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "txns": finding.txns.as_ref().map(|txns| json!([txns.start(), txns.end()])),
        "keys": keys,
        "meaning": finding.meaning(),
        "remedy": finding.remedy(),
    })
}

fn garbage(garbage: &Garbage) -> Value {
    json!({
        "own": amount(&garbage.own()),
        "log": amount(&garbage.log),
        "tables": amount(&garbage.tables),
        "pins": amount(&garbage.pins),
        "lists": amount(&garbage.lists),
        "young": amount(&garbage.young),
        "other_manifests": amount(&garbage.other_manifests),
        "probes": amount(&garbage.probes),
        "foreign": amount(&garbage.foreign),
    })
}

fn amount(amount: &Amount) -> Value {
    json!({ "objects": amount.objects, "bytes": amount.bytes })
}

fn settings(settings: &SharedSettings) -> Value {
    json!({
        "retention_ms": u64::try_from(settings.retention.as_millis()).unwrap_or(u64::MAX),
        "spill_bytes": settings.spill_bytes,
        "spill_keep_bytes": settings.spill_keep_bytes,
        "transaction_inline_bytes": settings.transaction_inline_bytes,
        "fold_objects": settings.fold_objects,
        "fold_bytes": settings.fold_bytes,
        "log_objects_max": settings.log_objects_max,
        "runs_max": settings.runs_max,
        "tier_ratio": settings.tier_ratio,
        "table_bytes": settings.table_bytes,
        "block_bytes": settings.block_bytes,
    })
}

fn requests(requests: &RequestCounts) -> Value {
    json!({
        "get": requests.gets(),
        "list": requests.requests(fusio_manifest::RequestClass::List),
        "bytes_read": requests.bytes(fusio_manifest::RequestClass::Get),
    })
}

fn written(value: &Value) -> String {
    // Indented: it is read by people too.
    format!("{value:#}")
}
