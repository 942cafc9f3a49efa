//! Durations by the time at which they were due, for what depends on their order: eight bytes each.

use std::time::Duration;

/// Response times and when their operations were due.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Milliseconds since the measurement began, and microseconds.
    samples: Vec<(u32, u32)>,
}

impl Series {
    /// Adds one.
    pub fn push(&mut self, due: Duration, response: Duration) {
        let due_ms = u32::try_from(due.as_millis()).unwrap_or(u32::MAX);
        let response_us = u32::try_from(response.as_micros()).unwrap_or(u32::MAX);
        self.samples.push((due_ms, response_us.max(1)));
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        self.samples.extend(&other.samples);
    }

    /// Counts all as due so much later.
    pub fn delay(&mut self, by: Duration) {
        let by_ms = u32::try_from(by.as_millis()).unwrap_or(u32::MAX);
        for (due_ms, _) in &mut self.samples {
            *due_ms = due_ms.saturating_add(by_ms);
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// When each was due, and its response time.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, Duration)> {
        self.samples.iter().map(|(due_ms, response_us)| {
            let (due, response) = (u64::from(*due_ms), u64::from(*response_us));
            (Duration::from_millis(due), Duration::from_micros(response))
        })
    }

    /// The response times in ms, cut into `number` blocks of equal time from 0 to `window`.
    pub fn blocks(&self, window: Duration, number: usize) -> Vec<Vec<f64>> {
        let mut blocks = vec![Vec::new(); number];
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).max(1);
        let last = u64::try_from(number).unwrap_or(u64::MAX).saturating_sub(1);
        for (due_ms, response_us) in &self.samples {
            let place = u64::from(*due_ms).saturating_mul(last + 1) / window_ms;
            let place = usize::try_from(place.min(last)).unwrap_or_default();
            if let Some(block) = blocks.get_mut(place) {
                block.push(f64::from(*response_us) / 1_000.0);
            }
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_what_was_due_in_its_time() {
        let ms = Duration::from_millis;
        let (mut series, mut other) = (Series::default(), Series::default());
        series.push(ms(0), ms(5));
        series.push(ms(999), ms(6));
        other.push(ms(250), Duration::ZERO);
        // Due later than the window, of a run that was cut short.
        other.push(ms(2_000), ms(8));
        series.merge(&other);
        let blocks = series.blocks(ms(1_000), 4);
        assert_eq!(blocks, [vec![5.0], vec![0.001], vec![], vec![6.0, 8.0]]);
        assert_eq!((series.len(), series.is_empty()), (4, false));
        assert_eq!(
            Series::default().blocks(Duration::ZERO, 2),
            vec![Vec::<f64>::new(); 2]
        );
    }

    #[test]
    fn what_is_delayed_falls_due_later_and_takes_as_long() {
        let ms = Duration::from_millis;
        let mut series = Series::default();
        series.push(ms(0), ms(5));
        series.push(ms(999), ms(6));
        series.delay(ms(1_000));
        let delayed: Vec<_> = series.iter().collect();
        assert_eq!(delayed, [(ms(1_000), ms(5)), (ms(1_999), ms(6))]);
        assert_eq!(series.blocks(ms(2_000), 2), [vec![], vec![5.0, 6.0]]);
    }
}
