//! What makes two runs the same sweep: only then may one go on where the other ended.

use std::{fs, time::Duration};

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use crate::{
    config::{WorkloadConfig, create_config_label},
    environment::revision,
    settings::{Arrivals, Settings, StoreSettings},
};

/// Of the records: others are not read.
const FORMAT: u32 = 1;

/// Everything that decides what a cell comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    format: u32,
    /// Label and seconds of each cell.
    cells: Vec<(String, f64)>,
    parallel: u32,
    store: String,
    bucket: Option<String>,
    endpoint: Option<String>,
    latency: Option<String>,
    faults: Option<String>,
    seed: u64,
    writer_kind: String,
    arrivals: String,
    in_flight: u32,
    warmup_s: f64,
    /// The commit of the tree.
    revision: Option<String>,
    /// The digest of the program, where the revision does not tell what it was made of.
    program: Option<String>,
}

impl Identity {
    /// That of a sweep of these cells with these settings, by this program.
    pub(super) fn new(settings: &Settings, cells: &[WorkloadConfig]) -> Self {
        let (bucket, endpoint) = match &settings.store {
            StoreSettings::S3 { bucket, endpoint, .. } => (Some(bucket.clone()), endpoint.clone()),
            StoreSettings::Embedded { .. } | StoreSettings::Simulated { .. } => (None, None),
        };
        let revision = revision();
        let tells = revision
            .as_ref()
            .is_some_and(|revision| !revision.ends_with("-dirty"));
        Self {
            format: FORMAT,
            cells: (cells.iter())
                .map(|config| (create_config_label(config), config.duration.as_secs_f64()))
                .collect(),
            parallel: settings.parallel,
            store: settings.store.name().to_owned(),
            bucket,
            endpoint,
            latency: settings.latency().map(str::to_owned),
            faults: settings.store.faults().map(str::to_owned),
            seed: settings.seed,
            writer_kind: settings.writer_kind.as_str().to_owned(),
            arrivals: match settings.arrivals {
                Arrivals::Periodic => "periodic".to_owned(),
                Arrivals::Poisson => "poisson".to_owned(),
            },
            in_flight: settings.in_flight,
            warmup_s: Duration::as_secs_f64(&settings.warmup),
            program: if tells { None } else { program() },
            revision,
        }
    }

    /// The first thing in which they differ, by name; none if they are the same sweep.
    pub(super) fn differs(&self, other: &Self) -> Option<String> {
        let fields = |identity| match serde_json::to_value(identity) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let theirs = fields(other);
        let mut own = fields(self).into_iter();
        own.find(|(name, value)| theirs.get(name) != Some(value))
            .map(|(name, _)| name)
    }
}

/// The digest of this program; none if it cannot be read.
fn program() -> Option<String> {
    let bytes = fs::read(std::env::current_exe().ok()?).ok()?;
    let digest = Md5::digest(bytes);
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::generate_all_configs_v2;

    fn identity(vars: &[(&str, &str)]) -> Identity {
        let settings = Settings::from_env(vars.iter().copied()).unwrap();
        Identity::new(&settings, &generate_all_configs_v2())
    }

    #[test]
    fn the_same_settings_are_the_same_sweep() {
        let text = serde_json::to_string(&identity(&[])).unwrap();
        let read: Identity = serde_json::from_str(&text).unwrap();
        assert_eq!(identity(&[]).differs(&read), None);
        assert_eq!(identity(&[("PERF_OUT", "elsewhere")]).differs(&read), None);
    }

    #[test]
    fn whatever_decides_a_number_makes_it_another_sweep_and_is_named() {
        let bucket = [("PERF_STORE", "s3"), ("PERF_S3_BUCKET", "perf")];
        let cases: [(&[_], &[_], &str); 9] = [
            (&[], &[("PERF_SEED", "7")], "seed"),
            (&[], &[("PERF_LATENCY", "none")], "latency"),
            (&[], &[("PERF_FAULTS", "cas drop")], "faults"),
            (&[], &[("PERF_STORE", "simulated")], "store"),
            (&[], &[("PERF_PARALLEL", "4")], "parallel"),
            (&[], &[("PERF_WRITER_KIND", "writer")], "writer_kind"),
            (&[], &[("PERF_ARRIVALS", "poisson")], "arrivals"),
            (&[], &[("PERF_WARMUP_SECS", "1")], "warmup_s"),
            (&bucket, &[("PERF_S3_ENDPOINT", "http://localhost:1")], "endpoint"),
        ];
        for (base, more, name) in cases {
            let other = identity(&[base, more].concat());
            assert_eq!(identity(base).differs(&other).as_deref(), Some(name));
        }
        let settings = Settings::from_env([("", ""); 0]).unwrap();
        let shorter = Identity::new(&settings, &generate_all_configs_v2()[1..]);
        assert_eq!(identity(&[]).differs(&shorter).as_deref(), Some("cells"));
    }
}
