//! The clients of a cell: each with a handle of its own, as processes of their own would have.

use std::sync::Arc;

use super::{Cell, ReaderTask, SETTER_UP, WriterTask, seed_of};
use crate::{
    client::{Client, Driver, Own, Shared},
    config::WriterKind,
    floor::{FLOOR_GET_RATE, FLOOR_PUT_RATE, FloorGet, FloorObject, FloorPut},
    history::ClientId,
    metrics::Role,
    requests::RequestCounts,
    schedule::Plan,
    target::TargetHandle,
};

/// A client that commits, and the handle that it commits on.
pub struct FirstWriter {
    /// The client.
    pub client: Arc<dyn Client>,
    /// Its handle.
    pub handle: Arc<dyn TargetHandle>,
}

/// The clients of a cell.
#[derive(Debug)]
pub struct Clients {
    /// What each of them has to itself.
    pub owns: Vec<Arc<Own>>,
    /// Those that commit.
    pub writers: Vec<(Plan, Arc<Driver>)>,
    /// Those that read.
    pub readers: Vec<(Plan, Arc<Driver>)>,
    pub(super) floor: Vec<(Plan, Arc<Driver>)>,
    /// The one that sends bare PUTs.
    pub floor_put: Arc<FloorPut>,
    /// The one that sends bare GETs.
    pub floor_get: Arc<FloorGet>,
}

impl Clients {
    /// Opens a handle for each, and the floor's object.
    pub(super) async fn open(cell: &Cell<'_>, shared: &Arc<Shared>, prefix: &str) -> Result<Self, String> {
        let (config, meters) = (cell.config, &cell.meters);
        // Who has a handle; and who uses the first one's, and measures with it.
        let (mut clients, mut beside) = (Vec::new(), Vec::new());
        let mut next_id = SETTER_UP.0;
        for (role, count, meter) in [
            (Role::Writer, config.num_writers, &meters.writers),
            (Role::Reader, config.num_readers, &meters.readers),
        ] {
            for _ in 0..count {
                next_id += 1;
                let seed = seed_of(cell.settings.seed, next_id);
                let id = ClientId(next_id);
                let first = clients.first().map(|(_, own): &(_, Arc<Own>)| own);
                if let (true, Role::Writer, Some(first)) = (cell.shared_handle, role, first) {
                    beside.push(first.beside(id, seed));
                    continue;
                }
                let handle = cell.target.open(cell.store.store(meter), prefix).await?;
                clients.push((
                    role,
                    Own::new(id, role, config.duration, seed, handle, Arc::clone(shared)),
                ));
            }
        }
        let sized_like = clients
            .first()
            .map(|(_, own)| Arc::clone(&own.handle))
            .ok_or("no clients")?;
        let store = cell.store.store(&meters.floor);
        let object = FloorObject::create(store, prefix, sized_like, Arc::clone(shared)).await?;
        let floor_put = FloorPut::new(Arc::clone(&object), config.duration);
        let floor_get = FloorGet::new(object, config.duration);
        let of = |wanted| {
            clients
                .iter()
                .filter(move |(role, _)| *role == wanted)
                .map(|(_, own)| Arc::clone(own))
        };
        let writers = (0..)
            .zip(of(Role::Writer).chain(beside))
            .map(|(place, own)| cell.drive(own.id.0, config.writer_rate, cell.writer(place, own)));
        let readers = (0..)
            .zip(of(Role::Reader))
            .map(|(place, own)| cell.drive(own.id.0, config.reader_rate, cell.reader(place, own)));
        let floor = vec![
            cell.drive(
                next_id + 1,
                FLOOR_PUT_RATE,
                Arc::clone(&floor_put) as Arc<dyn Client>,
            ),
            cell.drive(
                next_id + 2,
                FLOOR_GET_RATE,
                Arc::clone(&floor_get) as Arc<dyn Client>,
            ),
        ];
        Ok(Self {
            writers: writers.collect(),
            readers: readers.collect(),
            floor: if cell.crew.is_none() { floor } else { Vec::new() },
            owns: clients.into_iter().map(|(_, own)| own).collect(),
            floor_put,
            floor_get,
        })
    }

    /// The first of those that commit.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn first_writer(&self) -> Result<FirstWriter, String> {
        // Writers come first, clients in the order of their handles.
        match (self.writers.first(), self.owns.first()) {
            (Some((_, driver)), Some(own)) => Ok(FirstWriter {
                client: Arc::clone(driver.client()),
                handle: Arc::clone(&own.handle),
            }),
            _ => Err("no writer".to_owned()),
        }
    }

    /// What their handles have sent so far that no caller waited for.
    pub(super) fn maintenance(&self) -> RequestCounts {
        self.owns.iter().fold(RequestCounts::default(), |sum, own| {
            sum.plus(&own.handle.maintenance())
        })
    }

    /// All of them.
    pub(super) fn everyone(&self) -> Vec<(Plan, Arc<Driver>)> {
        self.writers
            .iter()
            .chain(&self.readers)
            .chain(&self.floor)
            .cloned()
            .collect()
    }
}

impl Cell<'_> {
    fn writer(&self, place: usize, own: Arc<Own>) -> Arc<dyn Client> {
        let kind = match self.settings.writer_kind {
            WriterKind::Monotonic => WriterTask::Monotonic,
            WriterKind::ReadModifyWrite => WriterTask::Rewrite,
        };
        let task = self.crew.and_then(|crew| crew.writers.get(place).copied());
        task.unwrap_or(kind).client(own, self.config)
    }

    fn reader(&self, place: usize, own: Arc<Own>) -> Arc<dyn Client> {
        let task = self.crew.and_then(|crew| crew.readers.get(place).copied());
        task.unwrap_or(ReaderTask::Read).client(own, self.config)
    }

    fn drive(&self, number: u32, rate: f64, client: Arc<dyn Client>) -> (Plan, Arc<Driver>) {
        // A plan's draws are others than its client's: the floor's, too, when both are equally fast.
        let seed = seed_of(!self.settings.seed, number);
        let plan = Plan {
            arrivals: self.settings.arrivals,
            rate,
            seed,
        };
        (
            plan,
            Driver::new(
                client,
                Arc::clone(&self.clock),
                u64::from(self.settings.in_flight),
            ),
        )
    }
}
