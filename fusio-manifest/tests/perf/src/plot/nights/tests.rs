use super::*;
use crate::{
    compare::{Recording, Row},
    report::example,
};

fn night(day: u32, store: &str, factor: f64) -> Night {
    let mut row = Row::from(&example::cell());
    row.columns.write_p50_ms = row.columns.write_p50_ms.map(|ms| ms * factor);
    let run = Recording {
        name: String::new(),
        rows: vec![row],
        facts: None,
        repeats: Vec::new(),
    };
    Night::of(&format!("2026-01-{day:02}"), store, &[run], None)
}

#[test]
fn each_store_has_its_plots_and_a_row_a_night() {
    let mut nights: Vec<Night> = (1..=5)
        .map(|day| night(day, "embedded", f64::from(day)))
        .collect();
    nights.push(night(3, "aws", 1.0).failed(&["<b>worse</b>".to_owned()]));
    let page = page(&nights).unwrap();
    // Without a sweep nothing is known of conflicts.
    assert_eq!(page.matches("<svg").count(), 2 * 5);
    assert_eq!(page.matches("<th scope=\"row\">2026-01-").count(), 6);
    for text in [
        "<h2>aws</h2>",
        "hollow: a night that failed",
        "2026-01-03: &lt;b&gt;worse&lt;/b&gt;",
        ">FAIL</span>",
        ">PASS</span>",
        "ms (log scale)",
    ] {
        assert!(page.contains(text), "{text} is missing from {page}");
    }
    assert!(page.find("2026-01-05</th>") < page.find("2026-01-04</th>"));
    assert!(!page.contains("NaN") && !page.contains("<b>"));
}

#[test]
fn the_page_asks_nothing_of_the_network_and_is_the_same_each_time() {
    let nights = [night(1, "embedded", 1.0)];
    let drawn = page(&nights).unwrap();
    for reference in ["src=", "@import", "url(", "<script", "http-equiv"] {
        assert!(!drawn.contains(reference), "{reference}");
    }
    assert_eq!(drawn, page(&nights).unwrap());
}

#[test]
fn no_nights_are_a_page_and_a_wrong_day_is_none() {
    assert!(page(&[]).unwrap().contains("No night has been measured yet"));
    let mut wrong = night(1, "embedded", 1.0);
    wrong.night = "yesterday".to_owned();
    assert!(page(&[wrong]).unwrap_err().contains("is not a day"));
}
