//! From pipes to a drawing: which way data flow, who is a part of that, and who only holds a copy of an end. Pure.
//!
//! `holders` tells those who use an end from those who inherited it, `marks` takes from a diagnosis what is wrong, `reach` follows the
//! data from a selection on, and `layout` says what is drawn where. How any of it looks is the business of `render`.

mod holders;
pub mod layout;
mod marks;
mod reach;

use std::collections::{BTreeMap, BTreeSet};

use crate::findings::Diagnosis;
use crate::model::words::words;
use crate::model::{AccessMode, Endpoint, Fd, Pid, Pipe, PipeGraph, PipeId, Side};

use self::holders::Seen;
pub use self::marks::{Mark, MarkKind};
pub use self::reach::within_reach;

/// More processes than this on a side of a pipe are counted, not drawn one by one.
pub const MANY: usize = 8;

/// All that is to be drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawing {
    /// The pipes, by ID.
    pub flows: Vec<Flow>,
    /// What is wrong with processes, the worst first.
    pub marks: BTreeMap<Pid, Vec<Mark>>,
}

/// A pipe with those between whom its data flow, and those who only hold an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Which pipe.
    pub pipe: PipeId,
    /// Those who write to it, by PID.
    pub writers: Vec<Participant>,
    /// Those who read from it, by PID.
    pub readers: Vec<Participant>,
    /// The ends that are no part of the flow, ordered as in the pipe. An end that is open for both may be a part of it on one side only,
    /// and does not stand here then.
    pub apart: Vec<InheritedCopy>,
    /// Whether everybody holds both its ends, so that it has no direction, as the jobserver of make(1): then all ends are in `apart`.
    pub shared: bool,
    /// For the side that nobody was seen on, whether somebody may be there all the same.
    pub absence: Option<Absence>,
}

/// A process at one side of a pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The process.
    pub pid: Pid,
    /// Its descriptors, in all of its tables, in order; empty while it waits in open(2).
    pub fds: Vec<Fd>,
    /// Whether it keeps a reader from end of file that it seems to have nothing to do with.
    pub leaked: bool,
}

/// An end beside the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InheritedCopy {
    /// The end.
    pub end: Endpoint,
    /// As in [`Participant::leaked`].
    pub leaked: bool,
}

words! {
    /// That nobody was seen on a side.
    pub enum Absence {
        /// Nobody is there.
        Nobody = "nobody",
        /// Somebody who could not be seen may be there.
        Unsure = "unsure",
        /// Somebody is there whom no fd table shows.
        Hidden = "hidden",
    }
}

impl Flow {
    /// Those on one side.
    #[must_use]
    pub fn side(&self, side: Side) -> &[Participant] {
        match side {
            Side::Read => &self.readers,
            Side::Write => &self.writers,
        }
    }

    /// Whether those on a side are only counted.
    #[must_use]
    pub fn is_folded(&self, side: Side) -> bool {
        self.side(side).len() > MANY
    }

    /// The side that nobody was seen on. A shared pipe has none.
    #[must_use]
    pub fn empty_side(&self) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| !self.shared && self.side(*side).is_empty())
    }

    /// Whether it is drawn as a place of its own, through which all its data go: from several to several each would be drawn with each.
    #[must_use]
    pub fn is_junction(&self) -> bool {
        Side::BOTH
            .into_iter()
            .any(|side| self.is_folded(side) || (self.side(side).len() > 1 && self.side(side.other()).len() != 1))
    }

    /// Those who hold an end and are no part of the flow, by PID.
    #[must_use]
    pub fn apart_pids(&self) -> BTreeSet<Pid> {
        self.apart.iter().map(|apart| apart.end.pid).collect()
    }
}

/// Says how the data of each pipe flow. Where a diagnosis is empty nothing is marked, and copies are told by kinship alone.
#[must_use]
pub fn draw(graph: &PipeGraph, diagnosis: &Diagnosis) -> Drawing {
    let (seen, leaked) = (Seen::of(diagnosis), marks::leaked(diagnosis));
    let flows = graph.pipes.iter().map(|pipe| flow(graph, pipe, &seen, &leaked)).collect();
    Drawing { flows, marks: marks::marks(graph, diagnosis) }
}

fn flow(graph: &PipeGraph, pipe: &Pipe, seen: &Seen, leaked: &BTreeSet<(PipeId, Pid)>) -> Flow {
    let split = holders::split(graph, pipe, seen);
    let is_leaked = |pid: Pid| leaked.contains(&(pipe.id, pid));
    let tips = |side: Side, pids: &BTreeSet<Pid>| {
        let mut fds: BTreeMap<Pid, Vec<Fd>> = BTreeMap::new();
        for end in pipe.side(side).filter(|end| pids.contains(&end.pid)) {
            fds.entry(end.pid).or_default().push(end.fd);
        }
        for opener in pipe.openers.iter().filter(|opener| opener.access.is_on(side)) {
            fds.entry(opener.task.pid).or_default();
        }
        let tip = |(pid, mut fds): (Pid, Vec<Fd>)| {
            fds.sort_unstable();
            fds.dedup();
            Participant { pid, fds, leaked: side == Side::Write && is_leaked(pid) }
        };
        fds.into_iter().map(tip).collect()
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
        writers: tips(Side::Write, &split.writers),
        readers: tips(Side::Read, &split.readers),
        apart: pipe.ends.iter().filter(is_apart).map(apart).collect(),
        shared: split.shared,
        absence: None,
    };
    flow.absence = flow.empty_side().map(|side| match graph.hides(pipe, side) {
        Some(true) => Absence::Hidden,
        Some(false) => Absence::Nobody,
        None if graph.coverage.may_hide(pipe.id.kind(), side) => Absence::Unsure,
        None => Absence::Nobody,
    });
    flow
}

#[cfg(test)]
mod tests;
