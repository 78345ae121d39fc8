//! What a report is made from, for JSON and for every other format.

use std::collections::BTreeSet;

use crate::findings::{AuditScope, Diagnosis};
use crate::judge::Groups;
use crate::judge::dataflow::Dataflow;
use crate::model::{Pid, PipeGraph, PipeId, Users};

#[derive(Clone, Copy)]
pub(crate) struct ReportView<'a> {
    pub(crate) graph: &'a PipeGraph,
    pub(crate) users: &'a Users,
    /// For `why` and an audit.
    pub(crate) judgment: Option<Judgment<'a>>,
    /// For `graph`.
    pub(crate) dataflow: Option<&'a Dataflow>,
}

impl<'a> ReportView<'a> {
    pub(crate) const fn of_pipes(graph: &'a PipeGraph, users: &'a Users) -> Self {
        Self { graph, users, judgment: None, dataflow: None }
    }
}

/// What `why` or an audit found, and what its text depends on besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judgment<'a> {
    pub(crate) diagnosis: &'a Diagnosis,
    /// What threads are doing.
    pub(crate) groups: &'a Groups,
    pub(crate) scope: &'a Scope,
    /// None for `why`.
    pub(crate) audit: Option<&'a AuditScope>,
    /// The same for `why`, which JSON does not have; none for an audit.
    pub(crate) why: Option<&'a AuditScope>,
    /// Whether --probe could add something.
    pub(crate) may_probe: bool,
    /// Whether the PIDs come from a report file, and so are those of another time, or of another machine.
    pub(crate) from_file: bool,
}

impl<'a> Judgment<'a> {
    /// Which findings were asked for.
    pub(crate) fn asked(&self) -> Option<&'a AuditScope> {
        self.audit.or(self.why)
    }
}

/// What `why` is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    #[default]
    Everything,
    Processes(BTreeSet<Pid>),
    Pipes(BTreeSet<PipeId>),
}
