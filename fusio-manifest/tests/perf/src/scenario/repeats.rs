//! The baseline again and again, for the latency gate: a number of each repeat, and all of them together.

use std::{io::Write as _, time::Duration};

use super::{
    Context, Ended,
    baseline::{self, RUN, valid_cell},
    conclude::conclude_repeats,
    judge::Judgement,
};
use crate::{
    compare::gate::REPEATS_MIN,
    metrics::{MetricsCollector, Timeline},
    price::PriceTable,
    requests::CellRequests,
    result::BaselineFields,
    run::{CellOutcome, seed_of},
    settings::Settings,
    summary::{CellInput, CellSummary},
};

/// What the repeats measured, as if they had been one long measurement.
#[derive(Default)]
struct Together {
    metrics: Vec<MetricsCollector>,
    floor_put: Timeline,
    floor_get: Timeline,
    requests: CellRequests,
    measured: Duration,
}

impl Together {
    fn add(&mut self, outcome: &CellOutcome) {
        let mut metrics = outcome.metrics.clone();
        metrics.delay(self.measured);
        self.metrics.push(metrics);
        for (floor, own) in [
            (&mut self.floor_put, &outcome.floor_put),
            (&mut self.floor_get, &outcome.floor_get),
        ] {
            let mut own = own.clone();
            own.delay(self.measured);
            floor.merge(&own);
        }
        let (sum, more) = (&self.requests, &outcome.requests);
        self.requests = CellRequests {
            writers: sum.writers.plus(&more.writers),
            readers: sum.readers.plus(&more.readers),
            maintenance: sum.maintenance.plus(&more.maintenance),
            floor: sum.floor.plus(&more.floor),
            // The bill of the run so far.
            total: more.total,
        };
        self.measured += outcome.measured;
    }

    fn summary(&self, settings: &Settings) -> CellSummary {
        CellSummary::new(&CellInput {
            config: &settings.workload,
            measured: self.measured,
            metrics: &MetricsCollector::merged(self.measured, &self.metrics),
            floor_put: &self.floor_put,
            floor_get: &self.floor_get,
            requests: &self.requests,
            prices: PriceTable::of(&settings.store),
        })
    }
}

/// Measures the repeats. One that breaks a promise is the last: latencies of a broken build are of no use.
pub(super) async fn measure(context: &Context) -> Ended<BaselineFields> {
    let (mut together, mut repeats) = (Together::default(), Vec::new());
    let mut judgement: Option<Judgement> = None;
    for number in 1..=REPEATS_MIN {
        if context.should_stop() {
            break;
        }
        let settings = of_repeat(&context.settings, number);
        let (outcome, cell) = match valid_cell(context, &settings, &format!("repeat-{number}")).await {
            Ok(measured) => measured,
            Err(error) => {
                context.say(|out| writeln!(out, "error: {error}"));
                return context.could_not_begin(error);
            }
        };
        let own = baseline::judge(context, &outcome, &cell);
        let broken = !own.failures.is_empty();
        judgement = Some(match judgement {
            Some(earlier) => earlier.and(own),
            None => own,
        });
        together.add(&outcome);
        repeats.push(cell);
        if broken {
            break;
        }
    }
    let Some(judgement) = judgement else {
        return context.could_not_begin("interrupted before the measurement began".to_owned());
    };
    let mut cell = together.summary(&context.settings);
    cell.began = repeats
        .first()
        .map_or(cell.began, |first: &CellSummary| first.began);
    let (verdict, reason) = conclude_repeats(context, &RUN, &cell, &repeats, judgement);
    Ended {
        verdict,
        valid: repeats.iter().all(|cell| cell.detail.validity.is_valid()),
        reason,
        fields: Some(BaselineFields::new(&cell)),
    }
}

/// Each repeat has arrivals of its own, or all would meet the same coincidences.
fn of_repeat(settings: &Settings, number: usize) -> Settings {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let mut own = settings.clone();
    own.seed = seed_of(settings.seed, number);
    own
}
