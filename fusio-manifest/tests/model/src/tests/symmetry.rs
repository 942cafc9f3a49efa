//! Exchanging handles that do the same changes nothing but names, and exploring one of each loses nothing.

use std::collections::{HashSet, VecDeque};

use stateright::Model as _;

use super::*;
use crate::{
    configuration::{Budget, Transaction},
    model::Protocol,
    state::State,
    symmetry::{Exchange, representative},
};

/// Two handles, one transaction each, with a bit of everything.
fn two_alike(budget: Budget) -> Configuration {
    Configuration::alike("two alike", 2, |handle| {
        vec![Transaction::of(handle).reading(0).writing(0)]
    })
    .with(budget)
}

fn successors(model: &Protocol, state: &State) -> Vec<State> {
    let mut actions = Vec::new();
    model.actions(state, &mut actions);
    let next = actions.into_iter().map(|action| model.next_state(state, action));
    next.flatten().collect()
}

/// What follows a state with its handles exchanged is what follows it, with the handles exchanged; and no property tells
/// one from the other.
fn exchanging_changes_nothing(configuration: &Configuration, states_max: usize) -> usize {
    let model = Protocol::new(configuration);
    let (mut known, mut next): (HashSet<State>, VecDeque<State>) = Default::default();
    next.extend(model.init_states());
    let mut compared = 0;
    while let Some(state) = next.pop_back()
        && compared < states_max
    {
        let followers = successors(&model, &state);
        for exchange in Exchange::all(&state) {
            let exchanged = exchange.state(&state);
            let expected: HashSet<State> = followers.iter().map(|state| exchange.state(state)).collect();
            let found: HashSet<State> = successors(&model, &exchanged).into_iter().collect();
            assert!(expected == found, "{exchange:?} of {state:#?}");
            assert_eq!(representative(&exchanged), representative(&state));
            for property in model.properties() {
                let holds = |state| (property.condition)(&model, state);
                assert_eq!(
                    holds(&state),
                    holds(&exchanged),
                    "{} of {state:#?}",
                    property.name
                );
            }
        }
        compared += 1;
        for (place, state) in followers.into_iter().enumerate() {
            if known.insert(state.clone()) {
                // Now and then from the other end: wide as well as deep.
                match (compared + place) % 3 {
                    0 => next.push_front(state),
                    _ => next.push_back(state),
                }
            }
        }
    }
    compared
}

#[test]
fn exchanging_handles_changes_nothing_but_names() {
    let everything = Budget {
        spill: 2,
        fold: 2,
        merge: 1,
        collect: 2,
        pin: 1,
        unpin: 1,
        hold: 1,
        read: 1,
        ..Budget::faults()
    };
    let three = configurations::large::three_alike("three alike, everything", everything, &[]);
    assert_eq!(exchanging_changes_nothing(&three, 3_000), 3_000);
    let large = Configuration::alike("two alike, large", 2, |handle| {
        vec![
            Transaction::of(handle).writing(0).large(),
            Transaction::of(handle).reading(0).writing(1).large(),
        ]
    })
    .with(Budget {
        upload: 3,
        ..everything
    });
    assert_eq!(exchanging_changes_nothing(&large, 3_000), 3_000);
}

#[test]
fn one_of_each_is_explored() {
    let configuration = two_alike(Budget {
        reply_lost: 1,
        late: 1,
        crash: 1,
        spill: 1,
        ..Budget::default()
    });
    let model = Protocol::new(&configuration);
    let mut known: HashSet<State> = model.init_states().into_iter().collect();
    let mut next: Vec<State> = known.iter().cloned().collect();
    while let Some(state) = next.pop() {
        let fresh = successors(&model, &state).into_iter();
        next.extend(fresh.filter(|state| known.insert(state.clone())));
    }
    let different: HashSet<State> = known.iter().map(representative).collect();
    let explored = explore(&configuration, 1, None);
    assert_eq!(explored.unique_states, different.len());
    assert!(
        known.len() > different.len() * 19 / 10,
        "{} of {}",
        different.len(),
        known.len()
    );
}

#[test]
fn what_a_missing_rule_does_is_seen_among_those_that_are_alike() {
    for broken in [
        Broken::SkipValidation,
        Broken::SkipOwnIdCheck,
        Broken::UnknownMeansLost,
    ] {
        let configuration = two_alike(Budget {
            reply_lost: 1,
            replayed: 1,
            ..Budget::default()
        })
        .broken_by(broken);
        let explored = explore(&configuration, 1, None);
        assert!(!explored.violations.is_empty(), "{broken:?}: {explored}");
    }
}
