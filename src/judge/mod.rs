//! What follows from an observation, before anything is called a finding. Pure.

pub(crate) mod dataflow;
pub(crate) mod deadlock;
pub(crate) mod foreground;
pub(crate) mod lineage;
pub(crate) mod opening;
pub(crate) mod processes;
pub(crate) mod prospect;
pub(crate) mod side;
pub(crate) mod stall;
pub(crate) mod stuck;
pub(crate) mod waits;

pub(crate) use crate::model::Threads as Groups;
