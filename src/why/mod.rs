//! From the pipes and what the threads are doing to what is wrong: who waits for whom, and which waits nobody can end. Pure.
//!
//! `waits` says who could end each wait, `stuck` which waits nobody will end, and a file for each kind of finding judges the rest.
//! Nothing is read here. Processes go on during a look, so a claim is made only of what two looks agree on: [`confirmed`].

mod confirm;
mod deadlock;
mod kin;
mod leaked;
mod missing;
mod opening;
mod stalled;
mod waits;

use std::collections::BTreeSet;

use crate::model::{Diagnosis, Doubt, Pid, PipeGraph, PipeId, Side, TaskId};

pub(crate) use self::kin::{is_told_of, mentions, was_told};

pub(crate) use self::confirm::{confirmed, follow_up};
pub use crate::model::Threads as Groups;

/// Says what the threads wait for, and what is wrong.
#[must_use]
pub fn diagnose(graph: &PipeGraph, groups: &Groups) -> Diagnosis {
    let waits = waits::waits(graph, groups);
    let (mut findings, stuck) = deadlock::find(graph, groups);
    let case = Case { graph, groups, stuck: &stuck, waiting: waits::by_pipe(groups) };
    findings.extend(leaked::find(&case));
    findings.extend(stalled::find(&case));
    findings.extend(opening::find(&case));
    findings.extend(missing::find(&case, &waits));
    findings.sort_by_key(|finding| (finding.severity(), finding.code()));
    Diagnosis { waits, findings }
}

/// What the rules judge by.
struct Case<'a> {
    graph: &'a PipeGraph,
    groups: &'a Groups,
    /// The threads whose waits nobody will end: what is wrong with those is told already.
    stuck: &'a BTreeSet<TaskId>,
    /// Who waits for each pipe, by process and thread.
    waiting: waits::ByPipe<'a>,
}

impl Case<'_> {
    /// The first thread of a process that is alive.
    fn leader(&self, pid: Pid) -> Option<TaskId> {
        self.groups.get(&pid)?.tasks.first().map(|task| task.id)
    }

    /// Who may be on a side of a pipe beside those who are seen there.
    fn doubts(&self, pipe: PipeId, side: Side) -> Vec<Doubt> {
        self.graph.unseen(pipe, side).into_iter().map(Doubt::Holder).collect()
    }
}
