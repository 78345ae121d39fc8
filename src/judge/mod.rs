//! What follows from an observation, before anything is called a finding.

pub(crate) mod dataflow;
pub(crate) mod processes;
pub(crate) mod side;
pub(crate) mod stuck;
