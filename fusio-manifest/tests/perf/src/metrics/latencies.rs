//! Durations in an HDR histogram.

use std::time::Duration;

use hdrhistogram::Histogram;

pub use timeline::Timeline;

mod timeline;

/// The longest duration that is told apart, in microseconds: longer ones count as this one.
const LONGEST_US: u64 = 60_000_000;
/// Values are right within one part in ten to this power.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Durations with 3 significant digits from 1 us to 60 s. What is shorter or longer counts as 1 us or 60 s,
/// and is counted besides. Takes no memory until something is recorded.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    histogram: Option<Histogram<u64>>,
    below_range: u64,
    above_range: u64,
    sum: Duration,
}

impl Latencies {
    /// Adds one duration.
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.below_range += u64::from(micros < 1);
        self.above_range += u64::from(micros > LONGEST_US);
        self.sum = self.sum.saturating_add(duration);
        self.open().saturating_record(micros.clamp(1, LONGEST_US));
    }

    /// Adds all of another's durations: what one histogram of both would hold.
    pub fn merge(&mut self, other: &Self) {
        if let Some(theirs) = &other.histogram {
            // Refused only if a value does not fit, and both have the same bounds.
            let added = self.open().add(theirs);
            debug_assert!(added.is_ok(), "{added:?}");
        }
        self.below_range += other.below_range;
        self.above_range += other.above_range;
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many durations.
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// How many were shorter than 1 us.
    pub fn below_range(&self) -> u64 {
        self.below_range
    }

    /// How many were longer than 60 s.
    pub fn above_range(&self) -> u64 {
        self.above_range
    }

    /// The duration in ms that the share `quantile` (0 to 1) does not exceed; none without samples.
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let histogram = self.histogram.as_ref()?;
        Some(ms(histogram.value_at_quantile(quantile)))
    }

    /// The longest in ms; none without samples.
    pub fn max_ms(&self) -> Option<f64> {
        self.histogram.as_ref().map(|histogram| ms(histogram.max()))
    }

    /// The mean in ms, exact; none without samples.
    pub fn mean_ms(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum.as_secs_f64() * 1_000.0 / count as f64)
    }

    /// The histogram in microseconds, for logs and plots; none without samples.
    pub fn histogram(&self) -> Option<&Histogram<u64>> {
        self.histogram.as_ref()
    }

    fn open(&mut self) -> &mut Histogram<u64> {
        self.histogram.get_or_insert_with(Self::empty_histogram)
    }

    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants that the histogram accepts"
    )]
    fn empty_histogram() -> Histogram<u64> {
        Histogram::new_with_bounds(1, LONGEST_US, SIGNIFICANT_DIGITS).expect("valid bounds")
    }
}

/// The histogram rounds up to the end of a bucket, which for 60 s lies beyond it.
fn ms(micros: u64) -> f64 {
    micros.min(LONGEST_US) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        for micros in micros {
            latencies.record(Duration::from_micros(micros));
        }
        latencies
    }

    #[test]
    fn without_samples_there_is_no_percentile() {
        let none = Latencies::default();
        assert_eq!(
            (none.count(), none.quantile_ms(0.5), none.max_ms(), none.mean_ms()),
            (0, None, None, None)
        );
    }

    #[test]
    fn merging_by_addition_equals_one_histogram_of_all() {
        // Two populations whose averaged percentiles would be far off.
        let (fast, slow) = (1_000..1_900, (50_000..60_000).step_by(100));
        let mut merged = of(fast.clone());
        merged.merge(&of(slow.clone()));
        let together = of(fast.chain(slow));
        for quantile in [0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            assert_eq!(
                merged.quantile_ms(quantile),
                together.quantile_ms(quantile),
                "{quantile}"
            );
        }
        assert_eq!(
            (merged.count(), merged.mean_ms()),
            (together.count(), together.mean_ms())
        );
        assert!(merged.quantile_ms(0.5).unwrap() < 2.0);
    }

    #[test]
    fn merging_with_nothing_changes_nothing() {
        let mut some = of([5_000]);
        some.merge(&Latencies::default());
        let mut none = Latencies::default();
        none.merge(&some);
        assert_eq!(
            (some.count(), none.count(), none.quantile_ms(0.5)),
            (1, 1, some.quantile_ms(0.5))
        );
    }

    #[test]
    fn durations_out_of_range_saturate_and_are_counted() {
        let latencies = of([0, 1, 60_000_000, 60_000_001, 3_600_000_000]);
        assert_eq!(
            (
                latencies.below_range(),
                latencies.above_range(),
                latencies.count()
            ),
            (1, 2, 5)
        );
        assert_eq!(
            (latencies.quantile_ms(0.0), latencies.max_ms()),
            (Some(0.001), Some(60_000.0))
        );
    }

    #[test]
    fn percentiles_keep_three_digits() {
        let latencies = of((1..=1_000).map(|i| i * 100));
        for (quantile, exact) in [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0)] {
            let measured = latencies.quantile_ms(quantile).unwrap();
            assert!(
                (measured - exact).abs() <= exact / 1_000.0,
                "{quantile}: {measured}"
            );
        }
    }
}
