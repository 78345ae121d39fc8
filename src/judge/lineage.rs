//! How processes are related: whether the holder of an end belongs to a pipeline, and whether it knows of the end at all.

use std::collections::BTreeSet;

use super::processes::Processes;
use crate::model::words::words;
use crate::model::{Endpoint, Fd, OpenFlags, Pid, Process, ThreadGroup};

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
        /// It was forked, with a copy of the end, by a process that waits for the reader to exit and has closed its own.
        Forked = "forked",
    }
}

/// Judges by the relations of processes. What is not known of one is not known to differ: a process that could not be read is no stranger.
#[derive(Clone, Copy)]
pub(crate) struct Lineage<'a> {
    pub(crate) processes: &'a Processes<'a>,
}

impl<'a> Lineage<'a> {
    fn session(&self, pid: Pid) -> Option<u32> {
        self.processes.session(pid)
    }

    /// Whether two processes are in one session, or may be.
    fn may_share_session(&self, one: Pid, other: Pid) -> bool {
        self.session(one).zip(self.session(other)).is_none_or(|(one, other)| one == other)
    }

    /// Whether two processes may be in different sessions, and neither is known to descend from the other.
    pub(crate) fn may_be_apart(&self, one: Pid, other: Pid) -> bool {
        let descends = self.processes.is_ancestor(one, other) || self.processes.is_ancestor(other, one);
        !descends && self.session(one).zip(self.session(other)).is_none_or(|(one, other)| one != other)
    }

    /// The children of a child reaper, to which orphans are reparented; none for another process.
    fn adopts(&self, pid: Pid) -> Option<&'a Vec<Pid>> {
        self.processes.threads(pid)?.adopts.as_ref()
    }

    /// Whether it is a child reaper, or may be one, since its threads could not be read.
    fn may_adopt(&self, pid: Pid) -> bool {
        self.processes.threads(pid).is_none_or(|group| group.adopts.is_some() || group.tasks.is_empty())
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
        let is_known = |pid: Pid| self.processes.knows_ancestors(pid) && self.session(pid).is_some();
        if self.processes.is_ancestor(holder, reader) || !is_known(holder) || !is_known(reader) {
            return None;
        }
        let descends = self.processes.is_ancestor(reader, holder);
        let in_other_session = !self.may_share_session(holder, reader);
        // It may be the reader that has left the session, as below sudo(8).
        let is_of_job = || {
            (given && self.session_leader_is_sibling(reader, holder)) || self.share_an_ancestor(reader, holder, holder)
        };
        if !descends && in_other_session && !is_of_job() {
            return Some(Relation::OtherSession);
        }
        let is_related = || {
            in_other_session
                || self.are_siblings(reader, given, holder)
                || self.share_an_ancestor(reader, holder, reader)
        };
        if !descends && !is_related() {
            return Some(Relation::Orphan);
        }
        let parent = self.processes.parent(holder)?;
        self.inherited_unknowingly(holder, parent, ends).then_some(Relation::Inherited)
    }

    /// Two children of one process, in one process group. Below a child reaper they may be what is left of a pipeline whose shell has
    /// exited, but the writer may as well be an orphan left by a child of the reader.
    fn are_siblings(&self, reader: Pid, given: bool, holder: Pid) -> bool {
        let parents = self.processes.parent_or_zero(reader).zip(self.processes.parent_or_zero(holder));
        let groups = self.processes.process_group(reader).zip(self.processes.process_group(holder));
        let is_below_reaper = || self.processes.parent(reader).is_some_and(|parent| self.adopts(parent).is_some());
        parents.is_none_or(|(one, other)| one == other)
            && groups.is_none_or(|(one, other)| one == other)
            && (given || !is_below_reaper())
    }

    /// Whether the leader of the holder's session is alive, and a child of the reader's parent: `setsid a | setsid b` in a shell. One whose
    /// parent is not known may be.
    fn session_leader_is_sibling(&self, reader: Pid, holder: Pid) -> bool {
        let leader = self.session(holder).map(Pid);
        leader.zip(self.processes.parent(reader)).is_some_and(|(leader, parent)| {
            self.processes.parent_or_zero(leader).map_or(self.processes.is_listed(leader), |it| it == parent)
                // Two orphans are siblings, too, below their reaper.
                && (self.adopts(parent).is_none() || self.may_share_session(reader, parent))
                && self.may_have_started(parent, reader, leader)
        })
    }

    /// A child reaper that may have started both itself: then a holder that looks like an orphan need not be one.
    pub(crate) fn possible_parent(&self, reader: Pid, holder: Pid) -> Option<Pid> {
        let ancestor = self.common_ancestors(reader, holder).next()?;
        let is_near = self.processes.parent(reader) == Some(ancestor) || self.may_share_session(reader, ancestor);
        (self.may_adopt(ancestor) && is_near).then_some(ancestor)
    }

    /// Whether the parent of an apparent orphan is a child reaper of its own session, which may as well have started it.
    pub(crate) fn is_doubtful_orphan(&self, pid: Pid) -> bool {
        let parent = self.processes.parent(pid);
        parent.is_some_and(|parent| self.may_adopt(parent) && self.may_share_session(parent, pid))
    }

    /// Whether the leader of a session is the process itself, as of a daemon.
    pub(crate) fn leads_session(&self, pid: Pid) -> bool {
        self.session(pid) == Some(pid.0)
    }

    /// Whether an unrelated holder is what an ended job of the reader left: it does not descend from the reader, and the leader of its
    /// session or process group has exited, or its parent is none of the processes that started the reader, or its process group is not of
    /// that parent, so that it was reparented.
    pub(crate) fn was_left_behind(&self, reader: Pid, holder: Pid) -> bool {
        let is_above_reader = |pid: Pid| self.adopts(pid).is_none() && self.processes.is_ancestor(pid, reader);
        // What is not known of either does not show that it was reparented.
        let was_reparented = || {
            let parent = self.processes.parent_or_zero(holder);
            self.processes.knows_ancestors(reader) && parent.is_some_and(|parent| !is_above_reader(parent))
        };
        !self.processes.is_ancestor(reader, holder)
            && (self.is_gone(self.session(holder))
                || self.is_gone(self.processes.process_group(holder))
                || was_reparented()
                || self.is_adopted(holder, reader))
    }

    /// Whether a reader that was given its end is itself what an ended job left, so that no process waits for it: its parent is a child
    /// reaper of another session, or of another session than its own, whose leader has exited. It may be where that is not known.
    pub(crate) fn may_be_abandoned(&self, reader: Pid, given: bool) -> bool {
        let Some(parent) = self.processes.parent_or_zero(reader) else { return given };
        let sessions = self.session(parent).zip(self.session(reader));
        let may_be_other = parent != Pid(0) && sessions.is_none_or(|(one, other)| one != other);
        let is_known = |group: &ThreadGroup| !group.tasks.is_empty() && self.session(reader).is_some();
        let was_adopted = || self.processes.place_among_adopted(parent, reader).is_some();
        let has_no_session = || self.adopts(parent).is_none() && self.is_gone(self.session(reader));
        given
            && may_be_other
            && (!self.processes.threads(parent).is_some_and(is_known) || was_adopted() || has_no_session())
    }

    /// Whether the leader of a session or process group has exited. 0 is one outside of the PID namespace.
    fn is_gone(&self, leader: Option<u32>) -> bool {
        leader.is_some_and(|leader| leader != 0 && self.processes.is_gone(Pid(leader)))
    }

    /// The nearest first.
    fn common_ancestors(&self, one: Pid, other: Pid) -> impl Iterator<Item = Pid> {
        self.processes.ancestors(one).filter(move |pid| self.processes.is_ancestor(*pid, other))
    }

    /// Whether an ancestor of both, of the session of one of them, has started them or what led to them.
    fn share_an_ancestor(&self, reader: Pid, holder: Pid, one: Pid) -> bool {
        for ancestor in self.common_ancestors(reader, holder) {
            let is_of_session = self.may_share_session(ancestor, one);
            if self.adopts(ancestor).is_some() {
                // Orphans are reparented no further up.
                return is_of_session && self.may_have_started(ancestor, reader, holder);
            }
            if is_of_session {
                let line = std::iter::once(holder).chain(self.processes.ancestors(holder));
                let child = line.take_while(|pid| *pid != ancestor).last();
                return !child.is_some_and(|child| self.is_adopted(child, reader));
            }
        }
        false
    }

    /// Whether the process groups show that the parent of a process, a `PR_SET_CHILD_SUBREAPER` of which /proc says nothing, has adopted
    /// it: a process is in the group of the one that forked it, or in that of a sibling, into which a shell has put it. A parent that has
    /// left its group, as timeout(1) does, has children in that group: they were started before, and the leader is not below it.
    fn is_adopted(&self, pid: Pid, reader: Pid) -> bool {
        let group = |pid: Pid| self.processes.process_group(pid);
        let has_other_parent = || {
            let (parent, leader) = (self.processes.parent(pid)?, Pid(group(pid)?));
            if leader == pid || leader == parent || group(parent)? == leader.0 {
                return Some(false);
            }
            let is_below = |pid: Pid| self.processes.is_ancestor(parent, pid);
            // The number of a group is no other process's as long as the group exists.
            if self.processes.is_listed(leader) {
                let other =
                    self.processes.parent(leader).filter(|_| is_below(leader) && group(leader) == Some(leader.0));
                return Some(other? != parent);
            }
            let other = self.processes.parent(reader)?;
            Some(group(reader)? == leader.0 && group(other)? != leader.0 && is_below(other))
        };
        has_other_parent().unwrap_or(false)
    }

    /// Whether an ancestor of both has started the pipeline of the reader, and the holder's line as a part of it, as a shell does from
    /// left to right. Only a child reaper can have come by them in another way.
    fn may_have_started(&self, ancestor: Pid, reader: Pid, holder: Pid) -> bool {
        if self.adopts(ancestor).is_none() {
            return true;
        }
        let place_of_line = |pid: Pid| {
            let mut line = std::iter::once(pid).chain(self.processes.ancestors(pid));
            let child = line.find(|pid| self.processes.parent(*pid) == Some(ancestor))?;
            Some(self.processes.place_among_adopted(ancestor, child))
        };
        match (place_of_line(reader), place_of_line(holder)) {
            (Some(Some(reader)), Some(Some(holder))) => reader >= holder,
            (Some(_), Some(_)) => true,
            _ => false,
        }
    }

    /// Whether a program has these ends without knowing: it was started by exec(2) from the other process, and [`knows_fd`] none of them.
    pub(crate) fn inherited_unknowingly(&self, holder: Pid, from: Pid, ends: &[&Endpoint]) -> bool {
        let knows_none = |process: &Process| !ends.iter().any(|end| knows_fd(process, end));
        self.processes.facts(holder).is_some_and(knows_none) && self.is_another_program(holder, from)
    }

    /// Whether a process is known to run the program of another, with the same arguments, as after fork(2).
    pub(crate) fn is_same_program(&self, pid: Pid, than: Pid) -> bool {
        let known = |pid| {
            let name = self.processes.name(pid).filter(|name| !name.is_empty());
            name.zip(self.processes.facts(pid)?.cmdline.as_ref())
        };
        known(pid).zip(known(than)).is_some_and(|(one, other)| one == other)
    }

    /// Whether a process was started by exec(2), as far as that shows.
    pub(crate) fn is_another_program(&self, pid: Pid, than: Pid) -> bool {
        let name = |pid| self.processes.name(pid).filter(|name| !name.is_empty());
        let name_differs = name(pid).zip(name(than)).is_some_and(|(one, other)| one != other);
        let cmdline = |pid: Pid| self.processes.facts(pid)?.cmdline.as_ref();
        name_differs || cmdline(pid).zip(cmdline(than)).is_some_and(|(one, other)| one != other)
    }
}

/// Whether several processes use a pipe, and each of them both reads and writes it: a shared pool, such as the jobserver of make(1), in
/// which no process waits for EOF.
pub(crate) fn is_pool(users: impl IntoIterator<Item = Pid>, is_on_both: impl Fn(Pid) -> bool) -> bool {
    let users: BTreeSet<Pid> = users.into_iter().collect();
    users.len() > 1 && users.into_iter().all(is_on_both)
}

/// Whether it is stdin, stdout or stderr, which every program knows.
pub(crate) const fn is_stdio(fd: Fd) -> bool {
    fd.0 < FIRST_NON_STDIO
}

/// Whether a program started by exec(2) can know of an end that it inherited: by its number, by its arguments, or because the end was
/// marked `O_CLOEXEC`. Where that cannot be seen it is assumed.
pub(crate) fn knows_fd(process: &Process, end: &Endpoint) -> bool {
    is_stdio(end.fd) || end.flags.is_none_or(OpenFlags::closes_on_exec) || fd_in_cmdline(process, end.fd)
}

/// Whether a number stands in the arguments of a process, as in `/dev/fd/63` or `--status-fd=5`; assumed where those could not be read to
/// their end.
pub(crate) fn fd_in_cmdline(process: &Process, fd: Fd) -> bool {
    let Some(cmdline) = &process.cmdline else {
        return true;
    };
    let number = fd.to_string();
    let mut words = cmdline.arguments().skip(1).flat_map(|argument| argument.split(|byte| !byte.is_ascii_digit()));
    cmdline.cut || words.any(|digits| digits == number.as_bytes())
}
