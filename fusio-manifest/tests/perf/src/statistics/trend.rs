//! Whether a series rises over a run, told apart from its noise, its outliers and its saw-teeth.

use super::ranks::median;

/// Fewer points say nothing about a trend.
pub const POINTS_MIN: usize = 12;

/// From the median of absolute deviations to a standard deviation, for a normal distribution.
const DEVIATIONS: f64 = 1.482_6;

/// What a series does from its first point to its last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// The level.
    pub median: f64,
    /// How much it rises: the larger of what the slope comes to over the whole span, and of the difference between the
    /// medians of its last and its first third. The first finds what grows all the time, the second what begins late.
    pub rise: f64,
    /// The same downwards, a positive number if it falls.
    pub fall: f64,
    /// The standard error of both, from what is left when the slope is taken away, as if that were independent.
    pub error: f64,
}

impl Trend {
    /// Of points in the order of their times; none of too few, or of points at one time.
    pub fn of(points: &[(f64, f64)]) -> Option<Self> {
        if points.len() < POINTS_MIN {
            return None;
        }
        let values = |points: &[(f64, f64)]| points.iter().map(|(_, value)| *value).collect::<Vec<_>>();
        let (first, last) = (points.first()?, points.last()?);
        let span = last.0 - first.0;
        if span <= 0.0 {
            return None;
        }
        let slope = theil_sen(points)?;
        let third = points.len() / 3;
        let thirds = points.get(..third).zip(points.get(points.len() - third..));
        let (early, late) = thirds?;
        let step = median(&values(late))? - median(&values(early))?;
        let rest: Vec<f64> = points.iter().map(|(time, value)| value - slope * time).collect();
        let level = median(&rest)?;
        let deviations: Vec<f64> = rest.iter().map(|value| (value - level).abs()).collect();
        // A slope's error over n points evenly spaced is sigma sqrt(12 / n) over their span.
        let error = median(&deviations)? * DEVIATIONS * (12.0 / points.len() as f64).sqrt();
        Some(Self {
            median: median(&values(points))?,
            rise: (slope * span).max(step),
            fall: -(slope * span).min(step),
            error,
        })
    }
}

/// The median of the slopes between all pairs of points: up to 29 % of them may be anything (Theil and Sen).
fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (place, (time, value)) in points.iter().enumerate() {
        for (later, other) in points.iter().skip(place + 1) {
            if later > time {
                slopes.push((other - value) / (later - time));
            }
        }
    }
    median(&slopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl Fn(f64) -> f64) -> Trend {
        let points: Vec<_> = (0..150)
            .map(|number| (f64::from(number) * 10.0, values(f64::from(number))))
            .collect();
        Trend::of(&points).unwrap()
    }

    /// The same numbers every time, between -1 and 1.
    fn noise(number: f64) -> f64 {
        let mixed = (number + 1.0) * 12.989_8;
        (mixed.sin() * 43_758.545_3).fract()
    }

    #[test]
    fn a_slope_is_found_through_noise_and_outliers() {
        let trend = of(|number| 100.0 + number + 20.0 * noise(number));
        assert!((trend.rise - 149.0).abs() < 15.0, "{trend:?}");
        assert!(
            trend.error > 1.0 && trend.error < 10.0 && trend.fall < 0.0,
            "{trend:?}"
        );
        let outliers = of(|number| if number % 5.0 == 0.0 { 1e6 } else { 100.0 + number });
        assert!((outliers.rise - 149.0).abs() < 40.0, "{outliers:?}");
    }

    #[test]
    fn noise_and_saw_teeth_are_flat() {
        for flat in [
            of(|number| 100.0 + 20.0 * noise(number)),
            of(|number| 100.0 + 10.0 * (number % 7.0)),
            of(|number| 100.0 + 3.0 * (number % 40.0)),
            of(|_| 100.0),
        ] {
            assert!(flat.rise.abs() - 3.0 * flat.error <= 1e-9, "{flat:?}");
            assert!(flat.fall.abs() - 3.0 * flat.error <= 1e-9, "{flat:?}");
        }
    }

    #[test]
    fn what_begins_to_grow_late_is_found() {
        let trend = of(|number| 100.0 + (number - 100.0).max(0.0));
        assert!(trend.rise > 20.0, "{trend:?}");
        let falling = of(|number| 100.0 - (number - 100.0).max(0.0));
        assert!(falling.fall > 20.0 && falling.rise <= 0.0, "{falling:?}");
    }

    #[test]
    fn too_little_is_no_trend() {
        let points: Vec<_> = (0..11).map(|number| (f64::from(number), 1.0)).collect();
        assert_eq!(Trend::of(&points), None);
        assert_eq!(Trend::of(&[(1.0, 1.0); 20]), None);
    }
}
