//! `leaked-write-end`: a reader waits for EOF, and the only holders of the write end do not belong to its pipeline. Inferred from how the
//! processes are related; suspected if the true writer may be a process that could not be seen.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::phrases::{lines, list, verb};
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::judge::dataflow::MarkKind;
use crate::judge::lineage::{Lineage, Relation, is_pool, is_stdio};
use crate::judge::processes::Kin;
use crate::model::{
    AccessMode, AlternativeWake, Certainty, Doubt, Doubts, Endpoint, Fd, Operation, Pid, Pipe, PipeId, PipeWait,
    Severity, Side, Task, TaskId, TaskState, Time,
};

/// Maximum number of descriptors in a command that closes them.
const MOST_CLOSED: usize = 8;

/// Maximum number of kinds of readers, each of which is compared with each holder.
const MOST_KINDS: usize = 64;

/// Standard input, on which a shell passes a pipe to a program.
const STDIN: Fd = Fd(0);

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
A reader waits for data or EOF, and the only holders of the write end do not
appear to belong to its pipeline: processes of another session, orphans,
programs that inherited the end without knowing it, processes that have the FIFO
open O_RDWR, or the reader itself.

Warning; notice (info) if the reader waits for other things as well, or with a
timeout. It is inferred from how the processes are related, and suspected where
a process that could not be seen may hold the write end, too, and may be the
true writer.

Harmless if the holder will still write.

What to do: kill the holder, or have it close the end. To prevent it, start
daemons with stdout and stderr redirected and other descriptors closed, and open
pipes with O_CLOEXEC.",
    summary: Some([
        "pipe whose write end is held by unrelated processes only",
        "pipes whose write end is held by unrelated processes only",
    ]),
    ..super::OF_WHY
};

/// The readers see EOF only when all holders have closed their write ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeakedWriteEnd {
    /// The pipe.
    pub pipe: PipeId,
    /// The threads that wait for EOF.
    pub readers: Vec<TaskId>,
    /// Every write end, ordered as ends are.
    pub holders: Vec<LeakedEnd>,
    /// Whether each of the readers waits for something else as well, or with a timeout.
    pub may_resume: bool,
}

/// A write end that keeps the readers from EOF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeakedEnd {
    /// The end.
    #[serde(flatten)]
    pub end: Endpoint,
    /// Why the process does not belong to the pipeline.
    pub relation: Relation,
    /// Whether the process is an ancestor of a reader.
    pub ancestor_of_reader: bool,
    /// The session of the process.
    pub session: Option<u32>,
    /// An ancestor that has the same end under the same descriptor number, so that it was inherited from there.
    pub inherited_from: Option<Pid>,
    /// Whether it was probably inherited, though not from a living ancestor: exec(2) does not close it.
    #[serde(default)]
    pub probably_inherited: bool,
    /// Of an orphan: whether its parent adopts orphans and may have started it.
    #[serde(default)]
    pub doubtful_orphan: bool,
    /// When the process was started.
    pub started_at: Option<Time>,
}

impl LeakedWriteEnd {
    /// The holders other than the readers.
    fn unrelated(&self) -> impl Iterator<Item = Pid> + '_ {
        let others = self.holders.iter().filter(|end| end.relation != Relation::ReaderItself);
        others.map(|end| end.end.pid)
    }
}

impl Kind for LeakedWriteEnd {
    fn severity(&self, _: bool) -> Severity {
        if self.may_resume { Severity::Info } else { Severity::Warning }
    }

    fn certainty(&self, doubted: bool) -> Certainty {
        if doubted { Certainty::Suspected } else { Certainty::Inferred }
    }

    fn identity(&self) -> Identity {
        Identity::Blocked(self.readers.clone(), None)
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        let readers: Vec<Pid> = self.readers.iter().map(|task| task.pid).collect();
        let mut marks = vec![(MarkKind::LeakedWriteEnd, self.unrelated().collect())];
        if !self.may_resume {
            marks.push((MarkKind::NoEndOfFile, readers));
        }
        marks
    }

    fn leaks(&self) -> Vec<(PipeId, Pid)> {
        self.unrelated().map(|pid| (self.pipe, pid)).collect()
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let readers = phrases.tasks(&self.readers);
        let no_eof = format!("{readers} will not see EOF on {}", phrases.pipe(self.pipe));
        let others = self.holders.iter().filter(|end| end.relation != Relation::ReaderItself);
        let of = |is_read_write: bool| -> BTreeSet<Pid> {
            let ends = others.clone().filter(|end| (end.relation == Relation::ReadWrite) == is_read_write);
            ends.map(|end| end.end.pid).collect()
        };
        let (read_write, unrelated) = (of(true), of(false));
        let has_it = verb(read_write.len(), "has it open O_RDWR", "have it open O_RDWR");
        let has_it = format!("{} {has_it}", phrases.processes(read_write.iter().copied()));
        if unrelated.is_empty() {
            return format!("{no_eof}: {has_it}, so that there is always a writer");
        }
        let also = if read_write.is_empty() { String::new() } else { format!(", and {has_it}") };
        format!(
            "{no_eof}: {}, which {} not appear to belong to the pipeline, still {} a write end{also}",
            phrases.processes(unrelated.iter().copied()),
            verb(unrelated.len(), "does", "do"),
            verb(unrelated.len(), "holds", "hold"),
        )
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let holders = lines(Role::Holder, &self.holders, |end| {
            let (relation, doing) = (end.relation(phrases), phrases.process_doing(end.end.pid));
            format!("{}: {relation}{}; it {doing}", phrases.holds(&end.end), phrases.started(end.started_at))
        });
        [phrases.waits(&self.readers), holders].concat()
    }

    fn advice(&self, phrases: &Phrases<'_>, doubts: &Doubts) -> String {
        let is_own = |end: &&LeakedEnd| end.relation == Relation::ReaderItself;
        let others: Vec<&LeakedEnd> = self.holders.iter().filter(|end| !is_own(end)).collect();
        let pids: BTreeSet<Pid> = others.iter().map(|end| end.end.pid).collect();
        let kill = phrases.end_all(&pids.iter().copied().collect::<Vec<_>>());
        let close = match (pids.len(), others.as_slice()) {
            (1, ends) => format!("have it close {}", list(fds(ends), |fd| format!("fd {fd}"))),
            _ => "have them close their write ends".to_owned(),
        };
        // The process that started the reader is needed for more than this.
        let is_parent = others.iter().any(|end| end.ancestor_of_reader);
        let unblock = if is_parent { format!("{close}, or {kill}") } else { format!("{kill}, or {close}") };
        let more = if doubts.is_empty() { "" } else { "; another write end may remain" };
        let own = self.holders.iter().find(is_own);
        let own = own.map_or_else(String::new, |end| {
            format!(" The reader must also close its own write end, fd {}.", end.end.fd)
        });
        format!("To unblock: {unblock}{more}.{own} To prevent: {}.", prevention(&others))
    }
}

fn fds(ends: &[&LeakedEnd]) -> impl Iterator<Item = Fd> {
    ends.iter().map(|end| end.end.fd).collect::<BTreeSet<_>>().into_iter()
}

/// How to prevent these processes from holding the end.
fn prevention(others: &[&LeakedEnd]) -> String {
    let is = |relation| move |end: &&LeakedEnd| end.relation == relation;
    if others.iter().all(is(Relation::ReadWrite)) {
        return "open the FIFO for reading or for writing only".to_owned();
    }
    if others.iter().any(is(Relation::Inherited)) {
        return "open the pipe with O_CLOEXEC, so that other programs do not inherit it".to_owned();
    }
    let closed = fds(others).filter(|fd| !is_stdio(*fd)).take(MOST_CLOSED).map(|fd| format!("{fd}>&-"));
    let closed: Vec<String> = closed.collect();
    if closed.is_empty() {
        return "start it with stdout and stderr redirected (`>/dev/null 2>&1`)".to_owned();
    }
    format!("start it with that descriptor closed (in a shell `{}`), or open the pipe with O_CLOEXEC", closed.join(" "))
}

impl LeakedEnd {
    /// Why its process does not belong to the pipeline, and where the end was inherited from.
    fn relation(&self, phrases: &Phrases<'_>) -> String {
        let relation = match self.relation {
            Relation::ReaderItself => return "the reader itself, which did not close it".to_owned(),
            Relation::ReadWrite if self.ancestor_of_reader => {
                return "an ancestor of the reader, which keeps its own O_RDWR end open".to_owned();
            }
            Relation::ReadWrite => "so that there is always a writer".to_owned(),
            Relation::OtherSession => match self.session {
                Some(session) => format!("in session {session}, not in that of the pipeline"),
                None => "in another session than the pipeline".to_owned(),
            },
            Relation::Orphan if self.doubtful_orphan => "apparently an orphan".to_owned(),
            Relation::Orphan => "an orphan, whose parent has exited".to_owned(),
            Relation::Inherited => "another program, which inherited it by accident".to_owned(),
        };
        match self.inherited_from {
            Some(ancestor) => format!("{relation}; inherited from {}", phrases.process(ancestor, None)),
            None if self.probably_inherited => format!("{relation}; the end was probably inherited"),
            None => relation,
        }
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    case.each_awaited_pipe(of_pipe)
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe) -> Option<Judgement> {
    let readers = readers(case, pipe.id);
    if readers.is_empty() {
        return None;
    }
    // One that was given up may wait for it, too, and be of another pipeline.
    let is_given_up = |pid: Pid| case.groups.get(&pid).is_none_or(|group| group.tasks.is_empty());
    if pipe.side(Side::Read).any(|end| is_given_up(end.pid)) {
        return None;
    }
    let writers: Vec<&Endpoint> = pipe.side(Side::Write).collect();
    let on_both = pipe.on_both();
    let of_readers: BTreeSet<Pid> = readers.iter().map(|reader| reader.pid).collect();
    if is_pool(writers.iter().map(|end| end.pid).chain(of_readers.iter().copied()), |pid| on_both.contains(&pid)) {
        return None;
    }
    let sides = Sides::of(case, pipe, &writers, of_readers)?;
    let mut holders = Vec::new();
    for ends in writers.chunk_by(|one, other| one.pid == other.pid) {
        let relation = sides.relation(ends)?;
        holders.extend(ends.iter().map(|end| sides.leaked_end(end, relation)));
    }
    // If the reader alone holds it, that is a deadlock.
    if holders.iter().all(|holder| holder.relation == Relation::ReaderItself) {
        return None;
    }
    // As communicate() with a timeout does, and a server with a socket beside it.
    let waiting = case.waiting.get(&pipe.id).map_or(&[][..], Vec::as_slice);
    let tasks: BTreeSet<TaskId> = readers.iter().copied().collect();
    let may_resume = !waiting
        .iter()
        .any(|(task, _)| tasks.contains(&task.id) && matches!(task.doing, TaskState::Waits { besides: None, .. }));
    let mut tasks = readers.clone();
    let others = holders.iter().map(|holder| holder.end.pid).filter(|pid| !sides.reading.contains(pid));
    tasks.extend(case.leaders(others));
    let mut doubts = case.doubts(pipe.id, Side::Write);
    let judged = holders.iter().filter(|end| !matches!(end.relation, Relation::ReaderItself | Relation::ReadWrite));
    let parents: BTreeSet<Pid> = judged
        .flat_map(|end| sides.readers.iter().filter_map(|(pid, _)| case.lineage().possible_parent(*pid, end.end.pid)))
        .collect();
    doubts.extend(parents.into_iter().map(Doubt::Starter));
    let details = LeakedWriteEnd { pipe: pipe.id, readers, holders, may_resume };
    Some(Judgement { doubts, ..Judgement::new(Details::LeakedWriteEnd(details), tasks, [pipe.id]) })
}

/// The processes on both sides of a pipe, as far as their relations depend on it.
struct Sides<'a> {
    case: &'a Case<'a>,
    pipe: &'a Pipe,
    /// The processes that wait for EOF.
    reading: BTreeSet<Pid>,
    /// One of each kind of them, with whether it has its end as its stdin. Those of one parent, job and session are related to others alike.
    readers: Vec<(Pid, bool)>,
    kin: Kin,
    above_readers: BTreeSet<Pid>,
    ends: BTreeSet<(Pid, Fd, AccessMode)>,
}

impl<'a> Sides<'a> {
    /// None if the readers are too many that are related differently: then they are no pipeline.
    fn of(case: &'a Case<'_>, pipe: &'a Pipe, writers: &[&Endpoint], reading: BTreeSet<Pid>) -> Option<Self> {
        let processes = &case.processes;
        let writing: BTreeSet<Pid> = writers.iter().map(|end| end.pid).collect();
        let all: BTreeSet<Pid> = pipe.ends.iter().map(|end| end.pid).chain(reading.iter().copied()).collect();
        let kin = processes.kin(&all);
        let given: BTreeSet<Pid> = pipe.ends.iter().filter(|end| end.fd == STDIN).map(|end| end.pid).collect();
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
        Some(Self { case, pipe, reading, readers, kin, above_readers, ends })
    }

    /// Why the holder of these ends does not belong to the pipeline of any of the readers; none if it does.
    fn relation(&self, ends: &[&Endpoint]) -> Option<Relation> {
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
        let lineage = case.lineage();
        let reason = |(pid, given): &(Pid, bool)| lineage.unrelated_reason(*pid, *given, holder, ends);
        let reasons: Option<Vec<Relation>> = self.readers.iter().map(reason).collect();
        reasons?.first().copied()
    }

    fn leaked_end(&self, end: &Endpoint, relation: Relation) -> LeakedEnd {
        let processes = &self.case.processes;
        let same_end = |ancestor: &Pid| self.ends.contains(&(*ancestor, end.fd, end.access));
        LeakedEnd {
            end: *end,
            relation,
            ancestor_of_reader: self.above_readers.contains(&end.pid),
            session: processes.session(end.pid),
            inherited_from: self.kin.above(end.pid).find(same_end),
            probably_inherited: match relation {
                Relation::OtherSession | Relation::Orphan => end.flags.is_some_and(|flags| !flags.closes_on_exec()),
                Relation::ReaderItself | Relation::ReadWrite | Relation::Inherited => false,
            },
            doubtful_orphan: relation == Relation::Orphan && Lineage { processes }.is_doubtful_orphan(end.pid),
            started_at: processes.facts(end.pid).and_then(|process| process.started_at),
        }
    }
}

/// The threads that wait for this pipe to have data or EOF.
fn readers(case: &Case<'_>, pipe: PipeId) -> Vec<TaskId> {
    let waiting = case.waiting.get(&pipe).map_or(&[][..], Vec::as_slice);
    let reads = |(task, wait): &&(&Task, &PipeWait)| {
        !matches!(task.doing, TaskState::Waits { besides: Some(AlternativeWake::Lock), .. })
            && wait.access != AccessMode::Write
            && matches!(wait.operation, Operation::Read | Operation::Poll)
            && !case.stuck.contains(&task.id)
    };
    let mut readers: Vec<TaskId> = waiting.iter().filter(reads).map(|(task, _)| task.id).collect();
    readers.dedup();
    readers
}
