//! The report: one file that needs no network and no scripts.

use super::{
    figure::Figure,
    figures::Figures,
    files::RunFiles,
    style::{RULES, variables},
    svg::escape,
};

mod glossary;
mod head;
mod numbers;
mod requests;
mod result_fields;
pub(super) mod table;

/// Rules of the page; those of the plots stand beside them.
pub(super) const PAGE_RULES: &str = include_str!("page/page.css");

/// Cells whose own plots are shown at once; those of more are folded away.
const CELLS_AT_ONCE: usize = 3;

/// The whole report.
pub(super) fn page(files: &RunFiles, figures: &Figures) -> String {
    let title = head::title(files);
    let style = format!("{}{PAGE_RULES}{RULES}", variables(":root"));
    let mut body = head::head(files);
    body.push_str(&notes(files));
    body.push_str(&faults(figures));
    body.push_str(&numbers::section(&files.cells));
    body.push_str(&plots(figures));
    body.push_str(&requests::sections(&files.cells));
    body.push_str(&result_fields::section(files));
    body.push_str(glossary::SECTION);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(&title)
    )
}

/// What is not in the report, and why.
fn notes(files: &RunFiles) -> String {
    let lines = |class: &str, lines: &[String]| -> String {
        let item = |line: &String| format!("<li class=\"{class}\">{}</li>\n", escape(line));
        lines.iter().map(item).collect()
    };
    let all = lines("bad", &files.damaged) + &lines("quiet", &files.missing);
    if all.is_empty() {
        return all;
    }
    format!("<section>\n<h2>Not in this report</h2>\n<ul class=\"notes\">\n{all}</ul>\n</section>\n")
}

/// The picture of a run under faults: of its two drawings a screen shows the one that it has room for.
fn faults(figures: &Figures) -> String {
    let figure = |(figure, class): (&Figure, &str)| {
        format!(
            "<figure class=\"{class}\">\n{}<figcaption>{}</figcaption>\n</figure>\n",
            figure.inline(),
            escape(&figure.caption)
        )
    };
    let drawn: String = figures
        .faults
        .iter()
        .zip(["wide", "narrow"])
        .map(figure)
        .collect();
    match drawn.is_empty() {
        true => drawn,
        false => format!("<section>\n<h2>Faults and recovery</h2>\n{drawn}</section>\n"),
    }
}

fn plots(figures: &Figures) -> String {
    let mut text = String::new();
    let at_once = figures.by_cell.len() <= CELLS_AT_ONCE;
    let mut first: Vec<&Figure> = figures.overview.iter().collect();
    if figures.by_cell.len() == 1 {
        // One cell has one row of plots.
        first.extend(figures.by_cell.iter().flat_map(|(_, own)| own));
    }
    if !first.is_empty() {
        text.push_str(&format!("<section>\n<h2>Plots</h2>\n{}</section>\n", grid(first)));
    }
    if figures.by_cell.len() < 2 {
        return text;
    }
    text.push_str("<section>\n<h2>Plots of each cell</h2>\n");
    for (label, own) in &figures.by_cell {
        let open = if at_once { " open" } else { "" };
        let (label, own) = (escape(label), grid(own.iter().collect()));
        text.push_str(&format!(
            "<details{open}>\n<summary>{label}</summary>\n{own}</details>\n"
        ));
    }
    text.push_str("</section>\n");
    text
}

pub(super) fn grid(figures: Vec<&Figure>) -> String {
    let figure = |figure: &&Figure| {
        format!(
            "<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n",
            figure.inline(),
            escape(&figure.caption)
        )
    };
    let figures: String = figures.iter().map(figure).collect();
    format!("<div class=\"plots\">\n{figures}</div>\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::plot::files::sample::{Files, baseline, faults, folder, sweep};

    fn drawn(files: &Files) -> String {
        let folder = folder("page", files);
        let files = RunFiles::read(&folder).unwrap();
        fs::remove_dir_all(folder).unwrap();
        page(&files, &Figures::of(&files))
    }

    #[test]
    fn the_page_says_what_was_run_and_what_came_of_it() {
        let page = drawn(&baseline());
        for text in [
            "test_baseline",
            "pass",
            "s3-standard",
            "Seed",
            "dollars per million commits",
            "dollars per million reads",
            "service",
            "How to read this",
            "conditional_put",
        ] {
            assert!(page.contains(text), "{text} is missing from {page}");
        }
        assert_eq!(page.matches("<svg").count(), 5);
        assert!(!page.contains("NaN"));
    }

    #[test]
    fn the_page_asks_nothing_of_the_network() {
        for page in [drawn(&baseline()), drawn(&sweep())] {
            for reference in ["src=", "@import", "url(", "<script", "http-equiv"] {
                assert!(!page.contains(reference), "{reference}");
            }
            let links = page.matches("http").count();
            assert_eq!(
                links,
                page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count()
            );
        }
    }

    #[test]
    fn text_of_files_is_escaped() {
        let mut files = baseline();
        for (name, content) in &mut files {
            if name.ends_with(".result.json") {
                *content =
                    br#"{"scenario":"<b>","verdict":"fail","valid":false,"reason":"<script>x</script>"}"#
                        .to_vec();
            }
        }
        let page = drawn(&files);
        assert!(page.contains("&lt;script&gt;x&lt;/script&gt;") && page.contains("&lt;b&gt;"));
        assert!(!page.contains("<script") && !page.contains("<b>"));
    }

    #[test]
    fn a_sweep_has_a_row_a_cell_and_folds_the_plots_of_each() {
        let page = drawn(&sweep());
        assert_eq!(page.matches("<details>\n<summary>w").count(), 2 * 6);
        for label in ["w1_r0.05", "w2_r0.2"] {
            assert!(
                page.contains(&format!("<th scope=\"row\">{label}</th>")),
                "{label}"
            );
        }
    }

    #[test]
    fn of_the_picture_of_faults_a_screen_shows_one_drawing() {
        let page = drawn(&faults());
        for class in ["wide", "narrow"] {
            assert_eq!(page.matches(&format!("<figure class=\"{class}\">")).count(), 1);
            assert!(page.contains(&format!(".{class}{{display:none}}")), "{class}");
        }
        assert!(!drawn(&baseline()).contains("Faults and recovery"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut files = baseline();
        files.retain(|(name, _)| !name.ends_with(".hlog"));
        let page = drawn(&files);
        assert!(
            page.contains("Not in this report") && page.contains("no .hlog"),
            "{page}"
        );
        assert!(!drawn(&baseline()).contains("Not in this report"));
    }
}
