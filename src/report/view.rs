//! What a report is made from, for JSON and for every other format.

use std::collections::{BTreeMap, BTreeSet};

use crate::findings::{AuditScope, Diagnosis};
use crate::model::{Pid, PipeGraph, PipeId, ThreadGroup, Users};

/// The pipes, the names of their users, and what `why` or an audit found.
pub(crate) struct ReportView<'a> {
    pub(crate) graph: &'a PipeGraph,
    pub(crate) users: &'a Users,
    pub(crate) told: Option<&'a Told<'a>>,
}

/// What `why` or an audit found, beside the pipes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    /// The waits and the findings.
    pub(crate) diagnosis: &'a Diagnosis,
    /// The processes with what their threads are doing.
    pub(crate) groups: &'a BTreeMap<Pid, ThreadGroup>,
    /// What was asked about.
    pub(crate) asked: &'a Asked,
    /// How an audit came to it; none for `why`.
    pub(crate) audited: Option<&'a AuditScope>,
    /// Whether --probe could add something.
    pub(crate) may_probe: bool,
    /// Whether it comes from a report file, so that its PIDs are those of another time, or another machine.
    pub(crate) from_file: bool,
}

/// What `why` was asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The whole machine.
    #[default]
    Everything,
    /// These processes.
    Processes(BTreeSet<Pid>),
    /// These pipes.
    Pipes(BTreeSet<PipeId>),
}
