//! What a run will send, before it does.

use std::time::Duration;

use crate::{
    config::WorkloadConfig,
    floor::{FLOOR_GET_RATE, FLOOR_PUT_RATE},
    price::PriceTable,
    requests::{ClassCount, RequestCounts},
    settings::Settings,
};

/// What the probe sends before a manifest is made, and what opening, checking and cleaning up take, about.
pub(super) const AROUND_REQUESTS: f64 = 250.0;

/// The line that tells it before anything is sent.
pub(super) fn announce_estimate(settings: &Settings, estimate: &RequestCounts) -> String {
    let prices = PriceTable::of(&settings.store);
    let bound = settings
        .max_requests
        .map_or("no bound".to_owned(), |max| format!("bound {max}"));
    format!(
        "Estimate: {} requests, {:.4} dollars at prices of {} ({bound})\n",
        estimate.requests(),
        prices.dollars(estimate),
        prices.name
    )
}

/// What a workload sends, about.
pub(super) fn workload_requests(config: &WorkloadConfig, warmup: Duration) -> RequestCounts {
    let (measured, all) = (
        config.duration.as_secs_f64(),
        (config.duration + warmup).as_secs_f64(),
    );
    let writes = f64::from(config.num_writers) * config.writer_rate * measured;
    let reads = f64::from(config.num_readers) * config.reader_rate * all;
    let puts = writes + FLOOR_PUT_RATE * all + AROUND_REQUESTS;
    RequestCounts {
        conditional_put: class(puts),
        conditional_get: class(reads + FLOOR_GET_RATE * all),
        ..RequestCounts::default()
    }
}

/// So many requests of a class, without their bytes.
#[expect(clippy::cast_possible_truncation, reason = "an estimate; `as` saturates")]
pub(super) fn class(requests: f64) -> ClassCount {
    ClassCount {
        requests: requests.ceil() as u64,
        bytes: 0,
    }
}
