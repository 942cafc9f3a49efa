//! How far a percentile of one run may be off, though its samples depend on each other.
//!
//! A queue or a stall makes neighbours slow together, so n samples tell less than n independent ones would, and an
//! interval that takes them for independent is too narrow. Here the measurement is cut into blocks of equal time.
//! What is slow together falls into one block, mostly, so blocks are nearly independent, and the share of samples
//! at or below the percentile is compared between them (batch means; the samples of a block vary in number, so it
//! is the variance of a ratio). Its error is carried over to the percentile by reading off the percentiles at that
//! much below and above (Woodruff's interval), which needs no assumption on the shape of the distribution.

/// Blocks of one measurement: enough degrees of freedom, and each long against a stall.
pub const BLOCKS: usize = 24;
/// Fewer give no variance worth the name.
pub const BLOCKS_MIN: usize = 8;
/// Samples that a block must have at least, on average.
const SAMPLES_PER_BLOCK: usize = 5;
/// The percentile is read off at so many standard errors to both sides: at one it would depend on single samples.
const READ_OFF_AT: f64 = 2.0;

/// Into how many blocks so many samples are cut; none if they are too few.
pub fn blocks_of(samples: usize) -> Option<usize> {
    Some((samples / SAMPLES_PER_BLOCK).min(BLOCKS)).filter(|blocks| *blocks >= BLOCKS_MIN)
}

/// The standard error of the logarithm of a quantile (0 to 1), from the samples of each block, which are above 0.
/// None if there are too few to tell: the percentiles read off would lie beyond the samples.
pub fn log_error(blocks: &[Vec<f64>], quantile: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = blocks.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    if blocks.len() < BLOCKS_MIN || sorted.is_empty() {
        return None;
    }
    let (at, total) = (value_at(&sorted, quantile)?, sorted.len() as f64);
    let share = sorted.partition_point(|value| *value <= at) as f64 / total;
    let squares: f64 = blocks
        .iter()
        .map(|block| {
            let below = block.iter().filter(|value| **value <= at).count();
            (below as f64 - share * block.len() as f64).powi(2)
        })
        .sum();
    let number = blocks.len() as f64;
    let error = (number / (number - 1.0) * squares).sqrt() / total;
    // Blocks that agree to the sample are chance: never less than half of what independent samples would give.
    let error = error.max(0.5 * (quantile * (1.0 - quantile) / total).sqrt());
    let (low, high) = (quantile - READ_OFF_AT * error, quantile + READ_OFF_AT * error);
    if low <= 0.0 || high >= 1.0 {
        return None;
    }
    let width = value_at(&sorted, high)?.ln() - value_at(&sorted, low)?.ln();
    width.is_finite().then_some(width / (2.0 * READ_OFF_AT))
}

/// The smallest sample that the share `quantile` does not exceed.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and the place is bounded below"
)]
fn value_at(sorted: &[f64], quantile: f64) -> Option<f64> {
    let place = (quantile * sorted.len() as f64).ceil() as usize;
    sorted.get(place.clamp(1, sorted.len()) - 1).copied()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::*;

    const SAMPLES: usize = 2_400;
    const RUNS: u64 = 300;

    fn normal(rng: &mut StdRng) -> f64 {
        (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
    }

    /// A lognormal series of median 1 whose logarithm is a first-order autoregression, cut into blocks.
    fn series(correlation: f64, seed: u64) -> Vec<Vec<f64>> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut level = normal(&mut rng);
        let values: Vec<f64> = (0..SAMPLES)
            .map(|_| {
                level = correlation * level + (1.0 - correlation * correlation).sqrt() * normal(&mut rng);
                (0.3 * level).exp()
            })
            .collect();
        values.chunks(SAMPLES / BLOCKS).map(<[f64]>::to_vec).collect()
    }

    /// How often an interval of 1.96 errors around the median holds 1: by blocks, and as if independent.
    fn covered(correlation: f64) -> (f64, f64) {
        let (mut by_blocks, mut naive) = (0, 0);
        for seed in 0..RUNS {
            let blocks = series(correlation, seed);
            let mut sorted: Vec<f64> = blocks.iter().flatten().copied().collect();
            sorted.sort_by(f64::total_cmp);
            let off = value_at(&sorted, 0.5).unwrap().ln().abs();
            by_blocks += u64::from(off <= 1.96 * log_error(&blocks, 0.5).unwrap());
            let (low, high) = (
                0.5 - 0.98 / (SAMPLES as f64).sqrt(),
                0.5 + 0.98 / (SAMPLES as f64).sqrt(),
            );
            let width = value_at(&sorted, high).unwrap().ln() - value_at(&sorted, low).unwrap().ln();
            naive += u64::from(off <= width / 2.0);
        }
        (by_blocks as f64 / RUNS as f64, naive as f64 / RUNS as f64)
    }

    #[test]
    fn independent_samples_are_covered_by_both() {
        let (by_blocks, naive) = covered(0.0);
        assert!((0.9..=0.99).contains(&by_blocks), "{by_blocks}");
        assert!((0.9..=0.99).contains(&naive), "{naive}");
    }

    #[test]
    fn samples_that_depend_on_each_other_are_covered_by_blocks_alone() {
        let (by_blocks, naive) = covered(0.9);
        assert!(by_blocks >= 0.88, "{by_blocks}");
        assert!(naive <= 0.6, "{naive}");
    }

    #[test]
    fn the_error_of_a_median_is_the_one_of_the_books() {
        let errors: Vec<f64> = (0..100)
            .map(|seed| log_error(&series(0.0, seed), 0.5).unwrap())
            .collect();
        let mean = errors.iter().sum::<f64>() / 100.0;
        // sigma sqrt(pi / 2) / sqrt(n)
        let want = 0.3 * 1.2533 / (SAMPLES as f64).sqrt();
        assert!((mean / want - 1.0).abs() < 0.1, "{mean} instead of {want}");
    }

    #[test]
    fn too_few_samples_tell_nothing() {
        assert_eq!(
            (blocks_of(39), blocks_of(40), blocks_of(10_000)),
            (None, Some(8), Some(24))
        );
        assert_eq!(log_error(&vec![vec![1.0, 2.0]; 7], 0.5), None);
        assert_eq!(log_error(&vec![Vec::new(); 24], 0.5), None);
        let few = vec![vec![1.0, 2.0, 3.0, 4.0, 5.0]; 8];
        assert!(log_error(&few, 0.5).is_some());
        assert_eq!(log_error(&few, 0.99), None);
    }
}
