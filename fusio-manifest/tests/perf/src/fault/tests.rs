use super::*;

const CAS_HEAD: FaultRequest<'static> = FaultRequest {
    class: RequestClass::Cas,
    key: "run/HEAD",
};

fn plan(text: &str) -> FaultPlan {
    text.parse().unwrap()
}

/// The numbers, from 1, of those of `count` equal requests at `elapsed` that meet a fault.
fn hits(text: &str, count: u64, elapsed: Duration) -> Vec<u64> {
    let plan = plan(text);
    let mut state = plan.state(1);
    (1..=count)
        .filter(|_| plan.decide(&CAS_HEAD, elapsed, &mut state).is_some())
        .collect()
}

fn decide(text: &str, class: RequestClass, key: &str, elapsed_ms: u64) -> Option<FaultAction> {
    let plan = plan(text);
    let mut state = plan.state(1);
    let request = FaultRequest { class, key };
    plan.decide(&request, Duration::from_millis(elapsed_ms), &mut state)
        .map(|fault| fault.action)
}

#[test]
fn text_round_trips() {
    for text in [
        "none",
        "cas key=*/HEAD after p=0.05 drop; any from=10s to=13s stall; put ignore-conditions",
        "get first=3 reset",
        "delete nth=2 from=1500ms delay=250ms",
        "list to=1s status=503",
        "put after status=500; put status=409",
        "any to=90s after stall",
        "cas replay; get corrupt; cas key=a?c late=40ms",
    ] {
        let parsed = plan(text);
        assert_eq!(plan(&parsed.to_string()), parsed, "{text}");
    }
    assert_eq!(plan("  cas   drop before ").to_string(), "cas drop");
    assert_eq!(
        plan("any to=90s after stall").to_string(),
        "any after to=90s stall"
    );
    assert_eq!(plan("").to_string(), "none");
}

#[test]
fn errors_name_the_rule_the_word_and_what_is_allowed() {
    for (text, parts) in [
        (
            "cas drop; post drop",
            &["rule 2", "`post drop`", "begins with `post`", "get, put, cas"][..],
        ),
        ("cas", &["rule 1", "has no action", "drop, reset"]),
        ("cas drop;", &["rule 2", "(``)"]),
        (
            "cas explode",
            &["`explode` is no word", "key=GLOB", "ignore-conditions"],
        ),
        ("cas drop=1", &["`drop=1` is no word"]),
        ("cas p=2 drop", &["`p=2`", "above 0 and up to 1"]),
        ("cas p=0 drop", &["`p=0`"]),
        ("cas p=NaN drop", &["`p=NaN`"]),
        ("cas first=0 drop", &["`first=0`", "from 1"]),
        ("cas nth=-1 drop", &["`nth=-1`"]),
        ("cas delay=10", &["`delay=10`", "250ms or 3s"]),
        ("cas late=99999999s", &["`late=99999999s`", "up to a day"]),
        ("cas status=404", &["`status=404`", "500, 503, 409 and 403"]),
        ("cas stall", &["`stall` needs a window", "to=13s"]),
        ("cas from=3s to=3s drop", &["window is empty"]),
        (
            "cas p=0.5 first=2 drop",
            &["`first=2` is too much", "one of p, first and nth"],
        ),
        ("cas before after drop", &["`after` is too much"]),
        ("cas drop reset", &["`reset` is too much", "one action"]),
        ("cas after replay", &["`replay` says itself when it happens"]),
        (
            "delete corrupt",
            &["`corrupt` happens to get, put and cas only, not to delete"],
        ),
        ("list ignore-conditions", &["not to list"]),
    ] {
        let message = text.parse::<FaultPlan>().unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}

#[test]
fn rules_hit_their_requests_only() {
    use RequestClass::{Cas, Delete, Get, List, Put};
    let drop = Some(FaultAction::Before(Disturbance::Drop));
    for (text, hit) in [
        ("get drop", &[Get][..]),
        ("put drop", &[Put, Cas]),
        ("cas drop", &[Cas]),
        ("delete drop", &[Delete]),
        ("list drop", &[List]),
        ("any drop", &RequestClass::ALL),
    ] {
        for class in RequestClass::ALL {
            assert_eq!(
                decide(text, class, "k", 0),
                drop.filter(|_| hit.contains(&class)),
                "{text}: {class}"
            );
        }
    }
    assert_eq!(decide("any corrupt", Delete, "", 0), None);
    assert_eq!(decide("cas key=*/HEAD drop", Cas, "a/HEAD", 0), drop);
    assert_eq!(decide("cas key=*/HEAD drop", Cas, "a/log/1", 0), None);
}

#[test]
fn windows_include_their_start_and_not_their_end() {
    for (elapsed_ms, hit) in [(9_999, false), (10_000, true), (12_999, true), (13_000, false)] {
        let fault = decide("any from=10s to=13s stall", RequestClass::Get, "k", elapsed_ms);
        let stall = FaultAction::Before(Disturbance::StallUntil(Duration::from_secs(13)));
        assert_eq!(fault, hit.then_some(stall), "{elapsed_ms}");
    }
}

#[test]
fn counts_are_of_matching_requests_in_the_window() {
    assert_eq!(hits("cas first=2 drop", 5, Duration::ZERO), [1, 2]);
    assert_eq!(hits("cas nth=3 drop", 5, Duration::ZERO), [3]);
    let plan = plan("cas nth=2 from=1s drop");
    let mut state = plan.state(1);
    let other = FaultRequest {
        class: RequestClass::Get,
        key: "run/HEAD",
    };
    let second = Duration::from_secs(1);
    assert_eq!(plan.decide(&CAS_HEAD, Duration::ZERO, &mut state), None);
    assert_eq!(plan.decide(&CAS_HEAD, second, &mut state), None);
    assert_eq!(plan.decide(&other, second, &mut state), None);
    assert!(plan.decide(&CAS_HEAD, second, &mut state).is_some());
    assert_eq!(plan.decide(&CAS_HEAD, second, &mut state), None);
}

#[test]
fn the_first_rule_that_fires_decides_and_all_count() {
    let plan = plan("cas nth=1 drop; cas nth=2 reset; cas delay=1ms");
    let mut state = plan.state(1);
    let mut rules = Vec::new();
    for _ in 0..3 {
        rules.extend(
            plan.decide(&CAS_HEAD, Duration::ZERO, &mut state)
                .map(|fault| fault.rule),
        );
    }
    assert_eq!(rules, [1, 2, 3]);
}

#[test]
fn probability_is_met_and_the_seed_decides() {
    let hit = hits("cas p=0.05 drop", 20_000, Duration::ZERO);
    assert!((900..1_100).contains(&hit.len()), "{}", hit.len());
    assert_eq!(hit, hits("cas p=0.05 drop", 20_000, Duration::ZERO));
    assert_eq!(hits("cas p=1 drop", 100, Duration::ZERO).len(), 100);
}

#[test]
fn corruption_flips_one_bit() {
    let body = Bytes::from_static(b"some body");
    for bit in [0, 7, 71, 72, u64::MAX] {
        let fault = Fault {
            rule: 1,
            action: FaultAction::Corrupt,
            bit,
        };
        let flipped = fault.flip_bit(&body);
        let changed: u32 = body.iter().zip(&flipped).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((flipped.len(), changed), (body.len(), 1), "{bit}");
        assert!(fault.flip_bit(&Bytes::new()).is_empty());
    }
}
