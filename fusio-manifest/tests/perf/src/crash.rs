//! Real processes that work on one manifest and are killed, at random and between any two requests.
//!
//! A process is this program once more: whoever starts it puts an [order](order::Order) into its environment. It puts down
//! what it does in a [journal] before it does it, and may be told to [die](doomed) at a [point](points::Point). The
//! [crew] kills, replaces and counts; what all journals say together is a [history](crate::history).

pub(crate) mod crew;
mod doomed;
pub(crate) mod final_collection;
pub(crate) mod journal;
pub(crate) mod order;
pub(crate) mod points;
pub(crate) mod process;
pub(crate) mod stored_head;

pub(crate) use journal::Told;
pub(crate) use order::ordered;
pub(crate) use process::carry_out;

use fusio_manifest::SharedSettings;
use std::time::Duration;

/// A transaction of more bytes than this is a log object of its own.
const INLINE_BYTES: u64 = 4 * 1024;

/// Everything that maintenance does is due within seconds.
pub(crate) fn shared_settings() -> SharedSettings {
    SharedSettings {
        retention: Duration::from_secs(1),
        spill_bytes: 2 * 1024,
        spill_keep_bytes: 512,
        transaction_inline_bytes: INLINE_BYTES,
        fold_objects: 3,
        tier_ratio: 2,
        table_bytes: 32 * 1024,
        block_bytes: 4 * 1024,
        ..SharedSettings::default()
    }
}
