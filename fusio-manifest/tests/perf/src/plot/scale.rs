//! Where a value stands on an axis, and where the axis has its ticks. Pure arithmetic.

/// The most labelled ticks of a linear axis.
const LINEAR_TICKS: f64 = 6.0;
/// Beyond so many decades only powers of ten are labelled.
const DECADES_WITH_STEPS: i32 = 3;
/// Days that are labelled: as many dates as fit.
const DAYS_LABELLED: u32 = 4;
/// A log axis shows at least so much: what differs by less is drawn as the noise that it is.
const LEAST_RATIO: f64 = 2.0;

/// A labelled place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// The value.
    pub(super) at: f64,
    /// As people read it.
    pub(super) label: String,
}

impl Tick {
    pub(super) fn new(at: f64, label: impl Into<String>) -> Self {
        Self {
            at,
            label: label.into(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Linear,
    Log,
    /// Quantiles from 0 to 1, each nine as wide as the one before.
    Quantile,
}

/// An axis from `low` to `high`, both in the space in which it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    kind: Kind,
    low: f64,
    high: f64,
    /// Labelled.
    pub(super) ticks: Vec<Tick>,
    /// A line without a label.
    pub(super) minor: Vec<f64>,
}

impl Scale {
    /// From 0 to at least the largest of the values, ending at a tick.
    pub(super) fn from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        let most = values.into_iter().filter(|v| v.is_finite()).fold(0.0, f64::max);
        Self::linear(0.0, if most > 0.0 { most } else { 1.0 })
    }

    /// From 0 to `high` and not beyond, with about so many ticks: for time, of which there is no more.
    pub(super) fn until(high: f64, ticks: f64) -> Self {
        let high = if high > 0.0 { high } else { 1.0 };
        let step = round_step(high / ticks);
        let mut all = Vec::new();
        let mut at = 0.0;
        while at <= high + step * 1e-6 {
            all.push(Tick::new(at, plain(at)));
            at += step;
        }
        Self {
            kind: Kind::Linear,
            low: 0.0,
            high,
            ticks: all,
            minor: Vec::new(),
        }
    }

    /// From `low` to `high`, each rounded outward to a tick.
    pub(super) fn linear(low: f64, high: f64) -> Self {
        let step = round_step((high - low) / (LINEAR_TICKS - 1.0));
        let (first, last) = ((low / step).floor(), (high / step - 1e-9).ceil());
        let mut ticks = Vec::new();
        let mut number = first;
        while number <= last {
            ticks.push(Tick::new(number * step, plain(number * step)));
            number += 1.0;
        }
        Self {
            kind: Kind::Linear,
            low: first * step,
            high: last * step,
            ticks,
            minor: Vec::new(),
        }
    }

    /// Around the values that are above 0, rounded outward to 1, 2 or 5 times a power of ten. One decade from 1 if
    /// there are none.
    pub(super) fn log(values: impl IntoIterator<Item = f64>) -> Self {
        let positive = values.into_iter().filter(|v| v.is_finite() && *v > 0.0);
        let (mut low, mut high) = positive.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        let (low, high) = (step_below(low), step_above(high.max(low * LEAST_RATIO)));
        let decades = high.log10().ceil() - low.log10().floor();
        let labelled: &[f64] = if decades > f64::from(DECADES_WITH_STEPS) {
            &[1.0]
        } else if high / low < 9.0 {
            &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let all = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        let ticks = within(low, high, labelled)
            .into_iter()
            .map(|at| Tick::new(at, plain(at)));
        let ticks: Vec<_> = ticks.collect();
        let minor = within(low, high, &all)
            .into_iter()
            .filter(|at| !ticks.iter().any(|tick| near(tick.at, *at)))
            .collect();
        Self {
            kind: Kind::Log,
            low: low.log10(),
            high: high.log10(),
            ticks,
            minor,
        }
    }

    /// Quantiles from the median on, as HDR histograms are drawn: up to the largest of so many samples.
    pub(super) fn quantiles(samples_max: u64) -> Self {
        let known = [
            (0.5, "50"),
            (0.9, "90"),
            (0.99, "99"),
            (0.999, "99.9"),
            (0.999_9, "99.99"),
            (0.999_99, "99.999"),
        ];
        let high = nines(quantile_of_max(samples_max)).max(nines(0.99));
        let ticks = known.iter().filter(|(at, _)| nines(*at) <= high + 1e-9);
        Self {
            kind: Kind::Quantile,
            low: nines(0.5),
            high: high + (high - nines(0.5)) * 0.03,
            ticks: ticks.map(|(at, label)| Tick::new(*at, *label)).collect(),
            minor: Vec::new(),
        }
    }

    /// Names in the order given, at 0, 1, 2, ...
    pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let ticks: Vec<_> = (0_u32..)
            .zip(names)
            .map(|(place, name)| Tick::new(f64::from(place), name))
            .collect();
        let last = ticks.last().map_or(0.0, |tick| tick.at);
        Self {
            kind: Kind::Linear,
            low: -0.5,
            high: last + 0.5,
            ticks,
            minor: Vec::new(),
        }
    }

    /// Days, as a calendar counts them, each with its name; some of them are labelled.
    pub(super) fn nights(days: &[(f64, &str)]) -> Self {
        let low = days.iter().map(|(day, _)| *day).fold(f64::INFINITY, f64::min);
        let high = days.iter().map(|(day, _)| *day).fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low < high {
            (low, high)
        } else {
            (low - 1.0, low + 1.0)
        };
        let mut ticks: Vec<Tick> = Vec::new();
        for part in 0..DAYS_LABELLED {
            let wanted = low + (high - low) * f64::from(part) / f64::from(DAYS_LABELLED - 1);
            let nearest = days
                .iter()
                .min_by(|(one, _), (other, _)| (one - wanted).abs().total_cmp(&(other - wanted).abs()));
            if let Some((day, name)) = nearest
                && !ticks.iter().any(|tick| near(tick.at, *day))
            {
                ticks.push(Tick::new(*day, *name));
            }
        }
        let air = (high - low) * 0.03;
        Self {
            kind: Kind::Linear,
            low: low - air,
            high: high + air,
            ticks,
            minor: Vec::new(),
        }
    }

    /// True if equal distances are equal ratios.
    pub(super) fn is_log(&self) -> bool {
        self.kind == Kind::Log
    }

    /// 0 at the axis's low end, 1 at its high end; none for what cannot be drawn on it.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let drawn = match self.kind {
            Kind::Linear => value,
            Kind::Log => value.log10(),
            Kind::Quantile => nines(value),
        };
        let place = (drawn - self.low) / (self.high - self.low);
        (place.is_finite() && (-0.001..=1.001).contains(&place)).then_some(place)
    }
}

/// The quantile at which the largest of so many samples stands.
pub(super) fn quantile_of_max(samples: u64) -> f64 {
    1.0 - 0.5 / samples.max(1) as f64
}

fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

/// 1, 2 or 5 times a power of ten, and at least `least`.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(least)
}

fn step_above(value: f64) -> f64 {
    round_step(value)
}

fn step_below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|step| *step <= value * (1.0 + 1e-9))
        .unwrap_or(value)
}

/// These multiples of every power of ten, between both ends.
fn within(low: f64, high: f64, multiples: &[f64]) -> Vec<f64> {
    let mut found = Vec::new();
    let mut power = low.log10().floor();
    while power <= high.log10() + 1e-9 {
        let unit = 10_f64.powf(power);
        let all = multiples.iter().map(|multiple| multiple * unit);
        found.extend(all.filter(|at| *at >= low * (1.0 - 1e-9) && *at <= high * (1.0 + 1e-9)));
        power += 1.0;
    }
    found
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
}

/// A number as short as it can be said, with commas between thousands: 0.05, 20, 1,500.
pub(super) fn plain(number: f64) -> String {
    let text = format!("{number:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (sign, text) = text
        .strip_prefix('-')
        .map_or(("", text), |positive| ("-", positive));
    let (whole, rest) = text
        .split_once('.')
        .map_or((text, ""), |(whole, rest)| (whole, rest));
    if whole == "0" && rest.is_empty() {
        return "0".to_owned();
    }
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{rest}", thousands(whole))
}

/// Commas between the thousands of a row of digits.
pub(super) fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<&str> {
        scale.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_cover_the_values() {
        assert_eq!(
            labels(&Scale::from_zero([0.2, 0.02])),
            ["0", "0.05", "0.1", "0.15", "0.2"]
        );
        assert_eq!(labels(&Scale::from_zero([60.0])), ["0", "20", "40", "60"]);
        assert_eq!(
            labels(&Scale::from_zero([1_234.0])),
            ["0", "500", "1,000", "1,500"]
        );
        assert_eq!(
            labels(&Scale::from_zero([0.0, f64::NAN])),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
        let scale = Scale::from_zero([0.3]);
        assert_eq!(scale.place(0.0), Some(0.0));
        assert!(scale.place(0.3).is_some());
    }

    #[test]
    fn time_ends_when_it_ends() {
        let scale = Scale::until(31.0, 8.0);
        assert_eq!(labels(&scale), ["0", "5", "10", "15", "20", "25", "30"]);
        assert_eq!(scale.place(31.0), Some(1.0));
        assert_eq!(labels(&Scale::until(0.0, 2.0)), ["0", "0.5", "1"]);
    }

    #[test]
    fn log_ticks_are_round_and_cover_the_values() {
        assert_eq!(
            labels(&Scale::log([61.0, 64.0])),
            ["50", "70", "100", "150", "200"]
        );
        assert_eq!(
            labels(&Scale::log([27.0, 1_400.0])),
            ["20", "50", "100", "200", "500", "1,000", "2,000"]
        );
        assert_eq!(
            labels(&Scale::log([0.1, 59_000.0])),
            ["0.1", "1", "10", "100", "1,000", "10,000", "100,000"]
        );
        assert_eq!(labels(&Scale::log([])), ["1", "2", "5", "10"]);
        assert_eq!(labels(&Scale::log([0.0, -1.0, f64::NAN])), ["1", "2", "5", "10"]);
        let scale = Scale::log([27.0, 1_400.0]);
        assert!(scale.place(200.0).is_some_and(|place| (place - 0.5).abs() < 1e-9));
        assert!(
            scale.minor.contains(&30.0) && !scale.minor.contains(&50.0),
            "{:?}",
            scale.minor
        );
    }

    #[test]
    fn days_stand_where_the_calendar_has_them_and_some_are_labelled() {
        let days = [
            (100.0, "a"),
            (101.0, "b"),
            (102.0, "c"),
            (103.0, "d"),
            (130.0, "e"),
        ];
        let scale = Scale::nights(&days);
        assert_eq!(labels(&scale), ["a", "d", "e"]);
        let place = |day: f64| scale.place(day).unwrap();
        assert!(place(130.0) - place(103.0) > 8.0 * (place(103.0) - place(100.0)));
        assert_eq!(labels(&Scale::nights(&[(7.0, "only")])), ["only"]);
        let middle = Scale::nights(&[(7.0, "only")]).place(7.0).unwrap();
        assert!((middle - 0.5).abs() < 1e-9, "{middle}");
        assert!(labels(&Scale::nights(&[])).is_empty());
    }

    #[test]
    fn what_has_no_place_is_not_drawn() {
        let scale = Scale::log([10.0, 100.0]);
        for value in [0.0, -5.0, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(scale.place(value), None, "{value}");
        }
    }

    #[test]
    fn each_nine_of_a_percentile_is_as_wide_as_the_last() {
        let scale = Scale::quantiles(24_000);
        assert_eq!(labels(&scale), ["50", "90", "99", "99.9", "99.99"]);
        let place = |quantile| scale.place(quantile).unwrap();
        let (one, other) = (place(0.99) - place(0.9), place(0.999) - place(0.99));
        assert!((one - other).abs() < 1e-9, "{one} {other}");
        assert!(scale.place(quantile_of_max(24_000)).is_some());
        assert_eq!(labels(&Scale::quantiles(1)), ["50", "90", "99"]);
    }

    #[test]
    fn numbers_are_said_shortly() {
        let said = [0.02, 1.0, 1_500.0, 1_234_567.0, -2_000.5, 0.0, -0.0].map(plain);
        assert_eq!(said, ["0.02", "1", "1,500", "1,234,567", "-2,000.5", "0", "0"]);
    }
}
