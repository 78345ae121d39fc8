//! How processes are related: whether the holder of a write end is one of the pipeline that reads from it.

use crate::model::{Endpoint, Fd, Pid, Process, Relation, ThreadGroup, ancestors};

use super::Case;

/// Descriptors below this are what a program is told of without words: its input, its output and its messages.
const FIRST_UNTOLD: u32 = 3;

impl Case<'_> {
    /// Why the holder of these write ends is none of the pipeline of the reader; none if it is.
    /// `given` tells whether the reader was given its end as its input, and did not make the pipe itself.
    pub(super) fn stranger(&self, reader: Pid, given: bool, holder: Pid, ends: &[&Endpoint]) -> Option<Relation> {
        if self.is_ancestor(holder, reader) {
            return None;
        }
        let descends = self.is_ancestor(reader, holder);
        let session = |pid: Pid| self.groups.get(&pid).and_then(|group| group.sid);
        if !descends && session(holder) != session(reader) && !(given && self.leads_beside(reader, holder)) {
            return Some(Relation::OtherSession);
        }
        let related = || {
            self.are_siblings(reader, given, holder)
                || self.share_an_ancestor(reader, holder)
                || session(holder) != session(reader)
        };
        if !descends && !related() {
            return Some(Relation::Orphan);
        }
        self.was_not_told(holder, ends).then_some(Relation::Inherited)
    }

    /// The parent, the parent of that, and so on.
    pub(super) fn ancestors(&self, pid: Pid) -> impl Iterator<Item = Pid> {
        ancestors(pid, |pid| self.groups.get(&pid)?.parent)
    }

    fn is_ancestor(&self, ancestor: Pid, pid: Pid) -> bool {
        self.ancestors(pid).any(|it| it == ancestor)
    }

    /// Two children of one process, in one process group. Below one that takes in orphans they may be what is left of a pipeline whose
    /// shell has gone away, but the writer may as well be an orphan that a child of the reader has left behind.
    fn are_siblings(&self, reader: Pid, given: bool, holder: Pid) -> bool {
        let family = |pid: Pid| self.groups.get(&pid).map(|group| (group.parent, group.pgid));
        let of_init = || family(reader).and_then(|(parent, _)| self.groups.get(&parent?)?.adopts.as_ref()).is_some();
        family(reader).is_some() && family(reader) == family(holder) && (given || !of_init())
    }

    /// Whether the leader of the holder's session lives, and is a child of the reader's parent: `setsid a | setsid b` in a shell.
    fn leads_beside(&self, reader: Pid, holder: Pid) -> bool {
        let group = |pid: Pid| self.groups.get(&pid);
        let leader = || group(Pid(group(holder)?.sid?));
        let parent = || group(group(reader)?.parent?);
        // Two orphans are beside each other, too, below who took them in.
        let is_of_session = |parent: &ThreadGroup| group(reader).is_some_and(|reader| reader.sid == parent.sid);
        leader().zip(parent()).is_some_and(|(leader, parent)| {
            leader.parent == Some(parent.pid)
                && (parent.adopts.is_none() || is_of_session(parent))
                && self.may_have_started(parent, reader, leader.pid)
        })
    }

    /// Who takes in orphans, and yet may have started both: then a holder that looks like an orphan need not be one.
    pub(super) fn starter(&self, reader: Pid, holder: Pid) -> Option<Pid> {
        let ancestor = self.ancestors(reader).find(|ancestor| self.is_ancestor(*ancestor, holder))?;
        let (adopter, reader) = (self.groups.get(&ancestor)?, self.groups.get(&reader)?);
        let is_near = reader.parent == Some(ancestor) || reader.sid == adopter.sid;
        (adopter.adopts.is_some() && is_near).then_some(ancestor)
    }

    /// Whether an ancestor of both has started them, or what led to them: one that is of the reader's own session.
    fn share_an_ancestor(&self, reader: Pid, holder: Pid) -> bool {
        let group = |pid: Pid| self.groups.get(&pid);
        let session = group(reader).and_then(|group| group.sid);
        for ancestor in self.ancestors(reader).filter(|ancestor| self.is_ancestor(*ancestor, holder)).filter_map(group)
        {
            let is_of_session = ancestor.sid == session;
            if ancestor.adopts.is_some() {
                // Orphans get no further.
                return is_of_session && self.may_have_started(ancestor, reader, holder);
            }
            if is_of_session {
                return true;
            }
        }
        false
    }

    /// Whether an ancestor of both has started the pipeline of the reader, and the holder's line as a part of that, as a shell does from
    /// left to right. Only one that takes in orphans may have come by them in another way.
    fn may_have_started(&self, ancestor: &ThreadGroup, reader: Pid, holder: Pid) -> bool {
        let Some(children) = &ancestor.adopts else {
            return true;
        };
        let group = |pid: Pid| self.groups.get(&pid);
        let line = |pid: Pid| {
            let mut line = std::iter::once(pid).chain(self.ancestors(pid)).filter_map(group);
            line.find(|group| group.parent == Some(ancestor.pid))
        };
        let place = |child: &ThreadGroup| children.iter().position(|pid| *pid == child.pid);
        let came_later =
            |(reader, holder)| place(reader).zip(place(holder)).is_some_and(|(reader, holder)| reader < holder);
        line(reader).zip(line(holder)).is_some_and(|lines| !came_later(lines))
    }

    /// Whether a program has these ends without having been told of them: it was started with exec(2) under another name than its
    /// parent, the numbers are none that every program knows, nor in its arguments, and nobody asked for them to be closed.
    fn was_not_told(&self, holder: Pid, ends: &[&Endpoint]) -> bool {
        let Some(process) = self.graph.processes.get(&holder) else {
            return false;
        };
        let parent = self.groups.get(&holder).and_then(|group| group.parent).and_then(|pid| self.groups.get(&pid));
        let is_another_program = parent.is_some_and(|parent| parent.command != process.command)
            || parent
                .and_then(|parent| self.graph.processes.get(&parent.pid))
                .is_some_and(|parent| parent.cmdline != process.cmdline);
        is_another_program && ends.iter().all(|end| !is_told_of(process, end))
    }
}

/// Whether every program is told of that number without words.
pub(crate) const fn was_told(fd: Fd) -> bool {
    fd.0 < FIRST_UNTOLD
}

/// Whether a program that was started with exec(2) can know of an end that it inherited: by its number, by its arguments, or since
/// somebody cared to have it closed. Where that cannot be seen it is taken for granted.
pub(crate) fn is_told_of(process: &Process, end: &Endpoint) -> bool {
    was_told(end.fd) || end.flags.is_none_or(crate::model::OpenFlags::closes_on_exec) || mentions(process, end.fd)
}

/// Whether a number stands in the arguments of a process, as in `/dev/fd/63` or `--status-fd=5`.
pub(crate) fn mentions(process: &Process, fd: Fd) -> bool {
    let Some(cmdline) = &process.cmdline else {
        return true;
    };
    let number = fd.to_string();
    let mut words = cmdline.arguments().skip(1).flat_map(|argument| argument.split(|byte| !byte.is_ascii_digit()));
    words.any(|digits| digits == number.as_bytes())
}
