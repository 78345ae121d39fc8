//! The ends that stand in a cell, and what stands for a side of which none was seen.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::super::Style;
use super::super::text::{EscapeContext, TextRole, push_fmt, push_name};
use crate::judge::side::{self, SideState};
use crate::model::{AccessMode, Endpoint, Fd, Opener, Pid, Pipe, PipeGraph, PipeId, Side, Tid};

/// Maximum number of other ends that the ENDS column names: with all of them the output would grow with the square of the ends.
const MOST_ENDS: usize = 32;

/// What distinguishes an end from the others of its pipe.
pub(super) type EndKey = (Pid, Option<Tid>, Fd);

/// Ends, and what else stands with them in a cell.
#[derive(Default)]
pub(super) struct Ends<'a> {
    /// What stands first for a side on which no end was seen.
    absent: Option<SideState>,
    ends: Vec<&'a Endpoint>,
    /// Number of ends that are not shown.
    more: usize,
    openers: Vec<&'a Opener>,
}

/// The first ends of each pipe, enough of each access mode for a cell, in the order of all its ends: each end of a pipe may have a row, and
/// each row looks for them.
#[derive(Default)]
pub(in crate::render) struct FirstEnds<'a>(RefCell<HashMap<PipeId, Rc<[&'a Endpoint]>>>);

impl<'a> FirstEnds<'a> {
    fn of(&self, pipe: &'a Pipe) -> Rc<[&'a Endpoint]> {
        let find = || {
            // A row leaves out its own.
            let mut room: Vec<_> = AccessMode::ALL.iter().map(|access| (*access, MOST_ENDS + 1)).collect();
            let is_first = |end: &&Endpoint| {
                let room = room.iter_mut().find(|(access, room)| *access == end.access && *room > 0);
                room.map(|(_, room)| *room -= 1).is_some()
            };
            pipe.ends.iter().filter(is_first).collect()
        };
        Rc::clone(self.0.borrow_mut().entry(pipe.id).or_insert_with(find))
    }
}

impl Ends<'_> {
    pub(super) fn write(&self, graph: &PipeGraph, style: &Style, text: &mut String) {
        let separator = style.separator(self.ends.len() + self.openers.len());
        let start = text.len();
        if let Some(state) = self.absent {
            push_absent(state, style, text);
        }
        for end in &self.ends {
            text.push_str(if text.len() > start { separator } else { "" });
            push_end(graph, end, text);
        }
        for opener in &self.openers {
            text.push_str(if text.len() > start { separator } else { "" });
            let tid = Some(opener.task.tid).filter(|_| !opener.task.is_leader());
            push_holder(opener.task.pid, tid, &opener.command, text);
            text.push_str("open");
        }
        if self.more > 0 {
            push_fmt(text, format_args!("{separator}+{}", self.more));
        }
    }
}

/// The ends of a side; what stands for none where none was seen.
pub(super) fn side_ends<'a>(graph: &PipeGraph, pipe: &'a Pipe, side: Side) -> Ends<'a> {
    let ends: Vec<&Endpoint> = pipe.side(side).collect();
    let openers: Vec<&Opener> = pipe.openers.iter().filter(|opener| opener.access.is_on(side)).collect();
    let is_empty = ends.is_empty() && openers.is_empty();
    let absent = is_empty.then(|| side::unseen(graph, pipe, &[side]));
    Ends { absent, ends, more: 0, openers }
}

/// The ends of the other side, or what stands for none, and then the other ends of the same side.
pub(super) fn other_ends<'a>(graph: &PipeGraph, pipe: &'a Pipe, key: EndKey, first_ends: &FirstEnds<'a>) -> Ends<'a> {
    let own = pipe.ends.binary_search_by_key(&key, Endpoint::key).ok().and_then(|place| pipe.ends.get(place));
    let first = first_ends.of(pipe);
    let first = || first.iter().copied();
    let across: &[Side] = match own.map(|end| end.access) {
        Some(AccessMode::Read) => &[Side::Write],
        Some(AccessMode::Write) => &[Side::Read],
        Some(AccessMode::ReadWrite) | None => &Side::BOTH,
    };
    let is_across = |end: &&Endpoint| across.iter().any(|side| end.access.is_on(*side));
    let is_other = |end: &&Endpoint| end.key() != key;
    let mut ends: Vec<&Endpoint> = first().filter(is_across).filter(is_other).take(MOST_ENDS).collect();
    let absent = ends.is_empty().then(|| side::unseen(graph, pipe, across));
    let room = MOST_ENDS - ends.len();
    ends.extend(first().filter(|end| !is_across(end)).filter(is_other).take(room));
    let more = pipe.ends.len() - usize::from(own.is_some()) - ends.len();
    Ends { absent, ends, more, openers: Vec::new() }
}

/// What stands for the ends of a side of which none was seen.
pub(in crate::render) fn push_absent(state: SideState, style: &Style, text: &mut String) {
    match state {
        SideState::Hidden => style.push(TextRole::Warning, text, "hidden"),
        SideState::Unknown => style.push(TextRole::Warning, text, "?"),
        SideState::Seen | SideState::None => style.push(TextRole::Faint, text, "-"),
    }
}

/// `252,grep,0r`, as lsof and lsfd write it. A thread with an fd table of its own follows the PID: `252/260,grep,0r`.
pub(in crate::render) fn push_end(graph: &PipeGraph, end: &Endpoint, text: &mut String) {
    let command = graph.processes.get(&end.pid).map_or(&[][..], |process| &process.command);
    push_holder(end.pid, end.tid, command, text);
    push_fmt(text, format_args!("{}{}", end.fd, end.access.as_str()));
}

fn push_holder(pid: Pid, tid: Option<Tid>, command: &[u8], text: &mut String) {
    push_fmt(text, format_args!("{pid}"));
    if let Some(tid) = tid {
        push_fmt(text, format_args!("/{tid}"));
    }
    text.push(',');
    push_name(text, command, EscapeContext::Item);
    text.push(',');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first ends of a pipe leave out, no row would show.
    #[test]
    fn other_ends_are_the_first_of_all() {
        let graph = PipeGraph::empty();
        for step in [1, 2, 3, 50] {
            let access = |fd: u32| AccessMode::ALL[usize::from(fd.is_multiple_of(step)) + usize::from(fd > 70)];
            let end = |fd| Endpoint { pid: Pid(7), tid: None, fd: Fd(fd), access: access(fd), flags: None };
            let pipe = Pipe { ends: (0..150).map(end).collect(), ..Pipe::unknown(PipeId::anonymous(1)) };
            let first_ends = FirstEnds::default();
            for own in &pipe.ends {
                let shown = other_ends(&graph, &pipe, own.key(), &first_ends);
                let is_across = |end: &&Endpoint| {
                    Side::BOTH.iter().any(|side| own.access.is_on(side.other()) && end.access.is_on(*side))
                };
                let others = || pipe.ends.iter().filter(|end| end.key() != own.key());
                let same = others().filter(|end| !is_across(end));
                let expected: Vec<&Endpoint> = others().filter(is_across).take(MOST_ENDS).chain(same).collect();
                assert_eq!(shown.ends, expected[..MOST_ENDS]);
                assert_eq!(shown.more, 150 - 1 - MOST_ENDS);
            }
        }
    }
}
