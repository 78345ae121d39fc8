//! From pipes to a graph of data: which way data flow, which processes take part in that, and which only hold a copy of an end. Pure.
//!
//! `holders` separates the processes that use an end from those that inherited it, `reach` follows the data from a selection on, and `layout` says what is drawn where. How any of it looks is the business of `render`.

mod holders;
pub(crate) mod layout;
mod marks;
mod reach;

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::Groups;
use crate::judge::processes::Processes;
use crate::judge::side::{self, SideState};
use crate::model::words::words;
use crate::model::{AccessMode, Endpoint, Fd, Pid, Pipe, PipeGraph, PipeId, Side, Task, TaskState, Wait};

pub(crate) use self::holders::{Active, active, split};
pub(crate) use self::marks::{Mark, MarkKind, Marks};
pub(crate) use self::reach::within_reach;

/// Where a side of a pipe has more processes than this, they are counted, not drawn one by one.
pub(crate) const MANY: usize = 8;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dataflow {
    /// By ID.
    pub(crate) flows: Vec<Flow>,
    /// The worst first.
    pub(crate) marks: BTreeMap<Pid, Vec<Mark>>,
}

/// A pipe with the processes between which its data flow, and the ends that only exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) pipe: PipeId,
    /// By PID.
    pub(crate) writers: Vec<Participant>,
    /// By PID.
    pub(crate) readers: Vec<Participant>,
    /// The ends that are no part of the flow, ordered as in the pipe. A read-write end may be a part of it on one side only, and does
    /// not stand here then.
    pub(crate) apart: Vec<InheritedCopy>,
    /// Whether it has no direction, as the jobserver of make(1): several processes hold both ends, and no process uses one only. Then all
    /// ends are in `apart`, also copies of one end.
    pub(crate) shared: bool,
    /// Of the side on which no process was seen.
    pub(crate) absence: Option<Absence>,
    /// Whether no process writes to it and no holder is about to read: each is blocked elsewhere, as the jobs of `make -j`, which have
    /// such a pipe as stdin. It leads nowhere.
    pub(crate) unused: bool,
}

/// A process at one side of a pipe.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Participant {
    pub(crate) pid: Pid,
    /// Its descriptors, in all of its tables, in order; empty while it is blocked in open(2).
    pub(crate) fds: Vec<Fd>,
    /// Whether it keeps a reader from end of file although it seems unrelated to the pipeline.
    pub(crate) leaked: bool,
}

/// An end beside the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Apart"))]
pub(crate) struct InheritedCopy {
    #[serde(flatten)]
    pub(crate) end: Endpoint,
    /// As in [`Participant::leaked`].
    pub(crate) leaked: bool,
}

words! {
    /// What is on a side on which no process was seen.
    pub(crate) enum Absence {
        /// No process.
        Nobody = "nobody",
        /// Perhaps a process that could not be read.
        Unsure = "unsure",
        /// An end that no fd table shows.
        Hidden = "hidden",
    }
}

impl Flow {
    pub(crate) fn side(&self, side: Side) -> &[Participant] {
        match side {
            Side::Read => &self.readers,
            Side::Write => &self.writers,
        }
    }

    /// Whether the processes on a side are only counted.
    pub(crate) fn is_folded(&self, side: Side) -> bool {
        self.side(side).len() > MANY
    }

    /// The side on which no process was seen. A shared pipe has none.
    pub(crate) fn empty_side(&self) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| !self.shared && self.side(*side).is_empty())
    }

    /// Whether it is drawn as a node of its own, through which all its data go: else each of several writers would be drawn with each of
    /// several readers.
    pub(crate) fn is_junction(&self) -> bool {
        Side::BOTH
            .into_iter()
            .any(|side| self.is_folded(side) || (self.side(side).len() > 1 && self.side(side.other()).len() != 1))
    }

    pub(crate) fn apart_pids(&self) -> BTreeSet<Pid> {
        self.apart.iter().map(|apart| apart.end.pid).collect()
    }
}

/// Without threads and waits, copies are identified by the relations of processes alone.
pub(crate) fn analyze(graph: &PipeGraph, groups: &Groups, waits: &[Wait], Marks { of, leaked }: Marks) -> Dataflow {
    let (processes, active) = (Processes::new(graph, groups), active(waits));
    let flow = |pipe| flow(graph, &processes, pipe, &active, &leaked);
    let mut flows: Vec<Flow> = graph.pipes.iter().map(flow).collect();
    // Of a socket pair that several inherited whole, or one made for itself, no direction of data shows.
    flows.retain(|flow| flow.pipe.kind().is_pipe() || !flow.is_without_direction());
    Dataflow { flows, marks: of }
}

impl Flow {
    /// Whether the same processes write it and read it.
    fn is_without_direction(&self) -> bool {
        let pids = |side: &[Participant]| side.iter().map(|it| it.pid).collect::<BTreeSet<Pid>>();
        self.shared || pids(&self.writers) == pids(&self.readers)
    }
}

fn flow(
    graph: &PipeGraph,
    processes: &Processes<'_>,
    pipe: &Pipe,
    active: &Active,
    leaked: &BTreeSet<(PipeId, Pid)>,
) -> Flow {
    let split = split(processes, pipe, active);
    let is_leaked = |pid: Pid| leaked.contains(&(pipe.id, pid));
    let participants = |side: Side, pids: &BTreeSet<Pid>| {
        let mut fds: BTreeMap<Pid, Vec<Fd>> = BTreeMap::new();
        for end in pipe.side(side).filter(|end| pids.contains(&end.pid)) {
            fds.entry(end.pid).or_default().push(end.fd);
        }
        for opener in pipe.openers.iter().filter(|opener| opener.access.is_on(side)) {
            fds.entry(opener.task.pid).or_default();
        }
        let participant = |(pid, mut fds): (Pid, Vec<Fd>)| {
            fds.sort_unstable();
            fds.dedup();
            Participant { pid, fds, leaked: side == Side::Write && is_leaked(pid) }
        };
        fds.into_iter().map(participant).collect()
    };
    let is_apart = |end: &&Endpoint| {
        let reads = end.access.is_on(Side::Read) && split.readers.contains(&end.pid);
        let writes = end.access.is_on(Side::Write) && split.writers.contains(&end.pid);
        !reads && !writes
    };
    let apart =
        |end: &Endpoint| InheritedCopy { end: *end, leaked: end.access != AccessMode::Read && is_leaked(end.pid) };
    let mut flow = Flow {
        pipe: pipe.id,
        writers: participants(Side::Write, &split.writers),
        readers: participants(Side::Read, &split.readers),
        apart: pipe.ends.iter().filter(is_apart).map(apart).collect(),
        shared: split.shared,
        absence: None,
        unused: false,
    };
    flow.unused = is_unused(processes, pipe, active, &flow);
    flow.absence = flow.empty_side().map(|side| match side::state(graph, pipe, side) {
        SideState::Hidden => Absence::Hidden,
        SideState::Unknown => Absence::Unsure,
        SideState::Seen | SideState::None => Absence::Nobody,
    });
    flow
}

fn is_unused(processes: &Processes<'_>, pipe: &Pipe, active: &Active, flow: &Flow) -> bool {
    let is_blocked = |task: &Task| matches!(task.doing, TaskState::Waits { .. } | TaskState::Sleeps { .. });
    let is_elsewhere = |pid: Pid| {
        let tasks = processes.threads(pid).map_or(&[][..], |group| &group.tasks);
        !tasks.is_empty() && tasks.iter().all(is_blocked) && !active.contains(&(pipe.id, pid, Side::Read))
    };
    let has_writer = pipe.on(Side::Write).next().is_some();
    !flow.shared && !has_writer && pipe.openers.is_empty() && pipe.on(Side::Read).all(is_elsewhere)
}

#[cfg(test)]
pub(super) mod tests;
