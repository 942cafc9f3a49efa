//! Does the maintenance that is due, and nothing else.

use std::time::Duration;

use fusio_manifest::Freshness;

use super::Process;

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(30);

pub(super) async fn live(process: &Process) -> Result<(), String> {
    let Some(manifest) = process.open().await? else {
        return Ok(());
    };
    while !process.stop.is_set() {
        // What is due is known by a look.
        if let Err(error) = manifest.snapshot(Freshness::Latest).await {
            process.note("look", &error);
        }
        match manifest.maintain().await {
            Ok(()) => process.journal.did("rounds of maintenance"),
            Err(error) => process.note("maintain", &error),
        }
        process.pause(PAUSE).await;
    }
    manifest.close().await;
    Ok(())
}
