//! Appends to lists: a list is the value of a key, its elements numbers that no other append of the run has. So every
//! read of a list shows all appends before it in their order, and a checker needs nobody's word for that order.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use fusio_manifest::{Moment, store::BoxFuture};
use rand::RngExt as _;

use super::{Arrival, Client, ClientType, Own, draws};
use crate::{
    history::{Read, Write},
    metrics::Role,
    target::Ask,
};

/// How many lists one transaction reads at most.
const READ_MAX: usize = 3;
/// How often one that was read is appended to.
const APPENDS: f64 = 0.6;

/// Reads one to three lists and appends to at least one of them.
#[derive(Debug)]
pub struct Appender {
    own: Arc<Own>,
    lists: u32,
}

impl Appender {
    /// A client on the first `lists` lists.
    pub fn new(own: Arc<Own>, lists: u32) -> Self {
        Self { own, lists }
    }

    /// The lists to be read, and whether each is appended to.
    fn draw(&self) -> (Vec<Ask>, Vec<bool>) {
        let mut rng = self.own.rng.lock();
        let count = rng.random_range(1..=READ_MAX);
        let keys: BTreeSet<Bytes> = (0..count)
            .map(|_| draws::list_key(&mut *rng, self.lists))
            .collect();
        let mut appends: Vec<bool> = keys.iter().map(|_| rng.random_bool(APPENDS)).collect();
        if let (Some(first), true) = (appends.first().copied(), appends.iter().all(|append| !append)) {
            // One that only reads promises less than this is about.
            appends = std::iter::once(!first)
                .chain(appends.iter().skip(1).copied())
                .collect();
        }
        (keys.into_iter().map(Ask::Key).collect(), appends)
    }
}

/// A list with one more element.
fn appended(list: Option<&Bytes>, element: u64) -> Bytes {
    let element = element.to_string();
    match list {
        Some(list) => [list, b",".as_slice(), element.as_bytes()].concat().into(),
        None => element.into(),
    }
}

impl Client for Appender {
    fn kind(&self) -> ClientType {
        ClientType::Appender
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        let (asks, appends) = self.draw();
        let shared = Arc::clone(&self.own.shared);
        let stage = move |reads: &[Read]| {
            let chosen = reads.iter().zip(&appends).filter(|(_, append)| **append);
            let write = |(read, _): (&Read, &bool)| match read {
                Read::Point { key, value } => Some(Write {
                    key: key.clone(),
                    value: Some(appended(value.as_ref(), shared.unique_number())),
                }),
                Read::Range { .. } => None,
            };
            chosen.filter_map(write).collect()
        };
        Box::pin(self.own.transact(arrival, asks, stage))
    }

    fn dropped(&self, due: Moment) {
        self.own.dropped(Role::Writer, due);
    }

    fn load(&self, open: u64, _: u64) {
        self.own.in_flight(Role::Writer, open);
    }
}
