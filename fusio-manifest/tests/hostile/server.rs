//! A small S3 over TCP whose answers can be anything: it is honest until it has a rule, and then it sends what the rule
//! says, byte by byte.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, Manifest, MemoryStore, Store as _, StoreError, TokioClock,
    store::{ETag, GetAnswer, GetOptions, PutMode},
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::world::{self, HEAD};

pub(crate) const BUCKET: &str = "bucket";
const DATE: &str = "Sun, 06 Nov 2033 08:49:37 GMT";

/// What is sent instead of an honest answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// These bytes; then the connection is closed.
    Bytes(Vec<u8>),
    /// These, then the other ones for ever, as fast as they are taken.
    Flood(Vec<u8>, Vec<u8>),
    /// These, then the other ones now and then, for ever.
    Drip(Vec<u8>, Vec<u8>),
    Never,
    Close,
    /// The honest answer, changed.
    Altered(fn(&mut Reply)),
    /// The honest one as HTTP/1.0.
    Old,
    /// Before it is sent this handle commits, and it carries the ETag of the HEAD that is there then. Once.
    Overtaken(Manifest),
}

/// To which requests, and whether these have their effect.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) method: &'static str,
    /// Part of the request's target.
    pub(crate) target: &'static str,
    pub(crate) applied: bool,
    pub(crate) answer: Answer,
}

/// An honest answer.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
    }

    fn bytes(&self, version: &str) -> Vec<u8> {
        let mut head = format!("HTTP/{version} {} Status\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // A 304 has no body.
        if self.status != 304 && version == "1.1" {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

struct Shared {
    objects: MemoryStore,
    rule: Mutex<Option<Rule>>,
    sent: AtomicU64,
    hit: AtomicU64,
}

pub(crate) struct Server {
    shared: Arc<Shared>,
    address: String,
}

impl Server {
    pub(crate) async fn start(objects: MemoryStore) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            objects,
            rule: Mutex::new(None),
            sent: AtomicU64::new(0),
            hit: AtomicU64::new(0),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                // A client that leaves in the middle of an answer is what this is for.
                tokio::spawn(async move { serve(stream, &serving).await.ok() });
            }
        });
        Self { shared, address }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.address
    }

    pub(crate) fn turn(&self, rule: Rule) {
        *self.shared.rule.lock() = Some(rule);
    }

    /// The bytes that hostile answers came to.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// The requests that were answered by the rule.
    pub(crate) fn hit(&self) -> u64 {
        self.shared.hit.load(Ordering::SeqCst)
    }
}

/// Somebody else's listener, which must never hear of anything.
pub(crate) struct Elsewhere {
    pub(crate) address: String,
    heard: Arc<AtomicU64>,
}

impl Elsewhere {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&heard);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counting.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, heard }
    }

    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::SeqCst)
    }
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Request {
    async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default().to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap());
        while bytes.len() < head_end + 4 + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(Self {
            method,
            target,
            headers,
            body: Bytes::copy_from_slice(&bytes[head_end + 4..head_end + 4 + length]),
        }))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn key(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        path.trim_start_matches('/')
            .trim_start_matches(BUCKET)
            .trim_start_matches('/')
            .to_owned()
    }

    fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let parameters = query.split('&').filter_map(|one| one.split_once('='));
        let found = parameters.into_iter().find(|(known, _)| *known == name)?;
        Some(found.1.replace("%2F", "/"))
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    while let Some(request) = Request::read(&mut stream).await? {
        let rule = shared.rule.lock().clone();
        let rule = rule.filter(|rule| rule.method == request.method || rule.method == "any");
        let rule = rule.filter(|rule| request.target.contains(rule.target));
        let Some(rule) = rule else {
            stream
                .write_all(&honest(&request, &shared.objects).await.bytes("1.1"))
                .await?;
            continue;
        };
        shared.hit.fetch_add(1, Ordering::SeqCst);
        let mut reply = match rule.applied {
            true => honest(&request, &shared.objects).await,
            false => Reply::default(),
        };
        match rule.answer {
            Answer::Altered(alter) => {
                alter(&mut reply);
                stream.write_all(&reply.bytes("1.1")).await?;
                continue;
            }
            Answer::Overtaken(other) => {
                *shared.rule.lock() = None;
                put_other(&other, &shared.objects, &mut reply).await;
                stream.write_all(&reply.bytes("1.1")).await?;
                continue;
            }
            Answer::Old => stream.write_all(&reply.bytes("1.0")).await?,
            Answer::Bytes(bytes) => stream.write_all(&bytes).await?,
            Answer::Close => {}
            Answer::Never => std::future::pending().await,
            Answer::Flood(first, then) => {
                stream.write_all(&first).await?;
                loop {
                    stream.write_all(&then).await?;
                    shared.sent.fetch_add(then.len() as u64, Ordering::SeqCst);
                }
            }
            Answer::Drip(first, then) => {
                stream.write_all(&first).await?;
                loop {
                    stream.write_all(&then).await?;
                    TokioClock::new().sleep(Duration::from_millis(50)).await;
                }
            }
        }
        return stream.shutdown().await;
    }
    Ok(())
}

async fn put_other(other: &Manifest, objects: &MemoryStore, reply: &mut Reply) {
    world::put(other, "other", "other").await.unwrap();
    match objects.get(HEAD, GetOptions::default()).await.unwrap() {
        GetAnswer::Found { etag, .. } => reply.set("ETag", etag.as_str()),
        GetAnswer::NotModified => panic!("304 to an unconditional GET"),
    }
}

async fn honest(request: &Request, objects: &MemoryStore) -> Reply {
    let mut reply = match request.method.as_str() {
        "GET" if request.query("list-type").is_some() => list(request, objects).await,
        "GET" if request.target.contains("versioning") => word(200, "<VersioningConfiguration/>"),
        "GET" => get(request, objects).await,
        "PUT" => put(request, objects).await,
        "POST" => delete(request, objects).await,
        _ => word(405, ""),
    };
    reply.headers.push(("Date", DATE.to_owned()));
    reply
}

fn word(status: u16, body: impl Into<String>) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: Bytes::from(body.into()),
    }
}

fn refused(error: &StoreError) -> Reply {
    let code = &error.message;
    word(
        error.status.unwrap_or(500),
        format!("<Error><Code>{code}</Code><Message>no</Message></Error>"),
    )
}

async fn get(request: &Request, objects: &MemoryStore) -> Reply {
    let range = request.header("range").map(|range| {
        let (first, last) = range.trim_start_matches("bytes=").split_once('-').unwrap();
        first.parse::<u64>().unwrap()..last.parse::<u64>().unwrap() + 1
    });
    let options = GetOptions {
        if_none_match: request.header("if-none-match").map(ETag::new),
        range: range.clone(),
        bytes_max: None,
    };
    match objects.get(&request.key(), options).await {
        Ok(GetAnswer::NotModified) => word(304, ""),
        Ok(GetAnswer::Found { bytes, etag }) => {
            let mut reply = word(200, "");
            reply.headers.push(("ETag", etag.as_str().to_owned()));
            if let Some(range) = range {
                reply.status = 206;
                let last = range.start + bytes.len() as u64 - 1;
                reply
                    .headers
                    .push(("Content-Range", format!("bytes {}-{last}/*", range.start)));
            }
            reply.body = bytes;
            reply
        }
        Err(error) => refused(&error),
    }
}

async fn put(request: &Request, objects: &MemoryStore) -> Reply {
    let mode = match (request.header("if-match"), request.header("if-none-match")) {
        (Some(etag), _) => PutMode::Update(ETag::new(etag)),
        (None, Some(_)) => PutMode::Create,
        (None, None) => PutMode::Overwrite,
    };
    match objects.put(&request.key(), request.body.clone(), mode).await {
        Ok(etag) => {
            let mut reply = word(200, "");
            reply.headers.push(("ETag", etag.as_str().to_owned()));
            reply
        }
        Err(error) => refused(&error),
    }
}

async fn delete(request: &Request, objects: &MemoryStore) -> Reply {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let keys: Vec<String> = body
        .split("<Key>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</Key>"))
        .map(|(key, _)| key.to_owned())
        .collect();
    match objects.delete(&keys).await {
        Ok(()) => word(200, "<DeleteResult></DeleteResult>"),
        Err(error) => refused(&error),
    }
}

async fn list(request: &Request, objects: &MemoryStore) -> Reply {
    let prefix = request.query("prefix").unwrap_or_default();
    let after = request.query("start-after");
    let page = objects.list(&prefix, after.as_deref()).await.unwrap();
    let contents: String = page
        .objects
        .iter()
        .map(|object| {
            format!(
                "<Contents><Key>{}</Key><Size>{}</Size></Contents>",
                object.key, object.bytes
            )
        })
        .collect();
    let more = page.more;
    word(
        200,
        format!(
            "<ListBucketResult><IsTruncated>{more}</IsTruncated><KeyCount>{}</KeyCount>{contents}</ListBucketResult>",
            page.objects.len()
        ),
    )
}
