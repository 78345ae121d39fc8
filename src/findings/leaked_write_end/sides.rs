//! How the holders of a write end are related to those that wait for EOF. It decides nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::LeakedEnd;
use crate::findings::Case;
use crate::judge::lineage::{Relation, is_stdio};
use crate::judge::processes::Kin;
use crate::model::{AccessMode, Children, Endpoint, Fd, Pid, Pipe, PipeKind, Side, Task, TaskState, WaitTarget};

/// Maximum number of kinds of readers, each of which is compared with each holder.
const MOST_KINDS: usize = 64;

/// Standard input, on which a shell passes a pipe to a program.
pub(super) const STDIN: Fd = Fd(0);

/// The processes on both sides of a pipe, as far as their relations depend on it.
pub(super) struct Sides<'a> {
    case: &'a Case<'a>,
    pipe: &'a Pipe,
    /// The processes that wait for EOF.
    pub(super) reading: BTreeSet<Pid>,
    /// One of each kind of them, with whether it has its end as its stdin. Those of one parent, job and session are related to others alike.
    pub(super) readers: Vec<(Pid, bool)>,
    /// The processes that have the read end as their stdin, and neither wait for it nor have a write end.
    passers: Vec<Pid>,
    kin: Kin,
    above_readers: BTreeSet<Pid>,
    ends: BTreeSet<(Pid, Fd, AccessMode)>,
}

impl<'a> Sides<'a> {
    /// None if the readers are too many that are related differently: then they are no pipeline.
    pub(super) fn of(
        case: &'a Case<'_>,
        pipe: &'a Pipe,
        writers: &[&Endpoint],
        reading: BTreeSet<Pid>,
    ) -> Option<Self> {
        let processes = &case.processes;
        let writing: BTreeSet<Pid> = writers.iter().map(|end| end.pid).collect();
        let all: BTreeSet<Pid> = pipe.ends.iter().map(|end| end.pid).chain(reading.iter().copied()).collect();
        let kin = processes.kin(&all);
        let given: BTreeSet<Pid> = pipe.ends.iter().filter(|end| end.fd == STDIN).map(|end| end.pid).collect();
        let passers = given.iter().filter(|pid| !reading.contains(pid) && !writing.contains(pid));
        let passers = passers.copied().take(MOST_KINDS).collect();
        let above_writers = kin.all_above(&writing);
        let mut kinds = BTreeMap::new();
        for pid in &reading {
            let parent = processes.parent(*pid);
            // Of the children of a child reaper, the last may have been started after the most writers.
            let place = parent.and_then(|parent| processes.place_among_adopted(parent, *pid));
            // It matters what descends from it.
            let own = above_writers.contains(pid).then_some(*pid);
            let is_given = given.contains(pid);
            let kind = (parent, processes.process_group(*pid), processes.session(*pid), is_given, place.is_some(), own);
            let known = kinds.entry(kind).or_insert((place, *pid, is_given));
            if place > known.0 {
                *known = (place, *pid, is_given);
            }
            if kinds.len() > MOST_KINDS {
                return None;
            }
        }
        let mut readers: Vec<(Pid, bool)> = kinds.into_values().map(|(_, pid, given)| (pid, given)).collect();
        readers.sort_unstable();
        let above_readers = kin.all_above(&reading);
        let ends = pipe.ends.iter().map(|end| (end.pid, end.fd, end.access)).collect();
        Some(Self { case, pipe, reading, readers, passers, kin, above_readers, ends })
    }

    /// Why the holder of these ends does not belong to the pipeline of any of the readers; none if it does.
    pub(super) fn relation(&self, ends: &[&Endpoint]) -> Option<Relation> {
        let (case, holder) = (self.case, ends.first()?.pid);
        let is_write_only = ends.iter().all(|end| end.access == AccessMode::Write);
        if self.reading.contains(&holder) {
            // Another of its threads may still write; and a reader that opened a FIFO O_RDWR keeps it open on purpose.
            let is_alone = case.groups.get(&holder)?.tasks.len() == 1;
            return (is_write_only && is_alone).then_some(Relation::ReaderItself);
        }
        if ends.iter().all(|end| end.access == AccessMode::ReadWrite) {
            return Some(Relation::ReadWrite);
        }
        // A process that opened a FIFO for writing did so by its path.
        if !is_write_only || self.pipe.id.kind().is_named() {
            return None;
        }
        let forked = || self.is_forked_beside(holder, ends).then_some(Relation::Forked);
        let relation = self.unrelated_reason(ends).or_else(forked);
        // A socket is made for more than its end: only one that a job was started with counts.
        let is_of_job =
            !self.is_socket() || relation == Some(Relation::Inherited) || ends.iter().any(|end| is_stdio(end.fd));
        relation.filter(|_| is_of_job)
    }

    /// Why the holder of these ends, also of another pipe, does not belong to the pipeline of any of the readers by how it is related to
    /// them; none if it does.
    pub(super) fn unrelated_reason(&self, ends: &[&Endpoint]) -> Option<Relation> {
        let (lineage, holder) = (self.case.lineage(), ends.first()?.pid);
        // A process that was passed its end over a socket, as the master of ssh(1), reads for the one that it has it from.
        let reads_for_its_own = |reader: Pid| {
            let unrelated = |passer: Pid| lineage.unrelated_reason(passer, true, holder, ends);
            self.passers.iter().any(|it| lineage.may_be_apart(reader, *it) && unrelated(*it).is_none())
        };
        let reason = |(pid, given): &(Pid, bool)| {
            lineage.unrelated_reason(*pid, *given, holder, ends).filter(|_| !reads_for_its_own(*pid))
        };
        let reasons: Option<Vec<Relation>> = self.readers.iter().map(reason).collect();
        reasons?.first().copied()
    }

    /// Whether the holder only has a copy of the end: its parent forked it without exec(2), is blocked in wait(2) for the only reader, which
    /// runs another program, and has no write end of its own any more. So the end of the reader was to come from that parent.
    fn is_forked_beside(&self, holder: Pid, ends: &[&Endpoint]) -> bool {
        let (processes, lineage) = (&self.case.processes, self.case.lineage());
        let (&[(reader, _)], 1) = (&self.readers[..], self.reading.len()) else { return false };
        let Some(parent) = processes.parent(reader).filter(|parent| processes.parent(holder) == Some(*parent)) else {
            return false;
        };
        let awaits_reader = |task: &Task| match &task.doing {
            TaskState::Waits { causes, besides: None } => {
                matches!(causes[..], [WaitTarget::Children(Children::One(child))] if child == reader)
            }
            _ => false,
        };
        !self.is_socket()
            && !ends.iter().any(|end| is_stdio(end.fd))
            && !self.pipe.on(Side::Write).any(|pid| pid == parent)
            && processes
                .threads(parent)
                .is_some_and(|group| group.adopts.is_none() && group.tasks.iter().any(awaits_reader))
            && lineage.is_same_program(holder, parent)
            && lineage.is_another_program(reader, parent)
    }

    fn is_socket(&self) -> bool {
        self.pipe.id.kind() == PipeKind::Unix
    }

    /// Whether all of these processes descend from each reader.
    pub(super) fn descend(&self, mut holders: impl Iterator<Item = Pid>) -> bool {
        holders.all(|holder| self.reading.iter().all(|reader| self.case.processes.is_ancestor(*reader, holder)))
    }

    pub(super) fn leaked_end(&self, end: &Endpoint, relation: Relation) -> LeakedEnd {
        let (processes, lineage) = (&self.case.processes, self.case.lineage());
        let same_end = |ancestor: &Pid| self.ends.contains(&(*ancestor, end.fd, end.access));
        LeakedEnd {
            end: *end,
            relation,
            ancestor_of_reader: self.above_readers.contains(&end.pid),
            session: processes.session(end.pid),
            inherited_from: self.kin.above(end.pid).find(same_end),
            probably_inherited: match relation {
                Relation::OtherSession | Relation::Orphan => end.flags.is_some_and(|flags| !flags.closes_on_exec()),
                Relation::ReaderItself | Relation::ReadWrite | Relation::Inherited | Relation::Forked => false,
            },
            doubtful_orphan: relation == Relation::Orphan && lineage.is_doubtful_orphan(end.pid),
            daemon: lineage.leads_session(end.pid) && is_output(end.fd),
            started_at: processes.facts(end.pid).and_then(|process| process.started_at),
        }
    }
}

/// Whether it is stdout or stderr.
fn is_output(fd: Fd) -> bool {
    is_stdio(fd) && fd != STDIN
}
