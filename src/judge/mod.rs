//! What follows from an observation, before anything is called a finding.

pub mod dataflow;
pub(crate) mod stuck;
