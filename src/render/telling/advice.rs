//! What would end a hang, and what would avoid it the next time: a sentence or two for each finding.

use super::super::ReportView;
use super::super::text::{escape_name, sanitize_sentence};
use super::signals::Signal;
use crate::model::{
    AccessMode, Certainty, Doubt, Endpoint, Fault, Finding, HiddenVia, Holder, Pid, Pipe, Relation, Side, Subject,
    TaskState, ViewLimit, WaitEdge, Waker,
};

/// So many ends are named in a sentence.
const MOST_ENDS: usize = 4;

impl ReportView<'_> {
    /// What would help, in a sentence or two.
    pub(crate) fn advice(&self, finding: &Finding) -> String {
        match &finding.fault {
            Fault::Recorded(record) => sanitize_sentence(&record.advice),
            Fault::Deadlock { itself, circle, .. } => self.deadlock_advice(*itself, circle),
            Fault::LeakedWriteEnd { holders, .. } => self.leak_advice(holders, finding.proof()),
            Fault::StalledReader { readers, patient, .. } => self.stall_advice(readers, *patient),
            Fault::BlockedOpen { openers, pipe, path } => {
                let name = match (pipe, path) {
                    (_, Some(path)) => escape_name(path),
                    (Some(pipe), None) => self.pipe_name(*pipe),
                    (None, None) => "it".to_owned(),
                };
                match openers.first().map(|(_, access)| access) {
                    Some(AccessMode::Read) => format!("It goes on as soon as somebody opens {name} for writing."),
                    Some(AccessMode::Write) => format!(
                        "It goes on as soon as somebody reads {name}, as `cat {name}` would; O_NONBLOCK makes open(2) fail with ENXIO instead."
                    ),
                    _ => format!("It goes on as soon as somebody opens the other side of {name}."),
                }
            }
            Fault::Risk(risk) => self.risk_advice(risk),
            Fault::HiddenEnd { usual, .. } => self.hidden_advice(finding, *usual),
            Fault::Missing { side: Side::Read, .. } => "Nothing to do, unless it should have a reader.".to_owned(),
            Fault::Missing { side: Side::Write, .. } => "Nothing to do, unless it should have a writer.".to_owned(),
        }
    }

    fn hidden_advice(&self, finding: &Finding, usual: bool) -> String {
        let may_be = |how: HiddenVia| {
            finding.doubts.iter().any(|doubt| matches!(doubt, Doubt::Holder(suspect) if suspect.how == how))
        };
        let in_flight = if may_be(HiddenVia::ScmRights) {
            "If it is on its way, whoever is named has to take it from the socket with recvmsg(2), or to close that. "
        } else {
            ""
        };
        let coverage = &self.graph.coverage;
        let (unread, outside) = (may_be(HiddenVia::Unreadable), may_be(HiddenVia::Outside));
        let look = if !usual {
            "Where else it may be, --probe tells."
        } else if coverage.outside == Some(ViewLimit::Hidepid) || (unread && !coverage.privileged) {
            "Run as root, or look from outside the container, to see who holds it."
        } else if outside {
            "Look from outside the container to see who holds it."
        } else if unread {
            "Who could not be read is kept from us in spite of all rights."
        } else {
            "Nothing to do, if whoever is named is to have it."
        };
        format!("{in_flight}{look}")
    }

    fn leak_advice(&self, holders: &[Holder], proof: Certainty) -> String {
        let own: Vec<&Holder> = holders.iter().filter(|holder| holder.stranger == Relation::Own).collect();
        let mut others: Vec<Pid> =
            holders.iter().filter(|holder| holder.stranger != Relation::Own).map(|holder| holder.end.pid).collect();
        others.sort_unstable();
        others.dedup();
        let also = match own.first() {
            Some(holder) => format!(" And the reader has to close its own copy, fd {}.", holder.end.fd),
            None => String::new(),
        };
        let avoid = match holders.iter().map(|holder| holder.stranger).find(|stranger| *stranger != Relation::Own) {
            Some(Relation::ReadWrite) => "open the FIFO for reading or for writing only",
            Some(Relation::Inherited) => "open the pipe with O_CLOEXEC, so that other programs do not inherit it",
            _ => "start it with its output elsewhere (`>/dev/null 2>&1`)",
        };
        let who = if let [pid] = others.as_slice() { self.who(*pid, None) } else { "they all".to_owned() };
        let closes = if others.len() == 1 { "closes that or ends" } else { "close that or end" };
        // Others may hold it too.
        let when = if proof == Certainty::Suspected { "at the earliest when" } else { "when" };
        format!("End of file comes {when} {who} {closes}: {}. To avoid it, {avoid}.{also}", self.end_all(&others))
    }

    fn stall_advice(&self, readers: &[Pid], patient: bool) -> String {
        let tasks = || readers.iter().filter_map(|pid| self.told?.groups.get(pid)).flat_map(|group| &group.tasks);
        if let Some(stopped) = tasks().find(|task| task.doing == TaskState::Stopped) {
            return format!("The reader is stopped: {} lets it go on.", self.send(Signal::Cont, &[stopped.id.pid]));
        }
        if tasks().any(|task| task.doing == TaskState::Traced) {
            return "The reader goes on when its tracer lets it.".to_owned();
        }
        if tasks().any(|task| task.doing == TaskState::Frozen) {
            return "The reader goes on when its control group is thawed.".to_owned();
        }
        if patient {
            return "The reader may read again when that is over.".to_owned();
        }
        "If the reader never reads, it should not hold the read end; what it waits for is what to look at.".to_owned()
    }

    fn deadlock_advice(&self, itself: bool, circle: &[WaitEdge]) -> String {
        let at_pipe = |link: &&WaitEdge, write: bool| match &link.subject {
            Some(Subject::Pipe(wait)) => (wait.access == AccessMode::Write) == write,
            _ => false,
        };
        let reads: Vec<&WaitEdge> = circle.iter().filter(|link| at_pipe(link, false)).collect();
        let written = circle.iter().find(|link| at_pipe(link, true));
        let waits_for_child = circle.iter().any(|link| link.subject == Some(Subject::Child));
        let held = |link: &WaitEdge| match link.waker.fd {
            Some(fd) => format!("fd {fd} in {}", self.who(link.waker.pid, link.waker.tid)),
            None => format!("its end in {}", self.who(link.waker.pid, link.waker.tid)),
        };
        let avoid = match (reads.first(), written) {
            (Some(link), None) if itself && self.is_open_for_both(link) => {
                "open a FIFO for reading or for writing only; who has it open for both is its own writer, so that it never ends".to_owned()
            }
            (Some(link), None) if itself => {
                format!("close the write end, {}, in the process that reads, right after fork(2)", held(link))
            }
            _ if itself => "read and write in different threads or processes".to_owned(),
            (_, Some(link)) if waits_for_child => format!(
                "read what the child writes before waiting for it, as communicate() does in Python; or, if somebody else was to \
                 read it, close {}",
                held(link)
            ),
            (Some(link), None) if waits_for_child => {
                format!("close the write end before waiting for the child: {}", self.write_ends(link))
            }
            (Some(_), Some(link)) => format!(
                "read the full pipe, {}, too while waiting for the other, with poll(2) or a thread, as communicate() does in Python",
                held(link)
            ),
            (None, Some(_)) => {
                "read and write at the same time, with poll(2) or a thread, as communicate() does in Python".to_owned()
            }
            (Some(_), None) => {
                let ends: Vec<String> = reads.iter().take(MOST_ENDS).map(|link| held(link)).collect();
                format!(
                    "let one write first: flush what is still in a buffer (stdbuf -oL, python3 -u), or close the write end where all \
                     is written: {}",
                    ends.join(", or ")
                )
            }
            (None, None) => "let one of them go on by itself".to_owned(),
        };
        format!("{}. To avoid it, {avoid}.", self.end_one(circle.iter().rev().map(|link| link.task.pid)))
    }

    /// Whether the end by which the next in a circle could end a wait is open for reading and writing.
    fn is_open_for_both(&self, link: &WaitEdge) -> bool {
        let is_waker = |end: &&Endpoint| Waker::from(*end) == link.waker;
        let mut ends = self.pipe_of(link).into_iter().flat_map(|pipe| &pipe.ends).filter(is_waker);
        ends.any(|end| end.access == AccessMode::ReadWrite)
    }

    /// The pipe that a thread in a circle waits for.
    fn pipe_of(&self, link: &WaitEdge) -> Option<&Pipe> {
        match &link.subject {
            Some(Subject::Pipe(wait)) => wait.pipe.and_then(|pipe| self.graph.pipe(pipe)),
            _ => None,
        }
    }

    /// All write ends of the pipe that a thread reads.
    fn write_ends(&self, link: &WaitEdge) -> String {
        let ends = self.pipe_of(link).into_iter().flat_map(|pipe| pipe.side(Side::Write));
        let ends: Vec<String> =
            ends.take(MOST_ENDS).map(|end| format!("fd {} in {}", end.fd, self.who(end.pid, end.tid))).collect();
        ends.join(" and ")
    }
}
