use fusio_manifest::CommitOutcome;

use super::*;
use crate::{
    faults_timeline::{Counted, What},
    history::{ClientId, OperationId, Outcome},
    metrics::MetricsCollector,
    scenario::tests::adjusted,
};

fn operation(id: u64, client: u32, completed: u64, outcome: Outcome) -> Operation {
    Operation {
        id: OperationId(id),
        client: ClientId(client),
        kind: OperationKind::Commit,
        invoked: 0,
        completed: Some(completed),
        reads: Vec::new(),
        writes: Vec::new(),
        outcome,
    }
}

fn ok(txn: u64) -> Outcome {
    Outcome::Ok {
        snapshot: txn - 1,
        txn: Some(txn),
    }
}

fn asked(id: u64, answer: Option<CommitOutcome>) -> Asked {
    Asked {
        operation: OperationId(id),
        told: 90 + id,
        answer,
    }
}

/// As the history is at the end: what was asked about has its last answer.
fn history() -> History {
    let (failed, unknown) = (
        Outcome::Failed { snapshot: None },
        Outcome::Unknown { snapshot: None },
    );
    let operations = vec![
        operation(0, 0, 1, ok(1)),
        operation(1, 1, 100, ok(2)),
        operation(2, 1, 250, ok(3)),
        operation(3, 2, 300, ok(4)),
        operation(4, 2, 310, failed),
        operation(5, 2, 320, failed),
        operation(6, 2, 330, unknown),
        operation(7, 2, 340, unknown),
    ];
    History {
        base: Default::default(),
        operations,
    }
}

fn answers() -> Vec<Asked> {
    vec![
        asked(2, Some(CommitOutcome::Committed { txn: 3 })),
        asked(5, Some(CommitOutcome::NotCommitted)),
        asked(6, None),
    ]
}

#[test]
fn commits_are_sorted_by_their_first_answers_and_those_of_the_set_up_left_out() {
    let expected = Told {
        ok: 2,
        failed: 1,
        unknown: 4,
        unknown_committed: 1,
        unknown_open: 2,
    };
    let commits = told::commits(&history(), &answers(), Duration::ZERO);
    assert_eq!(Told::of(&commits), expected);
    // What was asked about was told as unknown when it was, whenever its answer came.
    let asked = commits
        .iter()
        .find(|commit| commit.outcome == Counted::UnknownApplied);
    assert_eq!(asked.unwrap().told, Some(Duration::from_nanos(92)));
}

fn recovered(first: Option<f64>, every: Option<f64>) -> Vec<String> {
    let mut fields = fields(
        &Told::default(),
        &Accounting::default(),
        &Judgement::default(),
        &Recovery::default(),
    );
    fields.recovery_ms = first;
    fields.recovery_every_writer_ms = every;
    let mut judgement = Judgement::default();
    judge_recovery(&fields, &mut judgement);
    judgement.failures
}

#[test]
fn recovery_takes_a_second_at_most() {
    assert!(recovered(Some(1_000.0), Some(1_800.0)).is_empty());
    assert_eq!(
        recovered(Some(1_208.4), Some(1_208.4)),
        ["the first commit took 1208.4 ms from the end of the outage, more than 1000 ms"]
    );
    assert_eq!(recovered(None, None), ["no commit succeeded after the outage"]);
    assert_eq!(
        recovered(Some(5.0), None),
        ["a writer committed nothing after the outage"]
    );
}

/// The timeline of the history above, with these rules, and one fault of each that fired.
fn timeline_with(rules: &str) -> FaultsTimeline {
    let plan: FaultPlan = rules.parse().unwrap();
    let mut state = plan.state(1);
    let mut fired = FiredFaults::default();
    for rule in 0..plan.len() {
        let request = crate::fault::FaultRequest {
            class: crate::latency::RequestClass::Get,
            key: "k",
        };
        let at = Duration::from_secs(1 + rule as u64);
        if let Some(fault) = plan.decide(&request, at, &mut state) {
            fired.note(&fault, at);
        }
    }
    let commits = told::commits(&history(), &answers(), Duration::ZERO);
    let recovery = Recovery::default();
    let (books, judgement) = (Accounting::default(), Judgement::default());
    let parts = Parts {
        measured: Duration::from_secs(4),
        plan: &plan,
        fired: &fired,
        outage: plan.last_outage(),
        metrics: &MetricsCollector::merged(Duration::from_secs(4), []),
        commits: &commits,
        recovery: &recovery,
        fields: &fields(&Told::of(&commits), &books, &judgement, &recovery),
        books: &books,
        in_the_end: Some(4),
        set_up: 1,
    };
    parts.timeline()
}

#[test]
fn only_what_fired_is_in_the_timeline() {
    let timeline = timeline_with("get from=1s to=2s reset; any from=2s to=3s stall; put from=3s to=4s drop");
    let windows: Vec<_> = [What::Window, What::Outage]
        .into_iter()
        .flat_map(|what| {
            timeline
                .of(what)
                .map(|row| (row.name.clone(), row.start_s, row.count))
        })
        .collect();
    // Nothing of the last one: no PUT came.
    assert_eq!(
        windows,
        [("reset".to_owned(), 1.0, 1), ("stall".to_owned(), 2.0, 1)]
    );
    assert_eq!(timeline.names(What::Fault), ["reset", "stall"]);
    assert_eq!(timeline.total(What::Told, "acknowledged"), 2);
    assert_eq!(timeline.total(What::Told, "unknown, not applied"), 1);
    assert_eq!(timeline.total(What::Account, "in the final state"), 4);
    let read_back = FaultsTimeline::parse(&String::from_utf8(timeline.csv().unwrap()).unwrap());
    assert_eq!(read_back.unwrap(), timeline);
}

#[test]
fn without_faults_there_is_a_timeline_without_an_outage() {
    let timeline = timeline_with("none");
    for what in [What::Window, What::Outage, What::Fault, What::Recovery] {
        assert_eq!(timeline.of(what).count(), 0, "{what:?}");
    }
    assert_eq!(timeline.starts().len(), 16);
    assert_eq!(faults_timeline::lines(&timeline)[0], "Faults that fired: none");
}

#[test]
fn the_usual_faults_are_a_plan_with_an_outage_in_the_middle() {
    for (seconds, end_ms) in [(30, 16_500), (6, 4_000), (3, 2_000)] {
        let plan: FaultPlan = usual_faults(Duration::from_secs(seconds)).parse().unwrap();
        assert_eq!(plan.last_outage_end(), Some(Duration::from_millis(end_ms)));
    }
}

#[test]
fn what_was_given_stays_and_the_rest_is_this_scenarios_own() {
    let (settings, said) = adjusted(adjust, &[("PERF_NUM_WRITERS", "7"), ("PERF_FAULTS", "none")]);
    let mut store = settings.store.clone();
    assert_eq!(store.faults_mut().unwrap().as_deref(), Some("none"));
    assert_eq!(
        (settings.workload.num_writers, settings.workload.num_readers),
        (7, 2)
    );
    assert_eq!(settings.workload.duration, USUAL_DURATION);
    assert!(said.unwrap().unwrap().contains("7 writers at 2/s"));
}

#[test]
fn a_real_store_is_not_broken_on_purpose() {
    let (_, said) = adjusted(adjust, &[("PERF_STORE", "s3"), ("PERF_S3_BUCKET", "bucket")]);
    let why = said.unwrap_err();
    assert!(why.contains("PERF_STORE=s3") && why.lines().count() == 1, "{why}");
}
