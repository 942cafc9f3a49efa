//! Which plots a run gets: those that its files can fill.

use super::{
    figure::Figure,
    files::{Cell, RunFiles},
};

mod by_rate;
mod faults;
mod floor;
mod percentiles;
mod response;
mod soak;
mod timeline;

/// The plots of a run.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Of a run under faults: one picture, for a desk and for a phone.
    pub(super) faults: Vec<Figure>,
    /// Of all cells.
    pub(super) overview: Vec<Figure>,
    /// Of one cell each, by its label; cells without a plot are left out.
    pub(super) by_cell: Vec<(String, Vec<Figure>)>,
}

impl Figures {
    /// Every plot that these files can fill.
    pub(super) fn of(files: &RunFiles) -> Self {
        let cells = &files.cells;
        let mut overview = by_rate::figures(cells);
        overview.extend(floor::figures(cells));
        overview.extend(soak::figures(&files.soak));
        let by_cell = cells.iter().filter_map(|cell| {
            let figures = of_cell(files, cell, cells.len() == 1);
            (!figures.is_empty()).then(|| (cell.label().to_owned(), figures))
        });
        Self {
            faults: faults::figures(files.timeline.as_ref()),
            overview,
            by_cell: by_cell.collect(),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Figure> {
        self.faults
            .iter()
            .chain(&self.overview)
            .chain(self.by_cell.iter().flat_map(|(_, figures)| figures))
    }
}

fn of_cell(files: &RunFiles, cell: &Cell, alone: bool) -> Vec<Figure> {
    let label = cell.label();
    // The only cell needs no name.
    let of = if alone {
        String::new()
    } else {
        format!(" of {label}")
    };
    let stem = if alone {
        String::new()
    } else {
        format!("{}_", file_stem(label))
    };
    let mut figures = Vec::new();
    figures.extend(response::figure(cell, &stem, &of));
    figures.extend(percentiles::figure(files.log.of(label), &stem, &of));
    figures.extend(timeline::figures(files.log.of(label).collect(), &stem, &of));
    figures
}

/// A label as part of a file's name: it comes from a file, and must not lead out of the folder.
fn file_stem(label: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let kept: String = label.chars().map(|c| if safe(c) { c } else { '_' }).collect();
    // A name that begins with a dot counts as not yet written.
    match kept.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => kept,
    }
}

/// `1 writer`, `2 writers`.
fn clients(count: u32, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::plot::files::sample::{Files, baseline, faults, folder, sweep};

    fn drawn(files: &Files) -> (Vec<String>, String) {
        let folder = folder("figures", files);
        let figures = Figures::of(&RunFiles::read(&folder).unwrap());
        fs::remove_dir_all(folder).unwrap();
        let names = figures.all().map(|figure| figure.name.clone()).collect();
        let all: String = figures.all().map(Figure::standalone).collect();
        (names, all)
    }

    #[test]
    fn a_baseline_gets_the_plots_of_one_cell() {
        let (names, svg) = drawn(&baseline());
        assert_eq!(
            names,
            [
                "floor",
                "response_and_service",
                "percentiles",
                "timeline_writers",
                "timeline_readers"
            ]
        );
        assert!(!svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn a_sweep_gets_the_plots_of_all_cells_and_of_each() {
        let (names, svg) = drawn(&sweep());
        let overview = [
            "latency_writers",
            "latency_readers",
            "response_and_service",
            "conflicts",
            "floor_commits",
            "floor_reads",
        ];
        assert_eq!(names[..6], overview);
        assert_eq!(names.len(), 6 + 6 * 4, "{names:?}");
        assert_eq!(names[6], "w1_r0.05_response_and_service");
        assert!(!svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn without_logs_the_other_plots_remain() {
        let mut files = baseline();
        files.retain(|(name, _)| !name.ends_with(".hlog"));
        assert_eq!(drawn(&files).0, ["floor", "response_and_service"]);
        files.retain(|(name, _)| !name.ends_with("_detail.csv"));
        assert_eq!(drawn(&files).0, ["response_and_service"]);
    }

    #[test]
    fn a_run_under_faults_gets_its_picture_before_all_others() {
        let (names, _) = drawn(&faults());
        assert_eq!(names[..2], ["faults", "faults_narrow"]);
        assert_eq!(names.len(), 2 + 5, "{names:?}");
    }

    #[test]
    fn no_label_leads_out_of_the_folder() {
        assert_eq!(
            file_stem("../../etc/x y"),
            "_.__.._etc_x_y".replace("__.._", "_.._")
        );
        assert_eq!(file_stem("w1_r0.1"), "w1_r0.1");
    }
}
