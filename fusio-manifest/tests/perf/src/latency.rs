//! How long a simulated object store takes: a draw from a lognormal per request, plus time per byte.

use std::{error::Error, fmt, str::FromStr, time::Duration};

use rand::{Rng, RngExt as _};

#[cfg(test)]
mod tests;

/// What a request is, as far as its latency, its price and faults are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestClass {
    /// GET or HEAD of an object, conditional or not, and of a bucket's settings.
    Get,
    /// PUT without a condition.
    Put,
    /// PUT with If-Match or If-None-Match.
    Cas,
    /// DELETE of one or many objects.
    Delete,
    /// A page of a listing.
    List,
}

impl RequestClass {
    /// Every class, in the order of reports.
    pub const ALL: [Self; 5] = [Self::Get, Self::Put, Self::Cas, Self::Delete, Self::List];

    /// The word for it in settings and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Cas => "cas",
            Self::Delete => "delete",
            Self::List => "list",
        }
    }
}

impl fmt::Display for RequestClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A lognormal distribution of latencies: `ln(latency)` is normal.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Lognormal {
    median_ms: f64,
    /// The standard deviation of `ln(latency)`; 0 means that every draw is the median.
    sigma: f64,
}

/// The latencies of a store, as `PERF_LATENCY` gives them.
///
/// The text is `s3-standard`, `s3-express`, `none`, or
/// `get=MEDIAN[:SIGMA],put=MEDIAN[:SIGMA],cas=MEDIAN[:SIGMA][,per_mib=MS]`, medians in milliseconds,
/// SIGMA 0 and `per_mib` 20 unless told. `Display` gives back a text that parses to the same profile.
///
/// LIST takes a GET's draw (both only read) and DELETE an unconditional PUT's (both must be durable): no
/// figures for them are published, and neither is on the path of a commit or a read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyProfile {
    get: Lognormal,
    put: Lognormal,
    cas: Lognormal,
    per_mib_ms: f64,
}

/// No draw is longer than this: a store that slow has failed.
const LONGEST: Duration = Duration::from_secs(60);
const MEDIAN_MS_MAX: f64 = 60_000.0;
const SIGMA_MAX: f64 = 3.0;
const PER_MIB_MS_MAX: f64 = 10_000.0;
const PER_MIB_MS_DEFAULT: f64 = 20.0;
const BYTES_PER_MIB: f64 = 1_048_576.0;

impl LatencyProfile {
    /// No injected latency.
    pub const NONE: Self = Self {
        get: Lognormal {
            median_ms: 0.0,
            sigma: 0.0,
        },
        put: Lognormal {
            median_ms: 0.0,
            sigma: 0.0,
        },
        cas: Lognormal {
            median_ms: 0.0,
            sigma: 0.0,
        },
        per_mib_ms: 0.0,
    };

    /// S3 Standard, all published: p50/p95/p99 of 27/75/114 ms for GET, 60/97/118 for PUT, 61/77/85 for a
    /// conditional PUT, and about 20 ms per MiB (endive, UNCONDITIONAL.md; sigma fitted to its percentiles).
    pub const S3_STANDARD: Self = Self {
        get: Lognormal {
            median_ms: 27.0,
            sigma: 0.62,
        },
        put: Lognormal {
            median_ms: 60.0,
            sigma: 0.29,
        },
        cas: Lognormal {
            median_ms: 61.0,
            sigma: 0.14,
        },
        per_mib_ms: PER_MIB_MS_DEFAULT,
    };

    /// S3 Express One Zone. Published: the conditional PUT, 22/32/37 ms (the same source). Assumed: PUT as
    /// the conditional PUT, since the two medians of S3 Standard are 1 ms apart; GET 9 ms with sigma 0.3,
    /// since AWS promises "single-digit milliseconds" and gives no distribution; S3 Standard's time per MiB.
    pub const S3_EXPRESS: Self = Self {
        get: Lognormal {
            median_ms: 9.0,
            sigma: 0.3,
        },
        put: Lognormal {
            median_ms: 22.0,
            sigma: 0.22,
        },
        cas: Lognormal {
            median_ms: 22.0,
            sigma: 0.22,
        },
        per_mib_ms: PER_MIB_MS_DEFAULT,
    };

    const NAMED: [(&'static str, Self); 3] = [
        ("s3-standard", Self::S3_STANDARD),
        ("s3-express", Self::S3_EXPRESS),
        ("none", Self::NONE),
    ];

    /// The latency of one request that moves `bytes` in either direction; 60 s at most.
    ///
    /// Every call takes the same number of values from `rng`, whatever the class and the profile.
    pub fn draw(&self, class: RequestClass, bytes: u64, rng: &mut impl Rng) -> Duration {
        let shape = self.shape(class);
        let first_byte_ms = shape.median_ms * (shape.sigma * standard_normal(rng)).exp();
        span_of_ms(first_byte_ms)
            .saturating_add(self.transfer(bytes))
            .min(LONGEST)
    }

    /// The part of a draw that the size decides.
    pub fn transfer(&self, bytes: u64) -> Duration {
        span_of_ms(self.per_mib_ms * (bytes as f64 / BYTES_PER_MIB))
    }

    /// The median of the class without a body: what a report compares with.
    pub fn median(&self, class: RequestClass) -> Duration {
        span_of_ms(self.shape(class).median_ms)
    }

    fn shape(&self, class: RequestClass) -> Lognormal {
        match class {
            RequestClass::Get | RequestClass::List => self.get,
            RequestClass::Put | RequestClass::Delete => self.put,
            RequestClass::Cas => self.cas,
        }
    }
}

fn span_of_ms(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1_000.0)
        .unwrap_or(LONGEST)
        .min(LONGEST)
}

/// A draw from the standard normal distribution (Box and Muller).
fn standard_normal(rng: &mut impl Rng) -> f64 {
    // 1 - [0, 1) is (0, 1]: its logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

impl fmt::Display for Lognormal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.median_ms)?;
        if self.sigma != 0.0 {
            write!(f, ":{}", self.sigma)?;
        }
        Ok(())
    }
}

impl fmt::Display for LatencyProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = Self::NAMED.iter().find(|(_, named)| named == self) {
            return f.write_str(name);
        }
        write!(
            f,
            "get={},put={},cas={},per_mib={}",
            self.get, self.put, self.cas, self.per_mib_ms
        )
    }
}

/// A text that is no latency profile: what is wrong, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseLatencyError {
    text: String,
    problem: String,
}

impl fmt::Display for ParseLatencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "latency `{}`: {}; allowed are s3-standard, s3-express, none, or \
             get=MEDIAN[:SIGMA],put=MEDIAN[:SIGMA],cas=MEDIAN[:SIGMA][,per_mib=MS], such as \
             get=27:0.62,put=60:0.29,cas=61:0.14,per_mib=20 (milliseconds)",
            self.text, self.problem
        )
    }
}

impl Error for ParseLatencyError {}

impl FromStr for LatencyProfile {
    type Err = ParseLatencyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some((_, named)) = Self::NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*named);
        }
        parse_fields(text).map_err(|problem| ParseLatencyError {
            text: text.to_owned(),
            problem,
        })
    }
}

fn parse_fields(text: &str) -> Result<LatencyProfile, String> {
    let (mut get, mut put, mut cas, mut per_mib_ms) = (None, None, None, None);
    for field in text.split(',') {
        let (name, value) = field
            .split_once('=')
            .ok_or_else(|| format!("`{field}` is neither a profile's name nor a field=value"))?;
        let (name, value) = (name.trim(), value.trim());
        let earlier = match name {
            "get" => get.replace(parse_lognormal(name, value)?).is_some(),
            "put" => put.replace(parse_lognormal(name, value)?).is_some(),
            "cas" => cas.replace(parse_lognormal(name, value)?).is_some(),
            "per_mib" => per_mib_ms
                .replace(parse_number(name, value, PER_MIB_MS_MAX)?)
                .is_some(),
            _ => return Err(format!("there is no field `{name}`")),
        };
        if earlier {
            return Err(format!("`{name}` is given twice"));
        }
    }
    let missing = |name: &str| format!("`{name}` is missing");
    Ok(LatencyProfile {
        get: get.ok_or_else(|| missing("get"))?,
        put: put.ok_or_else(|| missing("put"))?,
        cas: cas.ok_or_else(|| missing("cas"))?,
        per_mib_ms: per_mib_ms.unwrap_or(PER_MIB_MS_DEFAULT),
    })
}

fn parse_lognormal(name: &str, value: &str) -> Result<Lognormal, String> {
    let (median, sigma) = value.split_once(':').unwrap_or((value, "0"));
    Ok(Lognormal {
        median_ms: parse_number(name, median, MEDIAN_MS_MAX)?,
        sigma: parse_number(&format!("sigma of {name}"), sigma, SIGMA_MAX)?,
    })
}

fn parse_number(name: &str, text: &str, max: f64) -> Result<f64, String> {
    let problem = || format!("{name} is `{text}`, not a number from 0 to {max}");
    let number: f64 = text.trim().parse().map_err(|_| problem())?;
    // Also false of NaN.
    if (0.0..=max).contains(&number) {
        Ok(number)
    } else {
        Err(problem())
    }
}
