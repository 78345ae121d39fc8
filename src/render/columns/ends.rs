//! The ends that stand in a cell, and what stands for a side of which none was seen.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::super::text::{BLANK, TextRole, push_fmt, push_name};
use super::super::{FEW_ENDS, Style};
use crate::judge::side::{self, SideState};
use crate::model::{AccessMode, Endpoint, Fd, Opener, Pid, Pipe, PipeGraph, PipeId, Side, Tid};

/// Maximum number of other ends that a cell names: with all of them the output would grow with the square of the ends.
const MOST_ENDS: usize = 32;

/// What distinguishes an end from the others of its pipe.
pub(super) type EndKey = (Pid, Option<Tid>, Fd);

/// How other ends of a pipe are related to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// They are on the other side.
    Peer,
    /// They are on the same side alone.
    Shared,
}

/// Ends, and what else stands with them in a cell.
#[derive(Default)]
pub(super) struct Ends<'a> {
    /// The side that all of them are on, which need not be said of each.
    side: Option<Side>,
    /// What stands first for a side on which no end was seen.
    absent: Option<SideState>,
    ends: Vec<Endpoint>,
    /// Whether the kernel counts more than those that were seen.
    has_hidden: bool,
    /// Number of ends that are not shown.
    more: usize,
    openers: Vec<&'a Opener>,
}

/// What a cell shows of some ends.
enum Item<'a> {
    End(&'a Endpoint),
    /// That number of processes of a command, in place of more ends than are read.
    Folded(&'a [u8], AccessMode, usize),
}

/// The first ends of each pipe, enough of each access mode for a cell, in the order of all its ends: each end of a pipe may have a row, and
/// each row looks for them.
pub(in crate::render) struct FirstEnds<'a> {
    /// Maximum number of ends of a cell.
    most: usize,
    by_pipe: RefCell<HashMap<PipeId, Rc<First<'a>>>>,
    /// The directions of sockets and terminals, by the descriptors that are an end of them.
    channels: OnceCell<HashMap<EndKey, Vec<&'a Pipe>>>,
}

/// The first ends of a pipe, and how many there are of each access mode, in the order of [`AccessMode::ALL`].
struct First<'a> {
    ends: Vec<&'a Endpoint>,
    counts: Vec<(AccessMode, usize)>,
}

impl<'a> FirstEnds<'a> {
    /// Where many ends are folded, all of them are counted.
    pub(in crate::render) fn new(style: &Style) -> Self {
        let most = if style.folds() { usize::MAX } else { MOST_ENDS };
        Self { most, by_pipe: RefCell::default(), channels: OnceCell::new() }
    }

    fn of(&self, pipe: &'a Pipe) -> Rc<First<'a>> {
        let find = || {
            let mut counts: Vec<(AccessMode, usize)> = AccessMode::ALL.iter().map(|access| (*access, 0)).collect();
            let is_first = |end: &&Endpoint| {
                let count = counts.iter_mut().find(|(access, _)| *access == end.access);
                // A row leaves out its own.
                count.is_some_and(|(_, count)| {
                    *count += 1;
                    *count <= self.most.saturating_add(1)
                })
            };
            let ends = pipe.ends.iter().filter(is_first).collect();
            Rc::new(First { ends, counts })
        };
        Rc::clone(self.by_pipe.borrow_mut().entry(pipe.id).or_insert_with(find))
    }

    fn directions(&self, graph: &'a PipeGraph, key: EndKey) -> &[&'a Pipe] {
        let channels = self.channels.get_or_init(|| {
            let mut channels: HashMap<EndKey, Vec<&'a Pipe>> = HashMap::new();
            for pipe in graph.pipes.iter().filter(|pipe| !pipe.id.kind().is_pipe()) {
                for end in &pipe.ends {
                    channels.entry(end.key()).or_default().push(pipe);
                }
            }
            channels
        });
        channels.get(&key).map_or(&[], Vec::as_slice)
    }
}

impl Ends<'_> {
    /// Whether there is nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.absent.is_none() && self.ends.is_empty() && self.openers.is_empty() && self.more == 0
    }

    pub(super) fn write(&self, graph: &PipeGraph, style: &Style, text: &mut String) {
        let mut items = self.items(graph, style);
        let mut more = self.more;
        if style.folds() && self.side.is_none() {
            more += items.len().saturating_sub(MOST_ENDS);
            items.truncate(MOST_ENDS);
        }
        let separator = style.separator(items.len() + self.openers.len() + usize::from(self.has_hidden));
        let start = text.len();
        if let Some(state) = self.absent {
            push_absent(state, style, text);
        }
        for item in items {
            text.push_str(if text.len() > start { separator } else { "" });
            match item {
                Item::End(end) => push_end(graph, end, style, text),
                Item::Folded(command, access, count) => self.push_folded(command, access, count, style, text),
            }
        }
        for opener in &self.openers {
            text.push_str(if text.len() > start { separator } else { "" });
            let tid = Some(opener.task.tid).filter(|_| !opener.task.is_leader());
            push_holder(opener.task.pid, tid, &opener.command, style, text);
            text.push_str("open");
        }
        if self.has_hidden {
            text.push_str(if text.len() > start { separator } else { "" });
            push_absent(SideState::Hidden, style, text);
        }
        if more > 0 {
            push_fmt(text, format_args!("{separator}+{more}"));
        }
    }

    /// The ends in their order; in place of the first of many of one command, these.
    fn items<'b>(&'b self, graph: &'b PipeGraph, style: &Style) -> Vec<Item<'b>> {
        if !style.folds() || self.ends.len() <= FEW_ENDS {
            return self.ends.iter().map(Item::End).collect();
        }
        let group = |end: &Endpoint| (command_of(graph, end.pid), end.access);
        // Of each command and access mode, the number of ends, and their processes.
        type Groups<'a> = HashMap<(&'a [u8], AccessMode), (usize, BTreeSet<Pid>)>;
        let mut groups = Groups::new();
        for end in &self.ends {
            let (ends, pids) = groups.entry(group(end)).or_default();
            *ends += 1;
            pids.insert(end.pid);
        }
        // Of one process, that it holds so many is what to see.
        groups.retain(|(command, _), (ends, pids)| *ends > FEW_ENDS && pids.len() > 1 && !command.is_empty());
        let mut folded = BTreeSet::new();
        let item = |end: &'b Endpoint| {
            let key = group(end);
            match groups.get(&key) {
                None => Some(Item::End(end)),
                Some((_, pids)) => folded.insert(key).then_some(Item::Folded(key.0, key.1, pids.len())),
            }
        };
        self.ends.iter().filter_map(item).collect()
    }

    /// `postgres ×64`, with the access mode where that does not follow.
    fn push_folded(&self, command: &[u8], access: AccessMode, count: usize, style: &Style, text: &mut String) {
        push_command(command, style, text);
        push_fmt(text, format_args!("{BLANK}×{count}"));
        let is_implied = match self.side {
            Some(Side::Read) => access == AccessMode::Read,
            Some(Side::Write) => access == AccessMode::Write,
            None => false,
        };
        if !is_implied {
            text.push(BLANK);
            push_access(access, style, text);
        }
    }
}

/// The ends of a side; what stands for none where none was seen.
pub(super) fn side_ends<'a>(graph: &PipeGraph, pipe: &'a Pipe, side: Side) -> Ends<'a> {
    let ends: Vec<Endpoint> = pipe.side(side).copied().collect();
    let openers: Vec<&Opener> = pipe.openers.iter().filter(|opener| opener.access.is_on(side)).collect();
    let is_empty = ends.is_empty() && openers.is_empty();
    let (absent, has_hidden) = besides(is_empty, || side::unseen(graph, pipe, &[side]));
    Ends { side: Some(side), absent, ends, has_hidden, more: 0, openers }
}

/// The ends of the other side, or what stands for none; or the other ends of the same side.
pub(super) fn other_ends<'a>(
    graph: &'a PipeGraph,
    pipe: &'a Pipe,
    key: EndKey,
    first_ends: &FirstEnds<'a>,
    relation: Relation,
) -> Ends<'a> {
    let own = pipe.ends.binary_search_by_key(&key, Endpoint::key).ok().and_then(|place| pipe.ends.get(place));
    let across: &[Side] = match own.map(|end| end.access) {
        Some(AccessMode::Read) => &[Side::Write],
        Some(AccessMode::Write) => &[Side::Read],
        Some(AccessMode::ReadWrite) | None => &Side::BOTH,
    };
    let is_wanted = |access: AccessMode| {
        let is_across = across.iter().any(|side| access.is_on(*side));
        is_across == (relation == Relation::Peer)
    };
    let first = first_ends.of(pipe);
    let wanted = first.ends.iter().filter(|end| is_wanted(end.access) && end.key() != key);
    let ends: Vec<Endpoint> = wanted.take(first_ends.most).map(|end| **end).collect();
    let all: usize = first.counts.iter().filter(|(access, _)| is_wanted(*access)).map(|(_, count)| count).sum();
    let more = all - usize::from(own.is_some_and(|end| is_wanted(end.access))) - ends.len();
    let (absent, has_hidden) = match relation {
        Relation::Peer => besides(ends.is_empty(), || side::unseen(graph, pipe, across)),
        Relation::Shared => (None, false),
    };
    Ends { side: None, absent, ends, has_hidden, more, openers: Vec::new() }
}

/// What stands for ends of which none was seen, and whether there are others than those that were.
fn besides(is_empty: bool, unseen: impl FnOnce() -> SideState) -> (Option<SideState>, bool) {
    if is_empty { (Some(unseen()), false) } else { (None, unseen() == SideState::Hidden) }
}

/// Likewise of a socket or terminal, with all of its directions: one that reads from it and writes to it is one end.
pub(super) fn peer_ends<'a>(
    graph: &'a PipeGraph,
    pipe: &'a Pipe,
    key: EndKey,
    first_ends: &FirstEnds<'a>,
    relation: Relation,
) -> Ends<'a> {
    let directions = first_ends.directions(graph, key);
    if directions.len() < 2 {
        return other_ends(graph, pipe, key, first_ends, relation);
    }
    let (mut peers, mut others) = (BTreeMap::<EndKey, Endpoint>::new(), BTreeMap::<EndKey, Endpoint>::new());
    for pipe in directions {
        let own = pipe.ends.iter().find(|end| end.key() == key).map(|end| end.access);
        for end in pipe.ends.iter().filter(|end| end.key() != key) {
            let is_same_side = own == Some(end.access);
            let merged = if is_same_side { &mut others } else { &mut peers }.entry(end.key()).or_insert(*end);
            if merged.access != end.access {
                merged.access = AccessMode::ReadWrite;
            }
        }
    }
    others.retain(|key, _| !peers.contains_key(key));
    let is_peer = relation == Relation::Peer;
    let wanted = if is_peer { peers } else { others };
    let absent = (is_peer && wanted.is_empty()).then(|| side::unseen(graph, pipe, &[Side::Write]));
    let more = wanted.len().saturating_sub(first_ends.most);
    let ends: Vec<Endpoint> = wanted.into_values().take(first_ends.most).collect();
    Ends { side: None, absent, more, ends, has_hidden: false, openers: Vec::new() }
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
pub(in crate::render) fn push_end(graph: &PipeGraph, end: &Endpoint, style: &Style, text: &mut String) {
    push_holder(end.pid, end.tid, command_of(graph, end.pid), style, text);
    push_fmt(text, format_args!("{}", end.fd));
    push_access(end.access, style, text);
}

fn command_of(graph: &PipeGraph, pid: Pid) -> &[u8] {
    graph.processes.get(&pid).map_or(&[][..], |process| &process.command)
}

fn push_access(access: AccessMode, style: &Style, text: &mut String) {
    for (side, role) in [(Side::Read, TextRole::Read), (Side::Write, TextRole::Write)] {
        if access.is_on(side) {
            style.push(role, text, if side == Side::Read { "r" } else { "w" });
        }
    }
}

fn push_holder(pid: Pid, tid: Option<Tid>, command: &[u8], style: &Style, text: &mut String) {
    push_fmt(text, format_args!("{pid}"));
    if let Some(tid) = tid {
        push_fmt(text, format_args!("/{tid}"));
    }
    text.push(',');
    push_command(command, style, text);
    text.push(',');
}

fn push_command(command: &[u8], style: &Style, text: &mut String) {
    if !style.color {
        return push_name(text, command, style.item_context());
    }
    let mut name = String::new();
    push_name(&mut name, command, style.item_context());
    style.push(TextRole::Command, text, &name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Device, PtyFlow};

    /// What the first ends of a pipe leave out, no row would show.
    #[test]
    fn other_ends_are_the_first_of_all() {
        let graph = PipeGraph::empty();
        for step in [1, 2, 3, 50] {
            let access = |fd: u32| AccessMode::ALL[usize::from(fd.is_multiple_of(step)) + usize::from(fd > 70)];
            let end = |fd| Endpoint {
                pid: Pid(7),
                tid: None,
                fd: Fd(fd),
                access: access(fd),
                flags: None,
                description: None,
            };
            let pipe = Pipe { ends: (0..150).map(end).collect(), ..Pipe::unknown(PipeId::anonymous(1)) };
            let first_ends = FirstEnds::new(&Style::default());
            for own in &pipe.ends {
                let is_across = |end: &&Endpoint| {
                    Side::BOTH.iter().any(|side| own.access.is_on(side.other()) && end.access.is_on(*side))
                };
                let others = || pipe.ends.iter().filter(|end| end.key() != own.key());
                for relation in [Relation::Peer, Relation::Shared] {
                    let shown = other_ends(&graph, &pipe, own.key(), &first_ends, relation);
                    let all: Vec<Endpoint> =
                        others().filter(|end| is_across(end) == (relation == Relation::Peer)).copied().collect();
                    assert_eq!(shown.ends, all[..all.len().min(MOST_ENDS)]);
                    assert_eq!(shown.more, all.len() - shown.ends.len());
                }
            }
        }
    }

    /// A terminal with its master, and a slave that is open twice.
    #[test]
    fn peers_of_a_terminal_are_shown_once() {
        let device = Device { major: 0, minor: 26 };
        let end =
            |pid, fd, access| Endpoint { pid: Pid(pid), tid: None, fd: Fd(fd), access, flags: None, description: None };
        let (r, w) = (AccessMode::Read, AccessMode::Write);
        let of = |flow, ends: [Endpoint; 4]| Pipe { ends: ends.into(), ..Pipe::unknown(PipeId::pty(device, 3, flow)) };
        let mut graph = PipeGraph::empty();
        graph.pipes = vec![
            of(PtyFlow::Input, [end(5, 7, w), end(6, 0, r), end(6, 1, r), end(6, 2, r)]),
            of(PtyFlow::Output, [end(5, 7, r), end(6, 0, w), end(6, 1, w), end(6, 2, w)]),
        ];
        let shown = |pid, fd, relation| {
            let key = (Pid(pid), None, Fd(fd));
            let ends = peer_ends(&graph, &graph.pipes[0], key, &FirstEnds::new(&Style::default()), relation);
            assert_eq!((ends.more, ends.absent), (0, None));
            ends.ends.iter().map(|end| (end.pid.0, end.fd.0, end.access)).collect::<Vec<_>>()
        };
        let rw = AccessMode::ReadWrite;
        assert_eq!(shown(6, 1, Relation::Peer), [(5, 7, rw)]);
        assert_eq!(shown(6, 1, Relation::Shared), [(6, 0, rw), (6, 2, rw)]);
        assert_eq!(shown(5, 7, Relation::Peer), [(6, 0, rw), (6, 1, rw), (6, 2, rw)]);
        assert_eq!(shown(5, 7, Relation::Shared), []);
    }
}
