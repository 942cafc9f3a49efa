//! What is done beside the commits: objects that nothing references are collected, states are pinned.

pub(crate) mod collect;
pub(crate) mod list;
pub(crate) mod object;
pub(crate) mod pin;

#[cfg(test)]
mod tests;
