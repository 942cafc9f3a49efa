//! Cells that run at once: each on a prefix of its own, with handles, keys and meters of its own.

use std::{io::Write as _, sync::Arc};

use super::{super::Context, together::together};
use crate::{
    config::{WorkloadConfig, create_config_label},
    run::{Cell, CellOutcome, Prepared, cell_seed},
    settings::Settings,
    simulate::HandleSeeds,
    store_under_test::Meters,
    target::engine::Engine,
};

/// A cell that is to be run.
pub(super) struct Planned {
    pub(super) label: String,
    pub(super) config: WorkloadConfig,
    /// Which try this is, from 1.
    pub(super) number: u32,
    meters: Arc<Meters>,
    settings: Settings,
    engine: Engine,
}

impl Planned {
    /// The cell at this place of the sweep. Its draws are its own: the writers of all cells would else begin at
    /// the same moments of their periods. They do not depend on which other cells run.
    pub(super) fn new(context: &Context, place: usize, config: WorkloadConfig, number: u32) -> Self {
        let seed = cell_seed(context.settings.seed, place);
        let mut settings = context.settings.clone();
        settings.seed = seed;
        let mut engine = context.engine();
        engine.seeds = engine.seeds.map(|_| Arc::new(HandleSeeds::new(seed)));
        Self {
            label: create_config_label(&config),
            config,
            number,
            meters: Arc::default(),
            settings,
            engine,
        }
    }

    fn cell<'a>(&'a self, context: &'a Context) -> Cell<'a> {
        let name = match self.number {
            1 => self.label.clone(),
            number => format!("{}-{number}", self.label),
        };
        Cell {
            settings: &self.settings,
            meters: Arc::clone(&self.meters),
            ..context.cell(name, &self.config, &self.engine)
        }
    }
}

/// Runs them at once, and returns what each came to, in their order. They begin to measure together, when all are
/// ready: making a manifest takes 250 requests, which would disturb those that measure already.
pub(super) async fn run_at_once(context: &Context, planned: &[Planned]) -> Vec<Result<CellOutcome, String>> {
    let names: Vec<&str> = planned.iter().map(|planned| planned.label.as_str()).collect();
    context.say(|out| writeln!(out, "Running {}", names.join(", ")));
    let cells: Vec<Cell<'_>> = planned.iter().map(|planned| planned.cell(context)).collect();
    let mut prepared = together(cells.iter().map(Prepared::new)).await;
    let offered = together(prepared.iter_mut().map(async |prepared| match prepared {
        Ok(prepared) => prepared.offer().await,
        Err(error) => Err(error.clone()),
    }))
    .await;
    let ends = prepared
        .into_iter()
        .zip(offered)
        .map(async |(prepared, offered)| {
            let (prepared, offered) = (prepared?, offered?);
            let ended = prepared.finish(offered.measured, offered.stopped, offered.undrained);
            Ok(ended.await)
        });
    together(ends).await
}
