//! The fields of `test_mutants`.

use serde::{Deserialize, Serialize};

/// What became of every mutant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MutantsFields {
    /// How many there are.
    pub mutants: usize,
    /// Those that a seed has killed.
    pub killed: usize,
    /// Each of them.
    pub fates: Vec<MutantFate>,
    /// How long it took on the wall.
    pub wall_s: f64,
}

/// What became of one mutant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MutantFate {
    /// Its name.
    pub mutant: String,
    /// The first seed whose case shows it; null if none of them does.
    pub seed: Option<u64>,
    /// How many cases were played, that one included.
    pub played: u64,
    /// What is wrong there, by name.
    pub problem: Option<String>,
}
