//! The table of faults: what can happen to a commit, to a large transaction's log object and to a spill, and what
//! has to be told. One row is one case in one setting on one store; each case is a test of its own, in memory in
//! virtual time and over HTTP, and `report` prints the whole table.

use crate::{
    faulty::Fault::{
        self, ConnectionAfter, ConnectionBefore, Late, LostReply, LostRequest, Replay, ReplayRaces,
        StatusAfter, StatusBefore,
    },
    support::{Tune, Verdict, ensure, sound},
};

use self::bench::{Bench, run};

mod bench;
#[cfg(feature = "s3")]
mod http;
mod memory;
mod report;

/// Which request goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The PUT of HEAD that carries a commit.
    Commit,
    /// The PUT of a large transaction's log object.
    LargeTransaction,
    /// The PUT of a spill; then a commit is made.
    Spill,
}

/// What others do between the fault and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    Alone,
    /// They commit other keys.
    ForeignCommit,
    /// They commit a key that the transaction read.
    ConflictingCommit,
    /// They replace HEAD and commit nothing.
    MaintenanceOnly,
}

impl Setting {
    const ALL: [Self; 4] = [
        Self::Alone,
        Self::ForeignCommit,
        Self::ConflictingCommit,
        Self::MaintenanceOnly,
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Committed,
    NotCommitted,
    Unknown,
}

/// What a case comes to, setting by setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// HEAD was replaced in spite of the fault.
    Applied,
    /// HEAD was not, or what was hit is beside it: the commit goes on, and falls only to a conflict.
    GoesOn,
    /// It is refused.
    Refused,
    /// Nothing can be learned before the deadline.
    Open,
    /// A copy is open, the next one of the same bytes is refused. Where others replaced HEAD the first copy is dead,
    /// and the next one carries other bytes, whose refusal counts.
    RefusedWhileOpen,
}

impl Comes {
    fn to_tell(self, setting: Setting) -> Told {
        match (self, setting) {
            (Self::Applied, _) => Told::Committed,
            (Self::GoesOn, Setting::ConflictingCommit) => Told::NotCommitted,
            (Self::GoesOn, _) => Told::Committed,
            (Self::Refused, _) => Told::NotCommitted,
            (Self::Open, _) | (Self::RefusedWhileOpen, Setting::Alone) => Told::Unknown,
            (Self::RefusedWhileOpen, _) => Told::NotCommitted,
        }
    }
}

/// One row's cause: plain data.
#[derive(Debug, Clone)]
struct Case {
    name: &'static str,
    part: Part,
    /// In memory: what happens to the PUTs that are hit, one after the other, and to looks at HEAD.
    puts: Vec<Fault>,
    looks: Vec<Fault>,
    /// Over HTTP: the rules of the endpoint, in which `HIT` stands for the requests that are hit. Empty: not there.
    rules: &'static str,
    comes: Comes,
}

/// Declares the cases of one part, and makes a test of each: `both` in memory and over HTTP, the others on one of
/// them.
macro_rules! cases {
    (
        $module:ident, $cases:ident, $part:expr;
        both { $($both:ident: $both_comes:ident, $both_puts:expr, $both_looks:expr, $both_rules:literal;)* }
        memory { $($memory:ident: $memory_comes:ident, $memory_puts:expr;)* }
        http { $($http:ident: $http_comes:ident, $http_rules:literal;)* }
    ) => {
        fn $cases() -> Vec<Case> {
            let case = |name, comes, puts, looks, rules| Case {
                name,
                part: $part,
                puts,
                looks,
                rules,
                comes,
            };
            vec![
                $(case(stringify!($both), Comes::$both_comes, $both_puts, $both_looks, $both_rules),)*
                $(case(stringify!($memory), Comes::$memory_comes, $memory_puts, vec![], ""),)*
                $(case(stringify!($http), Comes::$http_comes, vec![], vec![], $http_rules),)*
            ]
        }

        mod $module {
            use super::{Case, $cases};

            fn case(name: &str) -> Case {
                $cases().into_iter().find(|case| case.name == name).unwrap()
            }

            mod in_memory {
                $(#[tokio::test(start_paused = true)]
                async fn $both() {
                    crate::fault_table::holds_in_memory(&super::case(stringify!($both))).await.unwrap();
                })*
                $(#[tokio::test(start_paused = true)]
                async fn $memory() {
                    crate::fault_table::holds_in_memory(&super::case(stringify!($memory))).await.unwrap();
                })*
            }

            #[cfg(feature = "s3")]
            mod over_http {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $both() {
                    crate::fault_table::holds_over_http(&super::case(stringify!($both))).await.unwrap();
                })*
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $http() {
                    crate::fault_table::holds_over_http(&super::case(stringify!($http))).await.unwrap();
                })*
            }
        }
    };
}

cases! {
    commit, commit_cases, Part::Commit;
    both {
        lost_request: GoesOn, vec![LostRequest], vec![], "cas HIT before nth=1 drop";
        lost_reply: Applied, vec![LostReply], vec![], "cas HIT after nth=1 drop";
        connection_reset_before: GoesOn, vec![ConnectionBefore], vec![], "cas HIT before nth=1 reset";
        connection_reset_after: Applied, vec![ConnectionAfter], vec![], "cas HIT after nth=1 reset";
        error_500_before: GoesOn, vec![StatusBefore(500)], vec![], "cas HIT before nth=1 status=500";
        error_500_after: Applied, vec![StatusAfter(500)], vec![], "cas HIT after nth=1 status=500";
        slow_down_503_before: GoesOn, vec![StatusBefore(503)], vec![], "cas HIT before nth=1 status=503";
        slow_down_503_after: Applied, vec![StatusAfter(503)], vec![], "cas HIT after nth=1 status=503";
        conflict_409_before: GoesOn, vec![StatusBefore(409)], vec![], "cas HIT before nth=1 status=409";
        conflict_409_after: Applied, vec![StatusAfter(409)], vec![], "cas HIT after nth=1 status=409";
        replayed_by_a_proxy_with_the_replays_412: Applied, vec![Replay], vec![], "cas HIT nth=1 replay";
        late_put_after_its_resend: GoesOn, vec![Late], vec![], "cas HIT nth=1 late=800ms";
        late_put_after_the_client_gave_up: Open, vec![Late], forever(StatusBefore(503)),
            "cas HIT nth=1 late=800ms; get HIT drop";
        lost_request_then_lost_reply: GoesOn, vec![LostRequest, LostReply], vec![],
            "cas HIT before nth=1 drop; cas HIT after nth=2 drop";
        lost_reply_and_looks_that_fail: Applied, vec![LostReply], vec![StatusBefore(503), LostReply],
            "cas HIT after nth=1 drop; get HIT first=2 status=503";
    }
    memory {
        request_timeout_408_before: GoesOn, vec![StatusBefore(408)];
        request_timeout_408_after: Applied, vec![StatusAfter(408)];
        too_many_requests_429_before: GoesOn, vec![StatusBefore(429)];
        too_many_requests_429_after: Applied, vec![StatusAfter(429)];
        replayed_by_a_proxy_while_the_first_is_under_way: GoesOn, vec![ReplayRaces(409)];
        refused_403: Refused, vec![StatusBefore(403)];
        copy_1_unknown_then_copy_2_refused: RefusedWhileOpen, [vec![Late], forever(StatusBefore(403))].concat();
    }
    http {
        answer_slower_than_the_time_out: Applied, "cas HIT after nth=1 delay=800ms";
        request_slower_than_the_time_out: GoesOn, "cas HIT before nth=1 delay=800ms";
    }
}

cases! {
    large_transaction, large_transaction_cases, Part::LargeTransaction;
    both {
        lost_request: GoesOn, vec![LostRequest], vec![], "cas HIT before nth=1 drop";
        lost_reply: GoesOn, vec![LostReply], vec![], "cas HIT after nth=1 drop";
        connection_reset_before: GoesOn, vec![ConnectionBefore], vec![], "cas HIT before nth=1 reset";
        connection_reset_after: GoesOn, vec![ConnectionAfter], vec![], "cas HIT after nth=1 reset";
        error_500_before: GoesOn, vec![StatusBefore(500)], vec![], "cas HIT before nth=1 status=500";
        error_500_after: GoesOn, vec![StatusAfter(500)], vec![], "cas HIT after nth=1 status=500";
        slow_down_503_before: GoesOn, vec![StatusBefore(503)], vec![], "cas HIT before nth=1 status=503";
        slow_down_503_after: GoesOn, vec![StatusAfter(503)], vec![], "cas HIT after nth=1 status=503";
        conflict_409: GoesOn, vec![StatusBefore(409)], vec![], "cas HIT before nth=1 status=409";
        replayed_by_a_proxy_with_the_replays_412: GoesOn, vec![Replay], vec![], "cas HIT nth=1 replay";
        late_put_after_its_resend: GoesOn, vec![Late], vec![], "cas HIT nth=1 late=300ms";
        never_answered_by_the_deadline: Refused, forever(LostRequest), vec![], "cas HIT drop";
    }
    memory {
        refused_403: Refused, vec![StatusBefore(403)];
    }
    http {
        applied_and_never_answered_by_the_deadline: Refused, "cas HIT after status=503";
        answer_slower_than_the_time_out: GoesOn, "cas HIT after nth=1 delay=800ms";
    }
}

cases! {
    spill, spill_cases, Part::Spill;
    both {
        lost_request: GoesOn, vec![LostRequest], vec![], "cas HIT before nth=1 drop";
        lost_reply: GoesOn, vec![LostReply], vec![], "cas HIT after nth=1 drop";
        connection_reset_before: GoesOn, vec![ConnectionBefore], vec![], "cas HIT before nth=1 reset";
        connection_reset_after: GoesOn, vec![ConnectionAfter], vec![], "cas HIT after nth=1 reset";
        error_500_before: GoesOn, vec![StatusBefore(500)], vec![], "cas HIT before nth=1 status=500";
        error_500_after: GoesOn, vec![StatusAfter(500)], vec![], "cas HIT after nth=1 status=500";
        slow_down_503_before: GoesOn, vec![StatusBefore(503)], vec![], "cas HIT before nth=1 status=503";
        slow_down_503_after: GoesOn, vec![StatusAfter(503)], vec![], "cas HIT after nth=1 status=503";
        conflict_409: GoesOn, vec![StatusBefore(409)], vec![], "cas HIT before nth=1 status=409";
        replayed_by_a_proxy_with_the_replays_412: GoesOn, vec![Replay], vec![], "cas HIT nth=1 replay";
        late_put_after_its_resend: GoesOn, vec![Late], vec![], "cas HIT nth=1 late=300ms";
    }
    memory {
        refused_403: GoesOn, vec![StatusBefore(403)];
        never_answered: GoesOn, forever(LostRequest);
    }
    http {
        answer_slower_than_the_time_out: GoesOn, "cas HIT after nth=1 delay=800ms";
    }
}

/// As often as anybody asks.
fn forever(fault: Fault) -> Vec<Fault> {
    vec![fault; 1_000]
}

fn every_case() -> Vec<Case> {
    [commit_cases(), large_transaction_cases(), spill_cases()].concat()
}

/// Runs a case in every setting, and holds each row.
async fn holds(bench: &impl Bench, case: &Case) -> Verdict {
    for setting in Setting::ALL {
        let row = run(bench, case, setting).await?;
        ensure!(row.holds(), "{row}");
    }
    Ok(())
}

async fn holds_in_memory(case: &Case) -> Verdict {
    holds(&memory::Memory::tuned(sound), case).await
}

/// Every row in memory holds.
#[cfg(feature = "mutants")]
pub(crate) async fn every_row_in_memory_holds(tune: Tune) -> Verdict {
    for case in every_case().iter().filter(|case| !case.puts.is_empty()) {
        holds(&memory::Memory::tuned(tune), case).await?;
    }
    Ok(())
}

#[cfg(feature = "s3")]
async fn holds_over_http(case: &Case) -> Verdict {
    let in_setting = async |setting| {
        let row = run(&http::Http::start().await, case, setting).await?;
        ensure!(row.holds(), "{row}");
        Ok(())
    };
    // All at once: most of the time is spent in waiting for what is late.
    let [alone, foreign, conflicting, maintenance] = Setting::ALL.map(in_setting);
    let (alone, foreign, conflicting, maintenance) = tokio::join!(alone, foreign, conflicting, maintenance);
    alone.and(foreign).and(conflicting).and(maintenance)
}
