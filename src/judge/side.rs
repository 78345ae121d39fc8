//! The one home of "what is on this side of a pipe": ends that were seen, ends that exist although no fd table shows them, and ends
//! that may exist because not everything could be read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::model::{
    Coverage, Descriptor, Device, Doubts, Endpoint, Fd, Gap, HiddenVia, Pid, Pipe, PipeGraph, PipeId, PossibleEnds,
    PossibleHolder, Side, Suspects, Tid, UnreadablePart,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SideState {
    /// An end, or a process that is blocked in opening one.
    Seen,
    /// No end was seen, but the kernel says that one exists.
    Hidden,
    /// No end was seen, the kernel did not say, and what could not be read may hold one.
    Unknown,
    /// The kernel says that no end exists; or it was not asked, and all fd tables were read. These do not show ends in flight: see
    /// [`Unread::possible_holders`].
    None,
}

pub(crate) fn state(graph: &PipeGraph, pipe: &Pipe, side: Side) -> SideState {
    if pipe.on(side).next().is_some() {
        // The kernel does not count the ends, so that one exists says nothing of others.
        return SideState::Seen;
    }
    match graph.probed(pipe.id).has(side) {
        Some(true) => SideState::Hidden,
        Some(false) => SideState::None,
        None if may_hide(&graph.coverage, pipe.id, side) => SideState::Unknown,
        None => SideState::None,
    }
}

/// The sides that have only an end that no fd table shows.
pub(crate) fn hidden_sides(graph: &PipeGraph, pipe: &Pipe) -> Vec<Side> {
    Side::BOTH.into_iter().filter(|side| state(graph, pipe, *side) == SideState::Hidden).collect()
}

/// What is on some sides of a pipe besides the ends that were seen.
pub(crate) fn unseen(graph: &PipeGraph, pipe: &Pipe, sides: &[Side]) -> SideState {
    let of_side = |side: &Side| match state(graph, pipe, *side) {
        SideState::Seen if may_hide(&graph.coverage, pipe.id, *side) => SideState::Unknown,
        SideState::Seen => SideState::None,
        unseen => unseen,
    };
    let states: Vec<SideState> = sides.iter().map(of_side).collect();
    let first = [SideState::Hidden, SideState::Unknown].into_iter().find(|state| states.contains(state));
    first.unwrap_or(SideState::None)
}

/// Whether a probe may find an end on a side on which no end was seen.
pub(crate) fn has_unprobed(graph: &PipeGraph, pipe: &Pipe) -> bool {
    let is_unseen = |side: &Side| pipe.side(*side).next().is_none();
    Side::BOTH.iter().filter(|side| is_unseen(side)).any(|side| may_hide(&graph.coverage, pipe.id, *side))
}

/// Whether a descriptor may be an end although no end of its pipe was seen.
pub(crate) fn may_be_end(graph: &PipeGraph, descriptor: &Descriptor) -> bool {
    match descriptor.pipe {
        Some(pipe) => Side::BOTH.into_iter().any(|side| may_hide(&graph.coverage, pipe, side)),
        // A path may be that of a FIFO where its file system did not say.
        None => {
            let is_it = |gap: &Gap| may_be_about(gap, descriptor.key()) && gap.may_hold != PossibleEnds::NOTHING;
            descriptor.target.is_none()
                || (descriptor.file_type.is_none() && graph.coverage.gaps_of(descriptor.pid).any(is_it))
        }
    }
}

pub(crate) fn has_hidden(graph: &PipeGraph, pipe: &Pipe) -> bool {
    !hidden_sides(graph, pipe).is_empty()
}

/// Whether what could not be read may hold an end of such a pipe, in addition to the ends that were seen.
pub(crate) fn may_hide(coverage: &Coverage, pipe: PipeId, side: Side) -> bool {
    coverage.outside.is_some() || coverage.gaps_cover(pipe.device(), side)
}

/// Whether this very end may be in what could not be read of its process.
pub(crate) fn may_hide_end(coverage: &Coverage, pipe: PipeId, end: &Endpoint) -> bool {
    coverage.gaps_of(end.pid).any(|gap| {
        let covers = |side: Side| end.access.is_on(side) && gap.may_hold.cover(pipe.device(), side);
        may_be_about(gap, end.key()) && Side::BOTH.into_iter().any(covers)
    })
}

/// Whether a descriptor may be among what a gap stands for.
fn may_be_about(gap: &Gap, (pid, tid, fd): (Pid, Option<Tid>, Fd)) -> bool {
    let is_same = match gap.what {
        UnreadablePart::Fd { fd: unread } => (gap.tid, unread) == (tid, fd),
        UnreadablePart::FdTable | UnreadablePart::FdLinks | UnreadablePart::Tasks | UnreadablePart::Cmdline => true,
    };
    gap.pid == pid && is_same
}

/// What may hold ends that were not seen. What may hold an end of any pipe is the same for all anonymous pipes, and for all FIFOs of a file
/// system, so it is found once.
pub(crate) struct Unread<'a> {
    graph: &'a PipeGraph,
    known: RefCell<BTreeMap<Ends, Rc<Suspects>>>,
}

/// Ends of anonymous pipes, which have no device, and of FIFOs of these file systems, on these sides.
type Ends = BTreeSet<(Option<Device>, Side)>;

impl<'a> Unread<'a> {
    pub(crate) const fn new(graph: &'a PipeGraph) -> Self {
        Self { graph, known: RefCell::new(BTreeMap::new()) }
    }

    /// What may hold an end on any of these sides since it is not known what it holds.
    pub(crate) fn of(&self, sides: &Ends) -> Rc<Suspects> {
        if let Some(known) = self.known.borrow().get(sides) {
            return Rc::clone(known);
        }
        let found = Rc::new(if sides.is_empty() { Suspects::default() } else { self.find(sides) });
        self.known.borrow_mut().insert(sides.clone(), Rc::clone(&found));
        found
    }

    fn find(&self, sides: &Ends) -> Suspects {
        let PipeGraph { hidden, coverage, parents, .. } = self.graph;
        // A process that came after the scan got its ends from one that was seen.
        let later = hidden.gaps.iter().filter(|gap| parents.contains_key(&gap.pid));
        let covers = |gap: &&Gap| sides.iter().any(|(device, side)| gap.may_hold.cover(*device, *side));
        let gaps = coverage.gaps.iter().chain(later).filter(covers);
        let unread = gaps.map(|gap| PossibleHolder::process(HiddenVia::Unreadable, gap.pid, &gap.command));
        let outside = coverage.outside.map(|_| PossibleHolder::nobody(HiddenVia::Outside));
        hidden.anywhere().chain(unread).chain(outside).collect()
    }

    fn of_side(&self, pipe: PipeId, side: Side) -> Rc<Suspects> {
        self.of(&BTreeSet::from([(pipe.device(), side)]))
    }

    /// What may hold an end on a side in addition to what was seen; empty where the kernel says that no end exists.
    pub(crate) fn possible_holders(&self, pipe: PipeId, side: Side) -> Doubts {
        let mut doubts = Doubts::default();
        if self.graph.probed(pipe).has(side) != Some(false) {
            doubts.extend_holders(&known_holders(self.graph, pipe, side).collect());
            doubts.extend_holders(&self.of_side(pipe, side));
        }
        doubts
    }

    /// What most likely holds an end that exists and was not seen: what is known to hold one of this very pipe, else all that may.
    pub(crate) fn likely_holders(&self, pipe: PipeId, side: Side) -> Rc<Suspects> {
        let known: Suspects = known_holders(self.graph, pipe, side).collect();
        if known.is_empty() { self.of_side(pipe, side) } else { Rc::new(known) }
    }

    /// What may hold the hidden ends of a pipe, in order; empty where it has none.
    pub(crate) fn hidden_holders(&self, pipe: &Pipe) -> Suspects {
        let sides = hidden_sides(self.graph, pipe);
        if sides.is_empty() {
            return Suspects::default();
        }
        if let Some(saved) = self.graph.hidden.told.get(&pipe.id) {
            return saved.clone();
        }
        // What is known of one side is not a guess about the other.
        let known: Suspects = sides.iter().flat_map(|side| known_holders(self.graph, pipe.id, *side)).collect();
        if !known.is_empty() {
            return known;
        }
        let unread = self.of(&sides.iter().map(|side| (pipe.id.device(), *side)).collect());
        match unread.is_empty() {
            true => std::iter::once(PossibleHolder::nobody(HiddenVia::Outside)).collect(),
            false => Suspects::clone(&unread),
        }
    }
}

/// What is known to hold an end of this very pipe without a descriptor of it.
fn known_holders(graph: &PipeGraph, pipe: PipeId, side: Side) -> impl Iterator<Item = PossibleHolder> {
    let registered = &graph.hidden.registered;
    let first = registered.partition_point(|(id, _)| *id < pipe);
    let rings = registered.iter().skip(first).take_while(move |(id, _)| *id == pipe);
    let autofs = side == Side::Write && graph.hidden.autofs.binary_search(&pipe).is_ok();
    rings
        .map(|(_, by)| PossibleHolder::holding(HiddenVia::IoUring, by))
        .chain(autofs.then(|| PossibleHolder::nobody(HiddenVia::Autofs)))
}

/// Whether there is any.
pub(crate) fn is_known_held(graph: &PipeGraph, pipe: PipeId, side: Side) -> bool {
    known_holders(graph, pipe, side).next().is_some()
}

#[cfg(test)]
mod tests;
