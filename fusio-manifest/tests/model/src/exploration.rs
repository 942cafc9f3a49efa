//! Explores a configuration: every state, until the first violation, or at random.

use std::{collections::BTreeMap, fmt, time::Duration};

use stateright::{
    Checker, DiscoveryClassification, HasDiscoveries, Model as _, Path, UniformChooser,
    report::{ReportData, ReportDiscovery, Reporter},
};

use crate::{
    configuration::Configuration,
    model::{Action, Protocol},
    state::State,
    symmetry,
};

/// What was found.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// Of the configuration.
    pub name: &'static str,
    /// Every state that was come by, as often as it was.
    pub states: usize,
    /// The different ones.
    pub unique_states: usize,
    /// The most steps from the first state to one of them, by the shortest path if one thread explored.
    pub depth: usize,
    /// How long it took.
    pub duration: Duration,
    /// What must always hold and did not.
    pub violations: Vec<Counterexample>,
    /// What had to be reached and was not.
    pub unreached: Vec<&'static str>,
    /// False if it was stopped before every state was come by.
    pub complete: bool,
}

impl Exploration {
    /// True if nothing was violated and everything was reached that had to be.
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.unreached.is_empty()
    }
}

/// A row of a table.
impl fmt::Display for Exploration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            states,
            unique_states,
            depth,
            duration,
            violations,
            unreached,
            complete,
        } = self;
        write!(
            f,
            "| {name} | {states} | {unique_states} | {depth} | {:.1} s |",
            duration.as_secs_f64()
        )?;
        match (violations.first(), unreached.as_slice()) {
            (None, _) if !complete => write!(f, " nothing violated so far, stopped |"),
            (Some(Counterexample { property, steps }), _) => {
                write!(f, " violated: {property}: {} |", steps.join(", "))
            }
            (None, []) => write!(f, " holds |"),
            (None, unreached) => write!(f, " not reached: {} |", unreached.join(", ")),
        }
    }
}

/// How a property is violated.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The property.
    pub property: &'static str,
    /// What happens, step by step.
    pub steps: Vec<String>,
}

impl Counterexample {
    fn of(property: &'static str, path: Path<State, Action>) -> Self {
        let actions = path.into_actions().into_iter();
        Self {
            property,
            steps: actions.map(|action| format!("{action:?}")).collect(),
        }
    }
}

/// Explores every state, on `threads` threads; for so long at most, if that is given.
pub fn explore(configuration: &Configuration, threads: usize, within: Option<Duration>) -> Exploration {
    let mut checker = Protocol::new(configuration)
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures);
    if let Some(within) = within {
        checker = checker.timeout(within);
    }
    let mut explored = if configuration.alike {
        // Of states that differ only in which handle is which, one; this explorer can only go deep first.
        let checker = checker.symmetry_fn(symmetry::representative);
        found(configuration, |findings| {
            checker.spawn_dfs().join_and_report(findings)
        })
    } else {
        found(configuration, |findings| {
            checker.spawn_bfs().join_and_report(findings)
        })
    };
    explored.complete = within.is_none_or(|within| explored.duration < within);
    explored
}

/// Takes random steps until so many states were come by.
pub fn simulate(configuration: &Configuration, seed: u64, states: usize) -> Exploration {
    let checker = Protocol::new(configuration).checker();
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(states);
    found(configuration, |findings| {
        checker
            .spawn_simulation(seed, UniformChooser)
            .join_and_report(findings)
    })
}

/// The shortest way to violate this property, if there is one.
///
/// The explorer finds a violation near the shortest: it goes on for some states before it looks what it found. So it
/// is run again with fewer steps, until that finds none.
pub fn shortest_counterexample(
    configuration: &Configuration,
    property: &'static str,
) -> Option<Counterexample> {
    let mut shortest: Option<Counterexample> = None;
    loop {
        let mut checker = Protocol::for_one(configuration, property)
            .checker()
            .finish_when(HasDiscoveries::AnyFailures);
        if let Some(shortest) = &shortest {
            // Depth counts states, which are one more than steps, and the last depth is left out.
            checker = checker.target_max_depth(shortest.steps.len() + 1);
        }
        let violations = found(configuration, |findings| {
            checker.spawn_bfs().join_and_report(findings)
        })
        .violations;
        match violations
            .into_iter()
            .min_by_key(|violation| violation.steps.len())
        {
            Some(shorter) => shortest = Some(shorter),
            None => return shortest,
        }
    }
}

fn found<C: Checker<Protocol>>(
    configuration: &Configuration,
    run: impl FnOnce(&mut Findings) -> C,
) -> Exploration {
    let mut findings = Findings::default();
    let checker = run(&mut findings);
    let reached = configuration
        .reached
        .iter()
        .map(|reached| reached.property().name);
    let unreached = reached.filter(|name| checker.discovery(name).is_none()).collect();
    Exploration {
        name: configuration.name,
        states: findings.states,
        unique_states: findings.unique_states,
        depth: findings.depth.saturating_sub(1),
        duration: findings.duration,
        violations: findings.violations,
        unreached,
        complete: true,
    }
}

/// Keeps what a checker reports at its end.
#[derive(Debug, Default)]
struct Findings {
    states: usize,
    unique_states: usize,
    depth: usize,
    duration: Duration,
    violations: Vec<Counterexample>,
}

impl Reporter<Protocol> for Findings {
    fn report_checking(&mut self, data: ReportData) {
        self.states = data.total_states;
        self.unique_states = data.unique_states;
        self.depth = data.max_depth;
        self.duration = data.duration;
    }

    fn report_discoveries(
        &mut self,
        _: &Protocol,
        discoveries: BTreeMap<&'static str, ReportDiscovery<Protocol>>,
    ) {
        for (property, discovery) in discoveries {
            if matches!(discovery.classification, DiscoveryClassification::Counterexample) {
                self.violations.push(Counterexample::of(property, discovery.path));
            }
        }
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(10)
    }
}
