use super::*;
use crate::{
    history::{ClientId, Operation},
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
    assert_eq!(told(&history(), &answers()), expected);
}

#[test]
fn recovery_ends_with_the_first_client_that_was_told_ok() {
    let recovery = |end| recovery(&history(), &answers(), Duration::from_nanos(end));
    assert_eq!(recovery(90), Some(Duration::from_nanos(10)));
    // The one answered at 250 was only found out about.
    assert_eq!(recovery(200), Some(Duration::from_nanos(100)));
    assert_eq!(recovery(301), None);
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
