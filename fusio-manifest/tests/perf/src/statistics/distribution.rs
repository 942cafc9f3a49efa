//! Quantiles of the normal and of Student's distribution.

use std::f64::consts::{PI, SQRT_2};

/// The value that a standard normal variable stays below with this probability; infinite at 0 and 1.
pub fn normal_quantile(probability: f64) -> f64 {
    if probability.is_nan() {
        return f64::NAN;
    }
    if probability <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if probability >= 1.0 {
        return f64::INFINITY;
    }
    // The upper half by symmetry: small probabilities keep their digits.
    if probability > 0.5 {
        return -normal_quantile(1.0 - probability);
    }
    let t = (-2.0 * probability.ln()).sqrt();
    // Hastings' approximation, right to 0.00045, then two of Newton's steps.
    let mut x = -(t
        - (2.515_517 + t * (0.802_853 + t * 0.010_328))
            / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308))));
    for _ in 0..2 {
        let density = (-x * x / 2.0).exp() / (2.0 * PI).sqrt();
        x -= (normal_below(x) - probability) / density;
    }
    x
}

/// The probability that a standard normal variable is below `x`, which is 0 or less.
fn normal_below(x: f64) -> f64 {
    let x = -x / SQRT_2;
    // The complementary error function: its series near 0, its continued fraction far from it.
    if x < 2.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..60_u32 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return 0.5 - sum / PI.sqrt();
    }
    let mut fraction = x;
    for n in (1..=60_u32).rev() {
        fraction = x + f64::from(n) / 2.0 / fraction;
    }
    (-x * x).exp() / (fraction * PI.sqrt()) / 2.0
}

/// The same of Student's distribution with so many degrees of freedom, by the expansion of Cornish and Fisher:
/// right to 1 % from 10 degrees on and up to 4 standard deviations. Infinite below 1 degree.
pub fn student_quantile(probability: f64, degrees: f64) -> f64 {
    let z = normal_quantile(probability);
    if !z.is_finite() {
        return z;
    }
    if degrees < 1.0 {
        return f64::INFINITY.copysign(z);
    }
    let square = z * z;
    let terms = [
        (square + 1.0) / 4.0,
        ((5.0 * square + 16.0) * square + 3.0) / 96.0,
        (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) / 384.0,
        ((((79.0 * square + 776.0) * square + 1_482.0) * square - 1_920.0) * square - 945.0) / 92_160.0,
    ];
    let factor = terms.iter().rev().fold(0.0, |sum, term| (sum + term) / degrees);
    z * (1.0 + factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64, tolerance: f64) {
        assert!((got - want).abs() <= tolerance, "{got} instead of {want}");
    }

    #[test]
    fn normal_quantiles_are_those_of_the_tables() {
        for (probability, want) in [
            (0.5, 0.0),
            (0.975, 1.959_963_985),
            (0.025, -1.959_963_985),
            (0.99, 2.326_347_874),
            (0.999_5, 3.290_526_731),
            (1e-6, -4.753_424_309),
        ] {
            near(normal_quantile(probability), want, 1e-6);
        }
        assert!(normal_quantile(f64::NAN).is_nan() && normal_quantile(1.0).is_infinite());
    }

    #[test]
    fn student_quantiles_are_those_of_the_tables() {
        for (probability, degrees, want) in [
            (0.975, 10.0, 2.228),
            (0.995, 20.0, 2.845),
            (0.999_5, 14.0, 4.140),
            (0.999_5, 46.0, 3.515),
        ] {
            near(student_quantile(probability, degrees), want, want * 0.01);
        }
        near(student_quantile(0.025, 1e9), -1.96, 0.001);
        assert!(student_quantile(0.9, 0.0).is_infinite());
    }
}
