//! The one home of "what is on this side of a pipe": ends that were seen, ends that exist although no fd table shows them, and ends
//! that may exist because not everything could be read.
//!
//! Where the kernel accounts for a side ([`Unseen`]), that is the answer, whatever could not be read: a gap in the scan hides no end of a
//! pipe whose ends were all seen.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::model::{
    Coverage, Descriptor, Device, Doubt, Doubts, Endpoint, Fd, Gap, HiddenVia, Pid, Pipe, PipeGraph, PipeId, PipeKind,
    PossibleEnds, PossibleHolder, PtyFlow, Side, Suspects, Tid, UnreadablePart, Unseen,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SideState {
    /// An end, or a process that is blocked in opening one.
    Seen,
    /// No end was seen, but the kernel says that one exists.
    Hidden,
    /// No end was seen, the kernel did not say, and what could not be read may hold one; or, of a socket or terminal, some process does.
    Unknown,
    /// The kernel says that no end exists; or it was not asked, and all fd tables were read. These do not show ends in flight: see
    /// [`Unread::possible_holders`].
    None,
}

pub(crate) fn state(graph: &PipeGraph, pipe: &Pipe, side: Side) -> SideState {
    if pipe.on(side).next().is_some() {
        return SideState::Seen;
    }
    let probed = graph.probed.get(&pipe.id);
    match probed.and_then(|probed| probed.has(side)) {
        // Those that it counts were seen, and are those of lspipe itself.
        Some(_) if graph.unseen(pipe.id, side).is_some_and(|unseen| unseen.descriptions == 0) => SideState::None,
        Some(true) => SideState::Hidden,
        Some(false) => SideState::None,
        None if exists(pipe, side) => SideState::Unknown,
        // A count alone may be that of a moment, but it is no proof that there is none.
        None if probed.and_then(|probed| probed.count(side)).is_some_and(|count| count > 0) => SideState::Unknown,
        None if may_exist(graph, pipe.id, side) => SideState::Unknown,
        None => SideState::None,
    }
}

/// Whether an end exists that no fd table shows, whatever ends were seen.
fn is_hidden_on(graph: &PipeGraph, pipe: &Pipe, side: Side) -> bool {
    match state(graph, pipe, side) {
        SideState::Seen => graph.unseen(pipe.id, side).is_some_and(|unseen| unseen.descriptions > 0),
        state => state == SideState::Hidden,
    }
}

/// Whether the side of a socket or terminal exists, although it may not have been seen: a socket is a channel only while it has a peer, and a
/// slave has a name only while its master is open.
fn exists(pipe: &Pipe, side: Side) -> bool {
    match (pipe.id.kind(), pipe.id.flow(), side) {
        (PipeKind::Unix, ..) => true,
        (PipeKind::Pty, Some(PtyFlow::Input), Side::Write) | (PipeKind::Pty, Some(PtyFlow::Output), Side::Read) => {
            !pipe.deleted
        }
        _ => false,
    }
}

/// The sides that have an end that no fd table shows.
pub(crate) fn hidden_sides(graph: &PipeGraph, pipe: &Pipe) -> Vec<Side> {
    Side::BOTH.into_iter().filter(|side| is_hidden_on(graph, pipe, *side)).collect()
}

/// What is on some sides of a pipe besides the ends that were seen.
pub(crate) fn unseen(graph: &PipeGraph, pipe: &Pipe, sides: &[Side]) -> SideState {
    let of_side = |side: &Side| match state(graph, pipe, *side) {
        SideState::Seen if is_hidden_on(graph, pipe, *side) => SideState::Hidden,
        SideState::Seen if may_exist(graph, pipe.id, *side) => SideState::Unknown,
        SideState::Seen => SideState::None,
        unseen => unseen,
    };
    let states: Vec<SideState> = sides.iter().map(of_side).collect();
    let first = [SideState::Hidden, SideState::Unknown].into_iter().find(|state| states.contains(state));
    first.unwrap_or(SideState::None)
}

/// Whether a probe may find an end on a side on which no end was seen.
pub(crate) fn has_unprobed(graph: &PipeGraph, pipe: &Pipe) -> bool {
    // Nothing but pipes is probed.
    let is_unseen = |side: &Side| pipe.id.kind().is_pipe() && pipe.side(*side).next().is_none();
    let is_counted = |side: Side| graph.unseen(pipe.id, side).is_some();
    Side::BOTH.iter().filter(|side| is_unseen(side) && !is_counted(**side)).any(|side| may_exist(graph, pipe.id, *side))
}

/// Whether a descriptor may be an end although no end of its pipe was seen.
pub(crate) fn may_be_end(graph: &PipeGraph, descriptor: &Descriptor) -> bool {
    match descriptor.pipe {
        Some(pipe) => Side::BOTH.into_iter().any(|side| may_exist(graph, pipe, side)),
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

/// Whether an end of a pipe may exist in addition to the ends that were seen.
fn may_exist(graph: &PipeGraph, pipe: PipeId, side: Side) -> bool {
    match graph.unseen(pipe, side) {
        Some(Unseen { descriptions: 1.., .. }) => true,
        // A process that could not be read may share one that was seen.
        Some(Unseen { references: 1.., .. }) | None => may_hide(&graph.coverage, pipe, side),
        Some(Unseen { descriptions: 0, references: 0 }) => false,
    }
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

    /// What may hold an end on a side in addition to what was seen; empty where the kernel says that no other exists.
    pub(crate) fn possible_holders(&self, pipe: PipeId, side: Side) -> Doubts {
        self.of_sides([(pipe, side)])
    }

    /// Likewise of several sides.
    pub(crate) fn of_sides(&self, sides: impl IntoIterator<Item = (PipeId, Side)>) -> Doubts {
        let (mut counted, mut open, mut known) = (BTreeSet::new(), Ends::new(), Vec::new());
        for (pipe, side) in sides {
            let probed = self.graph.probed.get(&pipe);
            match self.graph.unseen(pipe, side) {
                Some(unseen) if unseen.is_nothing() => continue,
                Some(unseen) => {
                    counted.extend((unseen.descriptions > 0).then_some(Doubt::Counted(pipe)));
                    counted.extend((unseen.references > 0).then_some(Doubt::Referenced(pipe)));
                }
                None if probed.and_then(|probed| probed.has(side)) == Some(false) => continue,
                None => {}
            }
            open.insert((pipe.device(), side));
            known.extend(known_holders(self.graph, pipe, side));
        }
        let mut doubts = Doubts::default();
        doubts.extend_holders(&known.into_iter().collect());
        doubts.extend_holders(&self.of(&open));
        doubts.extend(counted);
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
