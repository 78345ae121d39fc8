//! The one home of "what is on this side of a pipe": ends that were seen, ends that exist although no fd table shows them, and ends
//! that may exist because not everything could be read.

use crate::model::{
    Coverage, Descriptor, Endpoint, Fd, Gap, HiddenVia, Pid, Pipe, PipeGraph, PipeId, PossibleEnds, PossibleHolder,
    Side, Tid, UnreadablePart,
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
    /// [`possible_holders`].
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
            descriptor.target.is_none() || (descriptor.file_type.is_none() && graph.coverage.gaps.iter().any(is_it))
        }
    }
}

pub(crate) fn has_hidden(graph: &PipeGraph, pipe: &Pipe) -> bool {
    !hidden_sides(graph, pipe).is_empty()
}

/// Whether what could not be read may hold an end of such a pipe, in addition to the ends that were seen.
pub(crate) fn may_hide(coverage: &Coverage, pipe: PipeId, side: Side) -> bool {
    coverage.outside.is_some() || coverage.gaps.iter().any(|gap| gap.may_hold.cover(pipe, side))
}

/// Whether this very end may be in what could not be read of its process.
pub(crate) fn may_hide_end(coverage: &Coverage, pipe: PipeId, end: &Endpoint) -> bool {
    coverage.gaps.iter().any(|gap| {
        let covers = |side: Side| end.access.is_on(side) && gap.may_hold.cover(pipe, side);
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

/// What may hold an end on a side in addition to what was seen; empty where the kernel says that no end exists.
pub(crate) fn possible_holders(graph: &PipeGraph, pipe: PipeId, side: Side) -> Vec<PossibleHolder> {
    match graph.probed(pipe).has(side) {
        Some(false) => Vec::new(),
        Some(true) | None => [known_holders(graph, pipe, side), unread_holders(graph, pipe, side)].concat(),
    }
}

/// What most likely holds an end that exists and was not seen: what is known to hold one of this very pipe, else all that may.
pub(crate) fn likely_holders(graph: &PipeGraph, pipe: PipeId, side: Side) -> Vec<PossibleHolder> {
    let known = known_holders(graph, pipe, side);
    if known.is_empty() { unread_holders(graph, pipe, side) } else { known }
}

/// What may hold the hidden ends of a pipe, in order; empty where it has none.
pub(crate) fn hidden_holders(graph: &PipeGraph, pipe: &Pipe) -> Vec<PossibleHolder> {
    let sides = hidden_sides(graph, pipe);
    if sides.is_empty() {
        return Vec::new();
    }
    if let Some(saved) = graph.hidden.told.get(&pipe.id) {
        return saved.clone();
    }
    // What is known of one side is not a guess about the other.
    let all = |holders: fn(&PipeGraph, PipeId, Side) -> Vec<PossibleHolder>| {
        sides.iter().flat_map(move |side| holders(graph, pipe.id, *side))
    };
    let mut holders: Vec<PossibleHolder> = all(known_holders).collect();
    if holders.is_empty() {
        holders.extend(all(unread_holders));
    }
    if holders.is_empty() {
        holders.push(PossibleHolder::nobody(HiddenVia::Outside));
    }
    holders.sort_unstable();
    holders.dedup();
    holders
}

/// What is known to hold an end of this very pipe without a descriptor of it.
pub(crate) fn known_holders(graph: &PipeGraph, pipe: PipeId, side: Side) -> Vec<PossibleHolder> {
    let registered = graph.hidden.registered.iter().filter(|(id, _)| *id == pipe);
    let autofs = side == Side::Write && graph.hidden.autofs.contains(&pipe);
    let rings = registered.map(|(_, by)| PossibleHolder::holding(HiddenVia::IoUring, by));
    rings.chain(autofs.then(|| PossibleHolder::nobody(HiddenVia::Autofs))).collect()
}

/// What may hold an end on a side since it is not known what it holds.
pub(crate) fn unread_holders(graph: &PipeGraph, pipe: PipeId, side: Side) -> Vec<PossibleHolder> {
    let hidden = &graph.hidden;
    // A process that came after the scan got its ends from one that was seen.
    let later = hidden.gaps.iter().filter(|gap| graph.parents.contains_key(&gap.pid));
    let gaps = graph.coverage.gaps.iter().chain(later).filter(|gap| gap.may_hold.cover(pipe, side));
    let unread = gaps.map(|gap| PossibleHolder::process(HiddenVia::Unreadable, gap.pid, &gap.command));
    let outside = graph.coverage.outside.map(|_| PossibleHolder::nobody(HiddenVia::Outside));
    let mut holders: Vec<PossibleHolder> = hidden.anywhere().chain(unread).chain(outside).collect();
    holders.sort_unstable();
    holders.dedup();
    holders
}

#[cfg(test)]
mod tests;
