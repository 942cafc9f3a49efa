//! Objects that the engine wrote, to begin from: those of a small manifest with everything that there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

use super::{Target, table};
use crate::{
    clock::{Clock as _, TokioClock},
    entropy::SeededEntropy,
    error::{Error, ErrorKind, Result},
    frame::FormatError,
    head::Head,
    id::{Folder, Keys},
    manifest::{Freshness, Manifest},
    options::{Options, SharedSettings},
    store::{GetAnswer, GetOptions, Store as _, memory::MemoryStore},
};

const PREFIX: &str = "m";
/// How many of a kind are enough.
const OF_A_KIND: usize = 24;
const STEPS: u32 = 150;

/// Inputs of every target, which its decoder takes, but for some with numbers that are too large.
///
/// # Errors
///
/// What went wrong while they were written.
pub fn seeds() -> Result<Vec<(Target, Vec<u8>)>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))?;
    let objects = runtime.block_on(written())?;
    let mut inputs = Vec::new();
    for (target, mut of_kind) in objects {
        // Small ones make a fuzzer fast, and some large ones.
        of_kind.sort_by_key(Vec::len);
        let step = of_kind.len().div_ceil(OF_A_KIND).max(1);
        inputs.extend(of_kind.into_iter().step_by(step).map(|input| (target, input)));
    }
    inputs.extend(extremes(&inputs).into_iter().map(|input| (Target::Head, input)));
    // A header is a header, whatever it is of: two of each kind are enough.
    let framed: Vec<_> = Target::ALL
        .into_iter()
        .flat_map(|target| {
            let of_kind = inputs.iter().filter(move |(other, _)| *other == target);
            of_kind.take(2)
        })
        .map(|(_, input)| (Target::Frame, input.clone()))
        .collect();
    inputs.extend(framed);
    Ok(inputs)
}

/// HEADs with the largest numbers that there are, each alone: a fuzzer seldom finds them, and sums overflow there.
fn extremes(inputs: &[(Target, Vec<u8>)]) -> Vec<Vec<u8>> {
    let largest: [fn(&mut Head); 8] = [
        |head| head.fenced_unix_ms = u64::MAX,
        |head| head.epoch = u64::MAX,
        |head| head.collected_through = head.revision,
        |head| {
            head.pins
                .iter_mut()
                .for_each(|pin| pin.expires_unix_ms = u64::MAX)
        },
        |head| {
            for table in head.runs.iter_mut().flat_map(|run| &mut run.tables) {
                (table.object.bytes, table.footer_offset) = (u64::MAX, u64::MAX - 1);
            }
        },
        |head| {
            if let Some(collection) = &mut head.collection {
                collection.listed_unix_ms = u64::MAX;
            }
        },
        |head| {
            let to = u64::MAX - 1;
            for (revision, _) in &mut head.nonces {
                *revision += to - head.revision;
            }
            head.revision = to;
        },
        // One run of all commits but those that stand inline.
        |head| {
            let by = u64::MAX - 1 - head.last_txn;
            if let Some(run) = head.runs.first_mut() {
                run.last_txn += by;
                head.log.clear();
                head.last_txn = run.last_txn;
            }
        },
    ];
    let heads = inputs.iter().filter(|(target, _)| *target == Target::Head);
    let mut heads: Vec<Head> = heads
        .filter_map(|(_, input)| Head::decode(Bytes::copy_from_slice(input)).ok())
        .filter(|head| head.log_objects().next().is_none() || !head.runs.is_empty())
        .collect();
    // Those with the most in them; without log objects, which a store that has none cannot open.
    heads.sort_by_key(|head| head.runs.len() + head.pins.len() + usize::from(head.collection.is_some()));
    let mut extremes = Vec::new();
    for head in heads.iter_mut().rev().take(2) {
        if let Some(run) = head.runs.first() {
            head.last_txn = run.last_txn;
            head.log.clear();
        }
        for largest in largest {
            let mut head = head.clone();
            largest(&mut head);
            extremes.extend(head.encode().ok().map(|bytes| bytes.to_vec()));
        }
    }
    extremes
}

/// Settings with which everything happens after a few commits.
fn settings() -> SharedSettings {
    SharedSettings {
        retention: Duration::from_secs(2),
        spill_bytes: 500,
        spill_keep_bytes: 200,
        transaction_inline_bytes: 150,
        fold_objects: 3,
        fold_bytes: 2_000,
        log_objects_max: 12,
        runs_max: 6,
        tier_ratio: 2,
        table_bytes: 1_024,
        block_bytes: 1_024,
    }
}

/// Every object that lay in the store after any step, by its kind. Not by a map of `Target`s, which have no order.
async fn written() -> Result<Vec<(Target, Vec<Vec<u8>>)>> {
    let store = Arc::new(MemoryStore::new());
    let clock = TokioClock::new();
    let options = Options {
        shared: settings(),
        clock: Arc::new(clock),
        entropy: Arc::new(SeededEntropy::new(1)),
        ..Options::default()
    };
    let (manifest, _) = Manifest::create(store.clone(), PREFIX, options).await?;
    let mut found = BTreeMap::<&str, BTreeSet<Vec<u8>>>::new();
    for step in 0..STEPS {
        let mut transaction = manifest.begin().await?;
        for write in 0..=step % 3 {
            let key = format!("{:02x}", (step * 7 + write * 5) % 61);
            match (step + write) % 6 {
                0 => transaction.delete(key)?,
                // Of all lengths, so that blocks shrink or do not.
                kind => transaction.put(key, vec![b'v' + u8::from(kind > 3); (step as usize * 5) % 180])?,
            }
        }
        transaction.commit().await?;
        if step % 25 == 10 {
            let snapshot = manifest.snapshot(Freshness::Latest).await?;
            let keep = (step % 2 == 0).then_some(Duration::from_secs(60));
            manifest.pin(&format!("pin {step}"), &snapshot, keep).await?;
        }
        if step % 50 == 34 {
            manifest.release_pin(&format!("pin {}", step - 24)).await?;
        }
        manifest.maintain().await?;
        if step % 10 == 9 {
            clock.sleep(Duration::from_secs(4)).await;
            manifest.maintain().await?;
        }
        gather(&store, &mut found).await?;
    }
    manifest.close().await;
    let of = |target: Target| (target, found.get(target.name()).cloned().unwrap_or_default());
    let found = Target::ALL.into_iter().map(of);
    Ok(found
        .map(|(target, inputs)| (target, inputs.into_iter().collect()))
        .collect())
}

async fn gather(store: &MemoryStore, found: &mut BTreeMap<&'static str, BTreeSet<Vec<u8>>>) -> Result<()> {
    let keys = Keys::new(PREFIX)?;
    let head_bytes = object(store, keys.head()).await?;
    let head = Head::decode(head_bytes.clone()).map_err(unread)?;
    let mut add = |target: Target, input: Vec<u8>| {
        found.entry(target.name()).or_default().insert(input);
    };
    add(Target::Head, head_bytes.to_vec());
    for (folder, name) in head.live() {
        let bytes = object(store, &keys.object(head.manifest, folder, name)).await?;
        match folder {
            Folder::Log => add(Target::LogObject, bytes.to_vec()),
            Folder::Pin => add(Target::Pin, bytes.to_vec()),
            Folder::List => add(Target::List, bytes.to_vec()),
            Folder::Table => {
                let tables = head.runs.iter().flat_map(|run| &run.tables);
                for reference in tables.filter(|reference| reference.object.name == name) {
                    let footer = reference.object.bytes.saturating_sub(reference.footer_offset);
                    let footer = usize::try_from(footer).unwrap_or(usize::MAX);
                    add(Target::Table, table::input(&bytes, footer));
                }
            }
        }
    }
    Ok(())
}

async fn object(store: &MemoryStore, key: &str) -> Result<Bytes> {
    match store.get(key, GetOptions::default()).await {
        Ok(GetAnswer::Found { bytes, .. }) => Ok(bytes),
        Ok(GetAnswer::NotModified) => Err(Error::new(ErrorKind::Unavailable, format!("{key} is not told"))),
        Err(error) => Err(Error::from_store("reading what was written", error)),
    }
}

fn unread(error: FormatError) -> Error {
    error.in_object("HEAD")
}
