//! What the engine adds to a bare request.

use crate::plot::{
    figure::{Bar, Bars, Body, FEW_SAMPLES, Figure, WIDTH},
    files::{Cell, Percentiles},
};

const CAPTION: &str = "The median of what callers wait for, above the median of bare requests to the same store at the same \
                       time. The difference is the engine's.";

/// A pair for commits and one for reads if there is one cell, else a plot of each with a pair a cell.
pub(super) fn figures(cells: &[Cell]) -> Vec<Figure> {
    let commits = |cell: &Cell| pair(cell, "write_response", "floor_put");
    let reads = |cell: &Cell| pair(cell, "read_response", "floor_get");
    if let [cell] = cells {
        let rows = vec![
            ("commit, PUT".to_owned(), commits(cell)),
            ("read, GET".to_owned(), reads(cell)),
        ];
        let names = ["commit or fresh read", "bare conditional PUT or GET"];
        return figure("floor", "Floor: the engine above bare requests", names, rows)
            .into_iter()
            .collect();
    }
    let each = |pair: &dyn Fn(&Cell) -> [Option<Bar>; 2]| {
        let rows = cells.iter().map(|cell| (cell.label().to_owned(), pair(cell)));
        rows.collect::<Vec<_>>()
    };
    [
        figure(
            "floor_commits",
            "Floor: commits above bare PUTs",
            ["commit", "bare conditional PUT"],
            each(&commits),
        ),
        figure(
            "floor_reads",
            "Floor: fresh reads above bare GETs",
            ["fresh read", "bare conditional GET"],
            each(&reads),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn pair(cell: &Cell, of: &str, floor: &str) -> [Option<Bar>; 2] {
    [of, floor].map(|of| {
        let percentiles: Percentiles = cell.percentiles(of);
        Some(Bar {
            value: percentiles.p50?,
            few: percentiles.few(),
        })
    })
}

/// None without a single bare request: then there is nothing to compare with.
fn figure(
    name: &str,
    title: &str,
    names: [&str; 2],
    mut rows: Vec<(String, [Option<Bar>; 2])>,
) -> Option<Figure> {
    rows.retain(|(_, bars)| bars.iter().any(Option::is_some));
    let any = rows.iter().any(|(_, [_, bare])| bare.is_some());
    any.then(|| Figure {
        width: WIDTH,
        name: name.to_owned(),
        title: title.to_owned(),
        caption: CAPTION.to_owned(),
        hollow: FEW_SAMPLES,
        body: Body::Bars(Bars {
            label: "p50, ms".to_owned(),
            names: names.map(str::to_owned),
            rows,
        }),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::plot::files::{
        RunFiles,
        sample::{baseline, folder},
    };

    #[test]
    fn each_length_stands_beside_its_floor_with_its_number() {
        let folder = folder("floor", &baseline());
        let files = RunFiles::read(&folder).unwrap();
        fs::remove_dir_all(folder).unwrap();
        let [figure] = &figures(&files.cells)[..] else {
            panic!("one plot of one cell");
        };
        let svg = figure.inline();
        // Two in the legend, one that explains what is not filled, four bars.
        assert_eq!(svg.matches("<rect").count(), 7, "{svg}");
        for text in [
            ">commit, PUT<",
            ">read, GET<",
            ">60.0<",
            ">27.0<",
            ">p50, ms<",
            "fewer than 100",
        ] {
            assert!(svg.contains(text), "{text} is missing from {svg}");
        }
    }
}
