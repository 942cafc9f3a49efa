//! Every world holds, and no rule can be taken out.

use std::collections::BTreeSet;

use crate::{
    broken::Broken,
    configuration::Configuration,
    configurations,
    exploration::{explore, shortest_counterexample, simulate},
    variants::{Variant, of_collection, of_commits, of_objects, of_reads, variants},
};

/// Rows of the tables: with `--nocapture`.
fn holds(configuration: &Configuration) {
    let found = explore(configuration, 1, None);
    println!("{found}");
    assert!(found.holds(), "{found}");
}

macro_rules! worlds {
    ($($world:ident)*) => {
        const WORLDS: &[fn() -> Configuration] = &[$(configurations::$world),*];

        mod world {
            $(#[test]
            fn $world() {
                super::holds(&super::configurations::$world());
            })*
        }
    };
}

worlds! {
    commits retries batches three_handles spills large_transactions folds racing_folds merges log_objects collection
    two_collections pins fence reads
}

mod symmetry;

#[test]
fn every_ordinary_world_is_tested() {
    let tested: Vec<_> = WORLDS.iter().map(|world| world().name).collect();
    let ordinary: Vec<_> = configurations::ordinary()
        .iter()
        .map(|world| world.name)
        .collect();
    assert_eq!(tested, ordinary);
}

#[test]
fn random_steps_through_everything_at_once_hold() {
    let found = simulate(&configurations::large::product(), 1, 1_000_000);
    println!("{found}");
    assert!(found.holds(), "{found}");
}

fn all_break(variants: Vec<Variant>) {
    let verdicts: Vec<_> = variants.iter().map(Variant::check).collect();
    for verdict in &verdicts {
        print!("{verdict}");
    }
    for verdict in verdicts {
        assert!(verdict.complaints.is_empty(), "{verdict}");
    }
}

#[test]
fn every_rule_of_commits_is_needed() {
    all_break(of_commits());
}

#[test]
fn every_rule_of_spills_folds_and_merges_is_needed() {
    all_break(of_objects());
}

#[test]
fn every_rule_of_collection_is_needed() {
    all_break(of_collection());
}

#[test]
fn every_rule_of_fresh_reads_is_needed() {
    all_break(of_reads());
}

#[test]
fn every_rule_is_taken_out_somewhere() {
    let taken_out: BTreeSet<_> = variants().iter().map(|variant| variant.broken as usize).collect();
    let all: BTreeSet<_> = (0..=Broken::LowerRevisionInstalled as usize).collect();
    assert_eq!(taken_out, all);
}

/// What is seen from outside comes later: the invariants notice the HEAD itself.
#[test]
fn invariants_notice_the_head_that_breaks_them() {
    let noticed = |world: Configuration, broken, invariant| {
        let world = world.broken_by(broken);
        let found = shortest_counterexample(&world, invariant);
        println!("{broken:?}: {invariant}: {found:?}");
        found.is_some()
    };
    let contiguous = "I1: commits are contiguous";
    assert!(noticed(
        configurations::racing_folds(),
        Broken::OrderByLess,
        contiguous
    ));
    let fenced = "I3: named objects are durable and fenced";
    assert!(noticed(configurations::fence(), Broken::OldEpochNamed, fenced));
    assert!(noticed(configurations::fence(), Broken::NameUsedTwice, fenced));
    let newest = "I6: runs hold the newest versions";
    assert!(noticed(configurations::merges(), Broken::DropsTombstones, newest));
}
