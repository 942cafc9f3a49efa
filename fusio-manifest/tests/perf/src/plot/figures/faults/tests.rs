use super::*;
use crate::plot::files::sample::faults_timeline;

fn drawn(text: &str) -> [String; 2] {
    let timeline = FaultsTimeline::parse(text).unwrap();
    let figures = figures(Some(&timeline));
    assert_eq!(figures.len(), 2);
    [0, 1].map(|number| figures[number].standalone())
}

#[test]
fn one_picture_shows_faults_responses_races_recovery_and_what_became_of_the_commits() {
    for svg in drawn(faults_timeline()) {
        for text in [
            ">Faults that fired, requests hit per 0.5 s<",
            ">outage 1 to 2.5 s<",
            ">reply lost: 2<",
            ">connection reset: 9<",
            ">Response time, from due to answer, ms (log scale)<",
            ">commit told unknown<",
            ">Lost races and retries, PUTs of HEAD per 0.5 s<",
            ">lost their precondition: 5<",
            ">first commit after 264 ms<",
            ">every writer after 611 ms<",
            ">latency as before after 1,250 ms<",
            ">acknowledged: 9<",
            ">unknown, applied: 1<",
            "Every commit is accounted for: 9 acknowledged",
            ">time since the measurement began, s<",
        ] {
            assert!(svg.contains(text), "{text} is missing from {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{svg}");
    }
}

#[test]
fn without_an_outage_nothing_is_shaded_and_nothing_recovers() {
    let calm: Vec<&str> = faults_timeline()
        .lines()
        .filter(|line| !line.starts_with("outage,") && !line.starts_with("recovery,"))
        .collect();
    for svg in drawn(&calm.join("\n")) {
        assert!(
            !svg.contains("class=\"band\"") && !svg.contains("after 264 ms"),
            "{svg}"
        );
        assert!(svg.contains(">reply lost: 2<"), "{svg}");
    }
    let quiet: Vec<&str> = calm
        .into_iter()
        .filter(|line| !line.starts_with("fault,"))
        .collect();
    for svg in drawn(&quiet.join("\n")) {
        assert!(svg.contains(">No fault fired<"), "{svg}");
    }
}

#[test]
fn what_does_not_add_up_is_said() {
    let text = faults_timeline();
    for (from, to, said) in [
        (
            "account,lost,0.0,0.0,0",
            "account,lost,0.0,0.0,1",
            "NOT every commit is accounted for: ",
        ),
        (
            "in the final state,0.0,0.0,11",
            "in the final state,0.0,0.0,12",
            "≠ 12 in the",
        ),
        ("in the final state,", "something else,", "could not be read"),
    ] {
        assert!(text.contains(from), "{from}");
        let [desk, _] = drawn(&text.replace(from, to));
        assert!(desk.contains(said), "{said} is missing from {desk}");
        assert!(!desk.contains(">Every commit is accounted for"), "{desk}");
    }
}

#[test]
fn other_faults_have_names_too() {
    let named = ["after drop", "status=409", "stall", "delay=50ms", "corrupt"].map(meaning);
    assert_eq!(
        named,
        [
            "reply lost",
            "refused with 409",
            "held up",
            "delay=50ms",
            "corrupt"
        ]
    );
}
