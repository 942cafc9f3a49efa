//! Objects that are sound by every checksum and claim what cannot be: a length of 4 GiB in each place where one stands,
//! and blocks that grow when they are unpacked. Who reads them gets an error, and no read asks the store for more than
//! an object can have.

use std::sync::{Arc, atomic::Ordering};

use bytes::{BufMut as _, Bytes, BytesMut};
use fusio_manifest::{Clock as _, MemoryStore, Store, TokioClock};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _, Value};

use crate::{
    liar::{Liar, Lie},
    table::{Row, hold},
    world::{HEAD, Operation, built, close, copied, hold_to_its_word, hurried, key_in, object, overwrite},
};

use Operation::{Commit, Get, Maintain, Open, OpenPin, Scan, Verify};

const HUGE: u64 = 4 << 30;
/// What a reader may ask for at most: eight of the largest blocks.
const ASKED_MAX: u64 = 8 * (18 << 20);

const HEADER: usize = 40;
const LOG: u16 = 3;
const RUNS: u16 = 4;
const UPKEEP: u16 = 5;
const INLINE: u16 = 2;

fn schema(name: &str) -> prost_reflect::MessageDescriptor {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let files = protox::compile(["head.proto"], [folder]).unwrap();
    let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
    pool.get_message_by_name(&format!("fusio.manifest.v1.{name}"))
        .unwrap()
}

fn edited(name: &str, bytes: &[u8], edit: impl FnOnce(&mut DynamicMessage)) -> Vec<u8> {
    let mut message = DynamicMessage::decode(schema(name), bytes).unwrap();
    edit(&mut message);
    message.encode_to_vec()
}

/// The message at this path: names of fields, the first of each list.
fn at<'a>(message: &'a mut DynamicMessage, path: &[&str]) -> &'a mut DynamicMessage {
    let Some((first, rest)) = path.split_first() else {
        return message;
    };
    let field = message.descriptor().get_field_by_name(first).unwrap();
    let inner = match message.get_field_mut(&field) {
        Value::List(list) => match list.first_mut().unwrap() {
            Value::Message(inner) => inner,
            other => panic!("{other:?}"),
        },
        Value::Message(inner) => inner,
        other => panic!("{other:?}"),
    };
    at(inner, rest)
}

fn set(message: &mut DynamicMessage, path: &[&str], field: &str, value: Value) {
    at(message, path).set_field_by_name(field, value);
}

/// Puts the header of another object before a body, with a length and checksums that are right or as told.
fn framed(like: &[u8], body: &[u8], length: u64) -> Bytes {
    let mut framed = BytesMut::from(&like[..24]);
    framed.put_u64_le(length);
    framed.put_u32_le(crc32c::crc32c(body));
    let checksum = crc32c::crc32c(&framed);
    framed.put_u32_le(checksum);
    framed.put_slice(body);
    framed.freeze()
}

/// HEAD with one section changed, and sound again; `length` if its directory is to lie about that section.
fn with_section(head: &[u8], kind: u16, length: Option<u32>, change: impl FnOnce(&[u8]) -> Vec<u8>) -> Bytes {
    let body = &head[HEADER..];
    let count = usize::from(u16::from_le_bytes([body[0], body[1]]));
    let word = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().unwrap());
    let mut start = 2 + 12 * count + 4;
    let mut directory = BytesMut::from(&body[..2]);
    let mut rest = BytesMut::new();
    let mut change = Some(change);
    for entry in 0..count {
        let place = 2 + 12 * entry;
        let found = u16::from_le_bytes([body[place], body[place + 1]]);
        let bytes = word(place + 4) as usize;
        let mut section = body[start..start + bytes].to_vec();
        start += bytes;
        if found == kind {
            section = change.take().unwrap()(&section);
        }
        directory.put_u16_le(found);
        directory.put_u16_le(0);
        let told = length.filter(|_| found == kind);
        directory.put_u32_le(told.unwrap_or(u32::try_from(section.len()).unwrap()));
        directory.put_u32_le(crc32c::crc32c(&section));
        rest.put_slice(&section);
    }
    let checksum = crc32c::crc32c(&directory);
    directory.put_u32_le(checksum);
    directory.put_slice(&rest);
    framed(head, &directory, directory.len() as u64)
}

/// The first record of an inline section or of a log object claims to have 4 GiB.
fn long_record(records: &[u8]) -> Vec<u8> {
    [&u32::MAX.to_le_bytes(), &records[4..]].concat()
}

/// The table of a store, taken apart.
struct Table {
    key: String,
    bytes: Bytes,
    footer_offset: usize,
}

impl Table {
    async fn of(store: &MemoryStore) -> Self {
        let key = key_in(store, "table").await;
        let bytes = object(store, &key).await;
        let head = object(store, HEAD).await;
        let mut footer_offset = 0;
        with_section(&head, RUNS, None, |runs| {
            edited("Runs", runs, |runs| {
                let table = at(runs, &["runs", "tables"]);
                footer_offset = table
                    .get_field_by_name("footer_offset")
                    .unwrap()
                    .as_u64()
                    .unwrap();
            })
        });
        Self {
            key,
            bytes,
            footer_offset: usize::try_from(footer_offset).unwrap(),
        }
    }

    /// Stores it with these bytes before the footer and its footer changed; HEAD names it rightly.
    async fn store(&self, store: &MemoryStore, before: &[u8], edit: impl FnOnce(&mut DynamicMessage)) {
        let footer = edited("TableFooter", &self.bytes[self.footer_offset..], edit);
        let bytes = [before, &footer].concat();
        let (length, offset) = (bytes.len() as u64, before.len() as u64);
        overwrite(store, &self.key, bytes).await;
        name_table(store, offset, length, crc32c::crc32c(&footer)).await;
    }
}

async fn name_table(store: &MemoryStore, footer_offset: u64, bytes: u64, crc32c: u32) {
    let head = object(store, HEAD).await;
    let head = with_section(&head, RUNS, None, |runs| {
        edited("Runs", runs, |runs| {
            let path = ["runs", "tables"];
            set(runs, &path, "footer_offset", Value::U64(footer_offset));
            let path = ["runs", "tables", "object"];
            set(runs, &path, "bytes", Value::U64(bytes));
            set(runs, &path, "crc32c", Value::U32(crc32c));
        })
    });
    overwrite(store, HEAD, head).await;
}

async fn change_head(store: &MemoryStore, kind: u16, name: &str, edit: impl FnOnce(&mut DynamicMessage)) {
    let head = object(store, HEAD).await;
    let head = with_section(&head, kind, None, |section| edited(name, section, edit));
    overwrite(store, HEAD, head).await;
}

/// Puts other bytes in the place of the log object; HEAD names them rightly.
async fn change_log(store: &MemoryStore, change: impl FnOnce(&[u8]) -> Bytes) {
    let key = key_in(store, "log").await;
    let bytes = change(&object(store, &key).await);
    let checksum = crc32c::crc32c(&bytes);
    overwrite(store, &key, bytes).await;
    change_head(store, LOG, "Log", |log| {
        set(log, &["live", "object"], "crc32c", Value::U32(checksum));
    })
    .await;
}

const FORGERIES: &[(&str, &[Operation])] = &[
    ("HEAD's frame", &[Open, Get, Commit, Verify]),
    ("a section of HEAD", &[Open, Get, Commit, Verify]),
    ("a commit in HEAD", &[Open, Get, Commit, Verify]),
    ("a log object, by its reference", &[Open, Get, Verify]),
    ("a log object's frame", &[Open, Verify]),
    ("a commit in a log object", &[Open, Verify]),
    ("a pin, by its reference", &[OpenPin, Verify]),
    ("a pin's frame", &[OpenPin, Verify]),
    ("a table, by its reference", &[Get, Scan, Verify, Maintain]),
    (
        "a table, by its reference and its footer's place",
        &[Get, Scan, Verify],
    ),
    ("a block, by the footer", &[Get, Scan, Verify]),
    ("a block unpacked, by the footer", &[Get, Scan, Verify]),
    ("a block of 1 KiB that unpacks to 256 MiB", &[Get, Scan, Verify]),
    ("a block of zeros", &[Get, Scan, Verify]),
];

async fn forge(name: &str, store: &MemoryStore) {
    let huge = |path: &'static [&str]| {
        move |message: &mut DynamicMessage| set(message, path, "bytes", Value::U64(HUGE))
    };
    let head = object(store, HEAD).await;
    match name {
        "HEAD's frame" => overwrite(store, HEAD, framed(&head, &head[HEADER..], HUGE)).await,
        "a section of HEAD" => {
            let head = with_section(&head, INLINE, Some(u32::MAX), <[u8]>::to_vec);
            overwrite(store, HEAD, head).await;
        }
        "a commit in HEAD" => {
            overwrite(store, HEAD, with_section(&head, INLINE, None, long_record)).await;
        }
        "a log object, by its reference" => change_head(store, LOG, "Log", huge(&["live", "object"])).await,
        "a log object's frame" => change_log(store, |bytes| framed(bytes, &bytes[HEADER..], HUGE)).await,
        "a commit in a log object" => {
            change_log(store, |bytes| {
                let body = long_record(&bytes[HEADER..]);
                framed(bytes, &body, body.len() as u64)
            })
            .await;
        }
        "a pin, by its reference" => {
            change_head(store, UPKEEP, "Upkeep", huge(&["pins", "object"])).await;
        }
        "a pin's frame" => change_pin(store, |bytes| framed(bytes, &bytes[HEADER..], HUGE)).await,
        _ => forge_table(name, store).await,
    }
}

async fn forge_table(name: &str, store: &MemoryStore) {
    let table = Table::of(store).await;
    let before = &table.bytes[..table.footer_offset];
    let in_footer = |field: &'static str| {
        move |footer: &mut DynamicMessage| set(footer, &["blocks"], field, Value::U64(HUGE))
    };
    match name {
        "a table, by its reference" => name_table(store, table.footer_offset as u64, HUGE, 0).await,
        "a table, by its reference and its footer's place" => {
            name_table(store, HUGE - 1_000, HUGE, 0).await;
        }
        "a block, by the footer" => table.store(store, before, in_footer("bytes")).await,
        "a block unpacked, by the footer" => table.store(store, before, in_footer("raw_bytes")).await,
        "a block of 1 KiB that unpacks to 256 MiB" => bomb(store, &vec![0; 256 << 20], 16 << 20).await,
        "a block of zeros" => bomb(store, &vec![0; 16 << 20], 16 << 20).await,
        other => panic!("{other}"),
    }
}

/// Puts other bytes in the place of the pin; HEAD names them rightly.
async fn change_pin(store: &MemoryStore, change: impl FnOnce(&[u8]) -> Bytes) {
    let key = key_in(store, "pin").await;
    let bytes = change(&object(store, &key).await);
    let checksum = crc32c::crc32c(&bytes);
    overwrite(store, &key, bytes).await;
    change_head(store, UPKEEP, "Upkeep", |upkeep| {
        set(upkeep, &["pins", "object"], "crc32c", Value::U32(checksum));
    })
    .await;
}

/// The only block of the table unpacks to `raw`, and the footer says that it has `told` bytes.
async fn bomb(store: &MemoryStore, raw: &[u8], told: u64) {
    let table = Table::of(store).await;
    let block = [vec![1], zstd::bulk::compress(raw, 19).unwrap()].concat();
    let before = [&table.bytes[..HEADER], &block].concat();
    let one_block = |footer: &mut DynamicMessage| {
        let field = footer.descriptor().get_field_by_name("blocks").unwrap();
        let Value::List(blocks) = footer.get_field_mut(&field) else {
            panic!("blocks are a list")
        };
        blocks.truncate(1);
        set(footer, &["blocks"], "bytes", Value::U64(block.len() as u64));
        set(footer, &["blocks"], "raw_bytes", Value::U64(told));
        set(footer, &["blocks"], "crc32c", Value::U32(crc32c::crc32c(&block)));
    };
    table.store(store, &before, one_block).await;
}

async fn row(name: &str, operation: Operation, store: &MemoryStore) -> Row {
    let honest = copied(store).await;
    // Nothing is wrong with the store but what lies in it; it serves to see what it is asked for.
    let watched = Liar::over(honest.clone(), Lie::Longer(0));
    let shared: Arc<dyn Store> = Arc::new(watched.clone());
    let needs_sound_head = matches!(operation, Get | Commit) && name.contains("HEAD");
    let mut handle = None;
    if needs_sound_head {
        handle = operation.handle(Arc::clone(&shared), hurried(5)).await;
        // It has to be news, or nobody would read it.
        crate::world::put(&crate::world::reopened(&honest).await, "other", "other")
            .await
            .unwrap();
    }
    forge(name, &honest).await;
    if handle.is_none() && !matches!(operation, Get if name.contains("log object")) {
        handle = operation.handle(Arc::clone(&shared), hurried(5)).await;
    }
    let clock = TokioClock::new();
    let began = clock.now();
    let saw = match handle.is_none() && operation == Get {
        true => Open.run(shared, None, hurried(6)).await,
        false => operation.run(shared, handle.as_ref(), hurried(6)).await,
    };
    let after = clock.now() - began;
    let asked = watched.asked.load(Ordering::SeqCst);
    assert!(
        asked <= ASKED_MAX,
        "{name}, {}: {asked} bytes were asked for",
        operation.name()
    );
    if let Some(handle) = handle {
        close(&handle).await;
    }
    if !needs_sound_head {
        hold_to_its_word(name, operation, &saw, &honest).await;
    }
    Row {
        case: name.to_owned(),
        operation: operation.name(),
        saw,
        after,
    }
}

#[tokio::test(start_paused = true)]
async fn objects_that_claim_4_gib_are_refused_and_nothing_near_it_is_asked_for() {
    let store = built().await;
    let mut rows = Vec::new();
    for (name, operations) in FORGERIES {
        for operation in *operations {
            rows.push(row(name, *operation, &store).await);
        }
    }
    hold("Objects that claim 4 GiB", rows);
}
