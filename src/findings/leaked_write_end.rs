//! `leaked-write-end`: a reader waits for EOF, and the only holders of the write end do not belong to its pipeline. Inferred from how the
//! processes are related; suspected if the true writer may be a process that could not be seen.

mod filters;
mod notice;
mod rule;
mod sides;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::phrases::{ends_held, lines, list, verb};
use super::{About, Evidence, Identity, Kind, Phrases, Role};
use crate::judge::dataflow::MarkKind;
use crate::judge::lineage::{Relation, is_stdio};
use crate::model::words::words;
use crate::model::{Certainty, Doubts, Endpoint, Fd, Pid, PipeId, Severity, TaskId, Time};

use self::filters::Filter;
pub(super) use self::rule::find;

/// Maximum number of descriptors in a command that closes them.
const MOST_CLOSED: usize = 8;

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
A reader waits for data or EOF, and the only holders of the write end do not
appear to belong to its pipeline: processes of another session, orphans,
programs that inherited the end without knowing it, processes that have the FIFO
open O_RDWR, or the reader itself. If a holder is a filter, such as tee, that
waits for EOF itself, the holders of the write end of its stdin are reported.

Warning; notice (info) if one of the following holds:
- Reader or holders ran in the last 10 s, so that data may still flow. That does
  not count for a program that inherited the end without knowing it.
- The reader waits for other things as well, or with a timeout, and a holder is
  not what an ended job left: its parent, or the leader of its session and
  process group, still runs.
- The reader is a log reader, such as logger or rotatelogs.
- The reader was left by the same ended job, so that nothing waits for it.
- A holder was forked with a copy of the end by a process that waits for the
  reader to exit.

Not reported: a reader that polls several pipes, each held by other descendants
of its own, waits for their exit. Pipes of one reader with the same holders are
one finding. A pair of connected UNIX sockets without a path counts as a pipe if
the holder has it as stdin, stdout or stderr, or inherited it.

It is inferred from how the processes are related, and suspected where a process
that could not be seen may hold the write end, too, and may be the true writer.

Harmless if the holder will still write.

What to do: kill the holder, or have it close the end. A daemon that has the
pipe as stdout or stderr is restarted with those redirected. To prevent it,
start daemons with stdout and stderr redirected and other descriptors closed,
and open pipes with O_CLOEXEC.",
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
    /// Why it is only a notice; missing if it is a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<NoticeReason>,
    /// Other pipes of the same readers with the same holders, by ID.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<LeakedPipe>,
    /// The holders that end once they see EOF on their stdin, those that hold the write end of that in the same way, and so on. Only the
    /// holders that are none of these have to be ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
}

words! {
    /// Why a leak is only a notice.
    pub enum NoticeReason {
        /// The readers wait for something else as well, or with a timeout, and the holders may belong to a job that still runs.
        MayResume = "may-resume",
        /// The readers are log readers, by their names.
        LogReader = "log-reader",
        /// An ended job left the readers, too, so that no process waits for them.
        Abandoned = "abandoned",
        /// A holder was forked with a copy of the end, and may be a writer.
        Forked = "forked",
        /// Readers and holders ran a short time ago: data may flow.
        Recent = "recent",
    }
}

/// Another pipe of the same readers, with the same holders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeakedPipe {
    /// The pipe.
    pub pipe: PipeId,
    /// Every write end, ordered as ends are.
    pub holders: Vec<LeakedEnd>,
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
    /// Whether the process leads a session and has the pipe as stdout or stderr: a daemon that was started with it.
    #[serde(default)]
    pub daemon: bool,
    /// When the process was started.
    pub started_at: Option<Time>,
}

impl LeakedWriteEnd {
    /// The holders other than the readers.
    fn unrelated(&self) -> impl Iterator<Item = Pid> + '_ {
        let others = self.holders.iter().filter(|end| end.relation != Relation::ReaderItself);
        others.map(|end| end.end.pid)
    }

    /// The ends of those holders, and of the filters, that are not filters themselves.
    fn last(&self) -> impl Iterator<Item = &LeakedEnd> {
        let of_filters = self.filters.iter().flat_map(|filter| &filter.holders);
        let ends = self.pipes().flat_map(|(_, ends)| ends).chain(of_filters);
        ends.filter(|end| end.relation != Relation::ReaderItself && !self.is_filter(end.end.pid))
    }

    fn is_filter(&self, pid: Pid) -> bool {
        self.filters.iter().any(|filter| filter.pid == pid)
    }

    /// The filters among the holders of the pipes.
    fn own_filters(&self) -> BTreeSet<Pid> {
        self.unrelated().filter(|pid| self.is_filter(*pid)).collect()
    }

    /// Its pipes with the ends of each.
    fn pipes(&self) -> impl Iterator<Item = (PipeId, &[LeakedEnd])> {
        let others = self.others.iter().map(|other| (other.pipe, &other.holders[..]));
        std::iter::once((self.pipe, &self.holders[..])).chain(others)
    }
}

impl Kind for LeakedWriteEnd {
    fn severity(&self, _: bool) -> Severity {
        if self.notice.is_some() { Severity::Info } else { Severity::Warning }
    }

    fn certainty(&self, doubted: bool) -> Certainty {
        if doubted { Certainty::Suspected } else { Certainty::Inferred }
    }

    fn identity(&self) -> Identity {
        Identity::Blocked(self.readers.clone(), None)
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        let filters = self.filters.iter().map(|filter| filter.pid);
        let readers: Vec<Pid> = self.readers.iter().map(|task| task.pid).chain(filters).collect();
        let mut marks = vec![(MarkKind::LeakedWriteEnd, self.last().map(|end| end.end.pid).collect())];
        if self.notice.is_none() {
            marks.push((MarkKind::NoEndOfFile, readers));
        }
        marks
    }

    fn leaks(&self) -> Vec<(PipeId, Pid)> {
        let own = self.pipes().flat_map(|(pipe, _)| self.unrelated().map(move |pid| (pipe, pid)));
        let of_filter = |it: &Filter| it.holders.iter().map(|end| (it.pipe, end.end.pid)).collect::<Vec<_>>();
        own.chain(self.filters.iter().flat_map(of_filter)).collect()
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let readers = phrases.tasks(&self.readers);
        let pipes = list(self.pipes(), |(pipe, _)| phrases.pipe(pipe));
        let no_eof = format!("{readers} will not see EOF on {pipes}");
        let write_end = if self.others.is_empty() { "a write end" } else { "their write ends" };
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
            "{no_eof}: {}, which {} not appear to belong to the pipeline, still {} {write_end}{also}{}",
            phrases.processes(unrelated.iter().copied()),
            verb(unrelated.len(), "does", "do"),
            verb(unrelated.len(), "holds", "hold"),
            self.waited_for(&unrelated, phrases),
        )
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let one = |ends: &[LeakedEnd], of: &str| {
            let first = ends.first()?;
            let held = ends_held(&ends.iter().map(|end| end.end).collect::<Vec<_>>());
            let (relation, doing) = (first.relation(phrases), phrases.process_doing(first.end.pid));
            let holds = format!("{} holds {held}{of}", phrases.process(first.end.pid, first.end.tid));
            Some(format!("{holds}: {relation}{}; it {doing}", phrases.started(first.started_at)))
        };
        let of_one = |(pipe, ends)| {
            let of = if self.others.is_empty() { String::new() } else { format!(" of {}", phrases.pipe(pipe)) };
            by_process(ends).filter_map(|ends| one(ends, &of)).collect::<Vec<_>>()
        };
        let of_filter = |filter: &Filter| {
            let of = format!(" of {}", phrases.pipe(filter.pipe));
            by_process(&filter.holders).filter_map(|ends| one(ends, &of)).collect::<Vec<_>>()
        };
        let all = self.pipes().flat_map(of_one).chain(self.filters.iter().flat_map(of_filter));
        let holders = lines(Role::Holder, all, |line| line);
        [phrases.waits(&self.readers), holders].concat()
    }

    fn advice(&self, phrases: &Phrases<'_>, doubts: &Doubts) -> String {
        let others: Vec<&LeakedEnd> = self.last().collect();
        let unblock = unblock(&others, phrases);
        let more = if doubts.is_empty() { "" } else { "; another write end may remain" };
        let filters = self.own_filters();
        let then = match filters.len() {
            0 => String::new(),
            1 => format!(" Then {} sees EOF and ends, too.", phrases.processes(filters)),
            _ => format!(" Then {} see EOF and end, too.", phrases.processes(filters)),
        };
        let mut ends = self.pipes().flat_map(|(_, ends)| ends);
        let own = ends.find(|end| end.relation == Relation::ReaderItself).map_or_else(String::new, |end| {
            format!(" The reader must also close its own write end, fd {}.", end.end.fd)
        });
        let may_pass = match self.notice {
            Some(NoticeReason::LogReader) => "Nothing to do if it logs through this pipe. ",
            Some(NoticeReason::Abandoned) => "Nothing to do if no process waits for the reader. ",
            Some(NoticeReason::Forked) => "Nothing to do if it is to write to the pipe. ",
            Some(NoticeReason::Recent) => "Nothing to do if it still writes to the pipe. ",
            Some(NoticeReason::MayResume) | None => "",
        };
        format!("{may_pass}To unblock: {unblock}{more}.{then}{own} To prevent: {}.", prevention(&others))
    }
}

impl LeakedWriteEnd {
    /// What those of the holders that are filters wait for, as the end of a sentence about all of them.
    fn waited_for(&self, holders: &BTreeSet<Pid>, phrases: &Phrases<'_>) -> String {
        let (filters, all) = (self.own_filters(), self.last().map(|end| end.end.pid));
        let last = all.filter(|pid| filters.len() == holders.len() || !holders.contains(pid));
        let last: BTreeSet<Pid> = last.collect();
        if filters.is_empty() || last.is_empty() {
            return String::new();
        }
        let last = phrases.processes(last);
        match filters.len() {
            1 if holders.len() == 1 => format!(", and waits for {last}"),
            1 => format!(", and {} waits for {last}", phrases.processes(filters)),
            _ => format!(", and {} wait for {last}", phrases.processes(filters)),
        }
    }
}

/// Whether a holder belongs to another job, and was started with the end.
const fn is_stranger(end: &LeakedEnd) -> bool {
    matches!(end.relation, Relation::OtherSession | Relation::Orphan)
}

/// The ends of each process.
fn by_process(ends: &[LeakedEnd]) -> impl Iterator<Item = &[LeakedEnd]> {
    ends.chunk_by(|one, other| one.end.pid == other.end.pid)
}

/// How to have these processes give up their ends. A daemon that was started with the pipe as its output is not to be killed for that.
fn unblock(others: &[&LeakedEnd], phrases: &Phrases<'_>) -> String {
    let pids = |is_daemon: bool| -> BTreeSet<Pid> {
        others.iter().filter(|end| end.daemon == is_daemon).map(|end| end.end.pid).collect()
    };
    let daemons = pids(true);
    let pids: BTreeSet<Pid> = pids(false).difference(&daemons).copied().collect();
    let restart = || {
        let restart = format!("restart {}", phrases.processes(daemons.iter().copied()));
        format!("{restart} with stdout and stderr redirected (`>/dev/null 2>&1`)")
    };
    let close = match (pids.len() + daemons.len(), others) {
        (1, ends) => format!("have it close {}", list(fds(ends), |fd| format!("fd {fd}"))),
        _ => "have them close their write ends".to_owned(),
    };
    if pids.is_empty() {
        return format!("{}, or {close}", restart());
    }
    let kill = phrases.end_all(&pids.iter().copied().collect::<Vec<_>>());
    let kill = if daemons.is_empty() { kill } else { format!("{kill} and {}", restart()) };
    // The process that started the reader is needed for more than this.
    let is_parent = others.iter().any(|end| end.ancestor_of_reader);
    if is_parent { format!("{close}, or {kill}") } else { format!("{kill}, or {close}") }
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
    if others.iter().all(is(Relation::Forked)) {
        return "close that descriptor in a process that is forked and does not write to it".to_owned();
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
            Relation::Forked => "forked with a copy of it by the process that waits for the reader to exit".to_owned(),
        };
        match self.inherited_from {
            Some(ancestor) => format!("{relation}; inherited from {}", phrases.process(ancestor, None)),
            None if self.probably_inherited => format!("{relation}; the end was probably inherited"),
            None => relation,
        }
    }
}
