//! Incremental verification: lines in, findings out. No files, so that directories, archives and
//! object stores are all verified by this code.
//!
//! What must stay true here: no change to a trail goes without a finding, and an honest trail has
//! none but notices. Memory does not grow with the trail.

mod chain;
mod control;
mod finding;

pub use chain::{ChainSummary, ChainVerifier};
pub use finding::{Finding, FindingKind, Findings, Severity};

#[cfg(test)]
mod tests;
