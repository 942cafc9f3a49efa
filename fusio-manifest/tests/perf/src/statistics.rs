//! Statistics of measurements that are not independent of each other, and of few repeats. Pure arithmetic.

pub mod distribution;
pub mod ranks;
pub mod time_blocks;
pub mod trend;
