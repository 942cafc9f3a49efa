//! A sweep in virtual time: every cell measured apart, stopped and gone on with, the same bytes from the same seed.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use super::{super::tests::simulated, *};

/// Cells of two seconds, which end in no time.
const TINY: &[(&str, &str)] = &[
    ("PERF_DURATION_SECS", "2"),
    ("PERF_READER_RATE", "10"),
    ("PERF_WARMUP_SECS", "0.2"),
];

/// The files of a run by name, those of its cells too.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            let inner = files(&entry.path()).into_iter();
            found.extend(inner.map(|(inner, text)| (format!("{name}/{inner}"), text)));
        } else {
            found.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}

fn column(csv: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let place = reader.headers().unwrap().iter().position(|column| column == name);
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| row[place.unwrap()].to_owned()).collect()
}

fn settings(vars: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::from_env(vars.iter().copied()).unwrap();
    adjust(&mut settings).unwrap();
    settings
}

#[test]
fn every_cell_has_its_row_and_passes_and_the_bytes_follow_the_seed() {
    let run = |vars: &[(&str, &str)]| {
        simulated(&[TINY, vars].concat(), async |context| {
            let ended = measure(context).await;
            let fields = ended.fields.unwrap();
            assert_eq!(
                (ended.verdict, ended.valid, ended.reason),
                (Verdict::Pass, true, None)
            );
            assert_eq!(
                (fields.cells, fields.valid_cells, fields.failed_cells),
                (15, 15, 0)
            );
            assert_eq!((fields.resumed_cells, fields.repeated_cells), (0, 0));
            files(context.folder.path())
        })
    };
    let first = run(&[]);
    let csv = &first["comprehensive_sweep_v2.csv"];
    assert_eq!(column(csv, "config_label"), labels(&configs(&settings(TINY))));
    assert!(csv.lines().all(|line| line.split(',').count() == 26), "{csv}");
    let detail = &first["comprehensive_sweep_v2_detail.csv"];
    assert_eq!(column(detail, "config_label"), column(csv, "config_label"));
    assert_eq!(column(detail, "verdict"), ["pass"; 15]);
    assert_eq!(column(detail, "valid"), ["true"; 15]);
    assert_eq!(first, run(&[]));
    let other = run(&[("PERF_SEED", "43")]);
    assert_ne!(
        first["comprehensive_sweep_v2.csv"],
        other["comprehensive_sweep_v2.csv"]
    );
}

#[test]
fn cells_that_run_at_once_count_their_own_requests_only() {
    simulated(TINY, async |context| {
        let fields = measure(context).await.fields.unwrap();
        let detail = fs::read_to_string(context.folder.path().join(format!("{STEM}_detail.csv"))).unwrap();
        // Two readers at 10/s for 2 s, one GET each.
        assert_eq!(column(&detail, "read_response_samples"), ["40"; 15]);
        assert_eq!(column(&detail, "readers_conditional_get_requests"), ["40"; 15]);
        assert_eq!(column(&detail, "floor_conditional_put_requests"), ["4"; 15]);
        // The bill of the run is that of its cells and of what belongs to none.
        let mut all = 0;
        for class in [
            "conditional_put",
            "put",
            "conditional_get",
            "get",
            "list",
            "delete",
        ] {
            let counts = column(&detail, &format!("total_{class}_requests"));
            all += counts
                .iter()
                .map(|count| count.parse::<u64>().unwrap())
                .sum::<u64>();
        }
        let other = context.store.meters.total().total();
        assert_eq!(
            (fields.requests, context.store.meters.writers.counts().total()),
            (all + other, 0)
        );
    });
}

#[test]
fn what_was_killed_is_finished_and_no_cell_runs_twice() {
    simulated(TINY, async |context| {
        measure(context).await;
        let path = context.folder.path();
        let whole = files(path);
        // As a run leaves it that is killed in its second wave: eight records, their rows, no result.
        let labels = labels(&configs(&context.settings));
        for label in &labels[8..] {
            fs::remove_file(path.join(format!("cells/{label}.json"))).unwrap();
        }
        folder::write_files(&context.folder, &folder::read_records(path, &labels)).unwrap();
        // Whatever is not a record is as good as missing.
        fs::write(path.join("cells/w3_r0.2.json"), "{\"label\": \"w3_").unwrap();
        let identity = Identity::new(&context.settings, &configs(&context.settings));
        let found = folder::find(&context.settings.out, &identity, &labels, tries());
        assert_eq!(found.unfinished, Some((path.to_owned(), 8)));

        // The next process has a prefix of its own.
        assert_eq!(context.store.clean_up().await, None);
        let ended = measure(context).await;
        let fields = ended.fields.unwrap();
        assert_eq!(ended.reason, None);
        assert_eq!((fields.cells, fields.resumed_cells), (15, 8));
        let again = files(path);
        let csv = |files: &BTreeMap<String, String>| files["comprehensive_sweep_v2.csv"].clone();
        assert_eq!(column(&csv(&again), "config_label"), labels);
        let rows = |text: String| text.lines().take(9).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(rows(csv(&again)), rows(csv(&whole)));
        for label in &labels[..8] {
            let name = format!("cells/{label}.json");
            assert_eq!(again[&name], whole[&name]);
        }
    });
}

#[test]
fn a_complete_sweep_is_left_alone_and_so_is_another_one() {
    simulated(TINY, async |context| {
        measure(context).await;
        let (path, configs) = (context.folder.path(), configs(&context.settings));
        let labels = labels(&configs);
        let find = |settings: &Settings| {
            let identity = Identity::new(settings, &configs);
            folder::find(&settings.out, &identity, &labels, tries())
        };
        // All cells have ended, but the run has not: it may have been killed before it wrote its files.
        assert_eq!(find(&context.settings).unfinished, Some((path.to_owned(), 15)));
        fs::write(path.join(RESULT), "{}").unwrap();
        let complete = folder::Found {
            complete: vec![path.to_owned()],
            ..folder::Found::default()
        };
        assert_eq!(find(&context.settings), complete);

        fs::remove_file(path.join(RESULT)).unwrap();
        let mut other = context.settings.clone();
        other.seed += 1;
        let left_alone = folder::Found {
            others: vec![(path.to_owned(), "seed".to_owned())],
            ..folder::Found::default()
        };
        assert_eq!(find(&other), left_alone);
    });
}

#[test]
fn an_interrupted_sweep_keeps_the_rows_of_cells_that_ended_and_names_the_others() {
    simulated(TINY, async |context| {
        let (interrupt, clock) = (context.interrupt.clone(), Arc::clone(&context.clock));
        tokio::spawn(async move {
            // Within the second eight: eight take 6.4 s, with the making of their manifests.
            clock.sleep(Duration::from_secs(12)).await;
            interrupt.set();
        });
        let ended = measure(context).await;
        let fields = ended.fields.unwrap();
        assert_eq!((ended.verdict, ended.valid), (Verdict::Interrupted, false));
        let labels = labels(&configs(&context.settings));
        assert_eq!((fields.cells, &fields.missing[..]), (8, &labels[8..]));
        let reason = ended.reason.unwrap();
        assert!(
            reason.ends_with(&format!("missing: {}", labels[8..].join(", "))),
            "{reason}"
        );
        let csv = fs::read_to_string(context.folder.path().join(format!("{STEM}.csv"))).unwrap();
        assert_eq!(column(&csv, "config_label"), labels[..8]);
    });
}

#[test]
fn an_invalid_cell_is_run_again_with_little_company_and_then_fails_the_sweep() {
    // Reads take longer than their period, and only one may be open.
    let vars = [&TINY[..1], &[("PERF_IN_FLIGHT", "1"), ("PERF_WARMUP_SECS", "0")]].concat();
    simulated(&vars, async |context| {
        let ended = measure(context).await;
        let fields = ended.fields.unwrap();
        assert_eq!((ended.verdict, ended.valid), (Verdict::Fail, false));
        assert_eq!(
            (fields.cells, fields.valid_cells, fields.repeated_cells),
            (15, 0, 15)
        );
        let labels = labels(&configs(&context.settings));
        let records = folder::read_records(context.folder.path(), &labels);
        assert!(
            records
                .iter()
                .all(|record| record.tries == tries() && record.verdict == Verdict::Pass)
        );
        // Eight at once for 2 s, seven more, then pairs: far longer than two waves.
        let pairs = f64::from(tries() - 1) * 8.0;
        assert!(fields.wall_s > (2.0 + pairs) * 2.0, "{}", fields.wall_s);
        assert!(
            ended
                .reason
                .unwrap()
                .contains("w1_r0.02: invalid: dropped 0 writes and ")
        );
    });
}

#[test]
fn settings_hold_for_every_cell_and_those_that_are_swept_are_refused() {
    let cells = configs(&settings(&[("PERF_NUM_READERS", "1"), ("PERF_READER_RATE", "5")]));
    assert_eq!(cells.len(), 15);
    assert!(
        cells
            .iter()
            .all(|cell| (cell.num_readers, cell.reader_rate) == (1, 5.0))
    );
    assert!(cells.iter().all(|cell| cell.duration == USUAL_DURATION));
    assert_eq!(configs(&settings(&[])), generate_all_configs_v2());
    for name in SWEPT {
        let mut settings = Settings::from_env([(name, "1")]).unwrap();
        assert!(adjust(&mut settings).unwrap_err().starts_with(name));
    }
    // Faults begin anew with each cell, so cells cannot share them.
    assert_eq!(settings(&[("PERF_FAULTS", "cas p=0.1 delay=1s")]).parallel, 1);
}

#[test]
fn the_estimate_is_of_what_is_still_to_be_run() {
    let mut settings = settings(&[]);
    let whole = estimate(&settings);
    assert_eq!(duration(&settings), Duration::from_secs(120));
    let out = std::env::temp_dir().join(format!("manifest-perf-estimate-{}", std::process::id()));
    fs::create_dir_all(out.join("cells")).unwrap();
    for config in &generate_all_configs_v2()[..10] {
        let record = CellRecord {
            label: create_config_label(config),
            tries: 1,
            verdict: Verdict::Pass,
            valid: true,
            invalid: None,
            verified: Vec::new(),
            failures: Vec::new(),
            columns: Vec::new(),
            detail: Vec::new(),
            began: Duration::ZERO,
            series: Vec::new(),
        };
        let path = out.join(format!("cells/{}.json", record.label));
        fs::write(path, serde_json::to_vec(&record).unwrap()).unwrap();
    }
    settings.continued = Some(out.clone());
    assert_eq!(duration(&settings), Duration::from_secs(60));
    let rest = estimate(&settings).requests() as f64 / whole.requests() as f64;
    assert!((rest - 1.0 / 3.0).abs() < 0.01, "{rest}");
    fs::remove_dir_all(&out).unwrap();
}
