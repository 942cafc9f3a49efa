//! What requests cost.

use crate::{requests::RequestCounts, settings::StoreSettings};

/// The prices of one storage class, in US dollars.
///
/// A conditional request costs what one without a condition does, and so does one that failed its condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriceTable {
    /// Storage class and region.
    pub name: &'static str,
    /// Where the prices were published.
    pub source: &'static str,
    /// 1,000 PUT or LIST.
    pub per_1000_puts: f64,
    /// 1,000 GET or HEAD.
    pub per_1000_gets: f64,
    /// A GB (10^9 bytes) sent.
    pub per_gb_up: f64,
    /// A GB (10^9 bytes) received.
    pub per_gb_down: f64,
}

/// S3 Standard. DELETE is free.
pub const S3_STANDARD: PriceTable = PriceTable {
    name: "s3-standard us-east-1",
    source: "https://aws.amazon.com/s3/pricing/",
    per_1000_puts: 0.005,
    per_1000_gets: 0.000_4,
    per_gb_up: 0.0,
    per_gb_down: 0.0,
};

/// S3 Express One Zone, which also charges for bytes. DELETE is free.
pub const S3_EXPRESS: PriceTable = PriceTable {
    name: "s3-express us-east-1",
    source: "https://aws.amazon.com/s3/pricing/",
    per_1000_puts: 0.001_13,
    per_1000_gets: 0.000_03,
    per_gb_up: 0.003_2,
    per_gb_down: 0.000_6,
};

impl PriceTable {
    /// The prices of the store that is measured or of the one that it stands for: Express
    /// for its latency profile and for directory buckets, whose names end in `--x-s3`, else Standard.
    pub fn of(store: &StoreSettings) -> &'static Self {
        let express = match store {
            StoreSettings::Embedded { latency, .. } | StoreSettings::Simulated { latency, .. } => {
                latency == "s3-express"
            }
            StoreSettings::S3 { bucket, .. } => bucket.ends_with("--x-s3"),
        };
        if express { &S3_EXPRESS } else { &S3_STANDARD }
    }

    /// The table of this name, as it stands in results.
    pub fn named(name: &str) -> Option<&'static Self> {
        [&S3_STANDARD, &S3_EXPRESS]
            .into_iter()
            .find(|table| table.name == name)
    }

    /// Dollars for these requests.
    pub fn dollars(&self, counts: &RequestCounts) -> f64 {
        let puts = counts.conditional_put.requests + counts.put.requests + counts.list.requests;
        let gets = counts.conditional_get.requests + counts.get.requests;
        let up = counts.conditional_put.bytes + counts.put.bytes;
        let down = counts.conditional_get.bytes + counts.get.bytes + counts.list.bytes;
        (puts as f64 * self.per_1000_puts + gets as f64 * self.per_1000_gets) / 1_000.0
            + (up as f64 * self.per_gb_up + down as f64 * self.per_gb_down) / 1e9
    }

    /// Dollars for `lost` of the conditional PUTs, each as large as their mean.
    pub fn dollars_of_lost(&self, lost: u64, counts: &RequestCounts) -> f64 {
        let all = counts.conditional_put;
        let mean_bytes = if all.requests == 0 {
            0.0
        } else {
            all.bytes as f64 / all.requests as f64
        };
        lost as f64 * (self.per_1000_puts / 1_000.0 + mean_bytes * self.per_gb_up / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::ClassCount;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    fn counts() -> RequestCounts {
        RequestCounts {
            conditional_put: ClassCount {
                requests: 1_000,
                bytes: 500_000_000,
            },
            put: ClassCount {
                requests: 2_000,
                bytes: 1_500_000_000,
            },
            conditional_get: ClassCount {
                requests: 10_000,
                bytes: 0,
            },
            get: ClassCount {
                requests: 5_000,
                bytes: 3_000_000_000,
            },
            list: ClassCount {
                requests: 1_000,
                bytes: 1_000_000_000,
            },
            delete: ClassCount {
                requests: 9_999,
                bytes: 0,
            },
        }
    }

    #[test]
    fn standard_charges_for_requests_alone() {
        // 4 thousand PUT and LIST at 0.5 cents, 15 thousand GET at 0.04 cents.
        close(S3_STANDARD.dollars(&counts()), 0.020 + 0.006);
    }

    #[test]
    fn express_charges_for_bytes_too() {
        // 4 x 0.00113 + 15 x 0.00003, 2 GB up at 0.0032, 4 GB down at 0.0006.
        close(
            S3_EXPRESS.dollars(&counts()),
            0.004_52 + 0.000_45 + 0.006_4 + 0.002_4,
        );
    }

    #[test]
    fn a_lost_put_costs_as_much_as_one_that_won() {
        close(S3_STANDARD.dollars_of_lost(200, &counts()), 0.001);
        // 500 KB each: 200 x (0.00000113 + 0.0005 GB x 0.0032).
        close(
            S3_EXPRESS.dollars_of_lost(200, &counts()),
            200.0 * (0.000_001_13 + 0.000_001_6),
        );
        close(S3_EXPRESS.dollars_of_lost(0, &RequestCounts::default()), 0.0);
    }

    #[test]
    fn prices_follow_the_store_that_is_stood_for() {
        let embedded = |latency: &str| StoreSettings::Embedded {
            latency: latency.to_owned(),
            faults: None,
        };
        let real = |bucket: &str| StoreSettings::S3 {
            bucket: bucket.to_owned(),
            endpoint: None,
            create_bucket: false,
        };
        assert_eq!(PriceTable::of(&embedded("s3-express")), &S3_EXPRESS);
        assert_eq!(PriceTable::of(&embedded("get=1:0.1")), &S3_STANDARD);
        assert_eq!(PriceTable::of(&real("logs--use1-az4--x-s3")), &S3_EXPRESS);
        assert_eq!(PriceTable::of(&real("logs")), &S3_STANDARD);
    }
}
