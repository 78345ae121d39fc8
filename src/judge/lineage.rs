//! How processes are related: whether the holder of an end belongs to a pipeline, and whether it knows of the end at all.

use crate::model::words::words;
use crate::model::{Endpoint, Fd, Pid, Pipe, PipeGraph, Process, ThreadGroup, ancestors};

use super::Groups;

/// The first descriptor that is none of stdin, stdout and stderr.
const FIRST_NON_STDIO: u32 = 3;

words! {
    /// Why the holder of a write end does not belong to the pipeline of a reader.
    pub enum Relation {
        /// It is the reader, which did not close its own copy.
        ReaderItself = "reader-itself",
        /// It has the FIFO open `O_RDWR`, so that there is always a writer.
        ReadWrite = "read-write",
        /// It is in another session, and neither an ancestor nor a descendant.
        OtherSession = "other-session",
        /// The process that started it has exited.
        Orphan = "orphan",
        /// It is another program, which has the end under a number that it does not know, and without `O_CLOEXEC`.
        Inherited = "inherited",
    }
}

/// The processes of an observation as a family tree.
#[derive(Clone, Copy)]
pub(crate) struct Lineage<'a> {
    pub(crate) graph: &'a PipeGraph,
    pub(crate) groups: &'a Groups,
}

impl<'a> Lineage<'a> {
    fn group(&self, pid: Pid) -> Option<&'a ThreadGroup> {
        self.groups.get(&pid)
    }

    fn session(&self, pid: Pid) -> Option<u32> {
        self.group(pid)?.sid
    }

    /// Why the holder of these write ends does not belong to the pipeline of the reader; none if it does.
    /// `given` says whether the reader has its end as its stdin, so that it did not make the pipe itself.
    pub(crate) fn unrelated_reason(
        &self,
        reader: Pid,
        given: bool,
        holder: Pid,
        ends: &[&Endpoint],
    ) -> Option<Relation> {
        if self.is_ancestor(holder, reader) {
            return None;
        }
        let descends = self.is_ancestor(reader, holder);
        let in_other_session = self.session(holder) != self.session(reader);
        if !descends && in_other_session && !(given && self.session_leader_is_sibling(reader, holder)) {
            return Some(Relation::OtherSession);
        }
        let is_related =
            || self.are_siblings(reader, given, holder) || self.share_an_ancestor(reader, holder) || in_other_session;
        if !descends && !is_related() {
            return Some(Relation::Orphan);
        }
        self.inherited_unknowingly(holder, ends).then_some(Relation::Inherited)
    }

    /// The parent, the parent of that, and so on.
    pub(crate) fn ancestors(&self, pid: Pid) -> impl Iterator<Item = Pid> + use<'a> {
        let groups = self.groups;
        ancestors(pid, move |pid| groups.get(&pid)?.parent)
    }

    pub(crate) fn is_ancestor(&self, ancestor: Pid, pid: Pid) -> bool {
        self.ancestors(pid).any(|it| it == ancestor)
    }

    /// Two children of one process, in one process group. Below a child reaper they may be what is left of a pipeline whose shell has
    /// exited, but the writer may as well be an orphan left by a child of the reader.
    fn are_siblings(&self, reader: Pid, given: bool, holder: Pid) -> bool {
        let family = |pid: Pid| self.group(pid).map(|group| (group.parent, group.pgid));
        let below_reaper = || family(reader).and_then(|(parent, _)| self.group(parent?)?.adopts.as_ref()).is_some();
        family(reader).is_some() && family(reader) == family(holder) && (given || !below_reaper())
    }

    /// Whether the leader of the holder's session is alive, and a child of the reader's parent: `setsid a | setsid b` in a shell.
    fn session_leader_is_sibling(&self, reader: Pid, holder: Pid) -> bool {
        let leader = || self.group(Pid(self.session(holder)?));
        let parent = || self.group(self.group(reader)?.parent?);
        // Two orphans are siblings, too, below their reaper.
        let is_of_session = |parent: &ThreadGroup| self.group(reader).is_some_and(|reader| reader.sid == parent.sid);
        leader().zip(parent()).is_some_and(|(leader, parent)| {
            leader.parent == Some(parent.pid)
                && (parent.adopts.is_none() || is_of_session(parent))
                && self.may_have_started(parent, reader, leader.pid)
        })
    }

    /// A child reaper that may have started both itself: then a holder that looks like an orphan need not be one.
    pub(crate) fn possible_parent(&self, reader: Pid, holder: Pid) -> Option<Pid> {
        let ancestor = self.ancestors(reader).find(|ancestor| self.is_ancestor(*ancestor, holder))?;
        let (reaper, reader) = (self.group(ancestor)?, self.group(reader)?);
        let is_near = reader.parent == Some(ancestor) || reader.sid == reaper.sid;
        (reaper.adopts.is_some() && is_near).then_some(ancestor)
    }

    /// Whether the parent of an apparent orphan is a child reaper of its own session, which may as well have started it.
    pub(crate) fn is_doubtful_orphan(&self, pid: Pid) -> bool {
        let parent = || self.group(self.group(pid)?.parent?);
        self.group(pid).zip(parent()).is_some_and(|(group, parent)| parent.adopts.is_some() && parent.sid == group.sid)
    }

    /// Whether an ancestor of both, of the reader's own session, has started them or what led to them.
    fn share_an_ancestor(&self, reader: Pid, holder: Pid) -> bool {
        let session = self.session(reader);
        let common = self.ancestors(reader).filter(|ancestor| self.is_ancestor(*ancestor, holder));
        for ancestor in common.filter_map(|pid| self.group(pid)) {
            let is_of_session = ancestor.sid == session;
            if ancestor.adopts.is_some() {
                // Orphans are reparented no further up.
                return is_of_session && self.may_have_started(ancestor, reader, holder);
            }
            if is_of_session {
                return true;
            }
        }
        false
    }

    /// Whether an ancestor of both has started the pipeline of the reader, and the holder's line as a part of it, as a shell does from
    /// left to right. Only a child reaper can have come by them in another way.
    fn may_have_started(&self, ancestor: &ThreadGroup, reader: Pid, holder: Pid) -> bool {
        let Some(children) = &ancestor.adopts else {
            return true;
        };
        let place_of_line = |pid: Pid| {
            let mut line = std::iter::once(pid).chain(self.ancestors(pid)).filter_map(|pid| self.group(pid));
            let child = line.find(|group| group.parent == Some(ancestor.pid))?;
            Some(children.iter().position(|pid| *pid == child.pid))
        };
        match (place_of_line(reader), place_of_line(holder)) {
            (Some(Some(reader)), Some(Some(holder))) => reader >= holder,
            (Some(_), Some(_)) => true,
            _ => false,
        }
    }

    /// Whether a program has these ends without knowing: it was started by exec(2) under another name than its parent, and
    /// [`knows_fd`] none of them.
    fn inherited_unknowingly(&self, holder: Pid, ends: &[&Endpoint]) -> bool {
        let Some(process) = self.graph.processes.get(&holder) else {
            return false;
        };
        let parent = self.group(holder).and_then(|group| self.group(group.parent?));
        let is_another_program = parent.is_some_and(|parent| parent.command != process.command)
            || parent
                .and_then(|parent| self.graph.processes.get(&parent.pid))
                .is_some_and(|parent| parent.cmdline != process.cmdline);
        is_another_program && ends.iter().all(|end| !knows_fd(process, end))
    }
}

/// Whether all of these processes both read and write a pipe, each by ends of its own: a shared pool, such as the jobserver of make(1),
/// in which no process waits for EOF.
pub(crate) fn is_pool(pipe: &Pipe, mut users: impl Iterator<Item = Pid>) -> bool {
    users.all(|pid| pipe.is_on_both(pid))
}

/// Whether it is stdin, stdout or stderr, which every program knows.
pub(crate) const fn is_stdio(fd: Fd) -> bool {
    fd.0 < FIRST_NON_STDIO
}

/// Whether a program started by exec(2) can know of an end that it inherited: by its number, by its arguments, or because the end was
/// marked `O_CLOEXEC`. Where that cannot be seen it is assumed.
pub(crate) fn knows_fd(process: &Process, end: &Endpoint) -> bool {
    is_stdio(end.fd) || end.flags.is_none_or(crate::model::OpenFlags::closes_on_exec) || fd_in_cmdline(process, end.fd)
}

/// Whether a number stands in the arguments of a process, as in `/dev/fd/63` or `--status-fd=5`; assumed where those could not be read.
pub(crate) fn fd_in_cmdline(process: &Process, fd: Fd) -> bool {
    let Some(cmdline) = &process.cmdline else {
        return true;
    };
    let number = fd.to_string();
    let mut words = cmdline.arguments().skip(1).flat_map(|argument| argument.split(|byte| !byte.is_ascii_digit()));
    words.any(|digits| digits == number.as_bytes())
}
