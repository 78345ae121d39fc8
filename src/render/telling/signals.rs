//! Which signal ends a process or lets it go on: as a command, where it can be given here and is not dropped.

use super::super::ReportView;
use super::super::text::escape_name;
use crate::model::{Fault, Finding, Pid, SleepOn, Task, TaskState};

/// SIGTERM by its bit in `SigCgt`: what kill(1) sends if it is told no other.
const SIGTERM: u64 = 1 << 14;

/// The first process of the PID namespace that proc shows.
const INIT: Pid = Pid(1);

/// A signal that is advised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Term,
    Kill,
    Cont,
}

impl ReportView<'_> {
    /// How to send a signal: `kill -CONT 252`. No command where the numbers are not ours, since here others have them.
    pub(super) fn send(&self, signal: Signal, pids: &[Pid]) -> String {
        let option = match signal {
            Signal::Term => "",
            Signal::Kill => " -KILL",
            Signal::Cont => " -CONT",
        };
        let numbers: Vec<String> = pids.iter().map(ToString::to_string).collect();
        let numbers = numbers.join(" ");
        if self.graph.coverage.own_pids {
            return format!("`kill{option} {numbers}`");
        }
        format!("kill(1){option} of PID {numbers} in that PID namespace")
    }

    /// How to end the first that can be ended in the usual way; else how to end the first.
    pub(super) fn end_one(&self, mut pids: impl Iterator<Item = Pid> + Clone) -> String {
        let pid = pids.clone().find(|pid| !self.is_deaf(*pid)).or_else(|| pids.next());
        match pid {
            Some(pid) if self.is_deaf(pid) && pid == INIT => {
                "Only somebody outside of the PID namespace can end it: from within, its first process gets the signals only that it catches".to_owned()
            }
            Some(pid) => format!("Only a signal can end it, such as {}", self.end_all(&[pid])),
            None => "Only a signal can end it".to_owned(),
        }
    }

    /// How to end all of these.
    pub(super) fn end_all(&self, pids: &[Pid]) -> String {
        let (deaf, others): (Vec<Pid>, Vec<Pid>) = pids.iter().partition(|pid| self.is_deaf(**pid));
        let (own, nested): (Vec<Pid>, Vec<Pid>) = deaf.into_iter().partition(|pid| *pid == INIT);
        let mut ways = Vec::new();
        if !others.is_empty() {
            ways.push(self.send(Signal::Term, &others));
        }
        if !nested.is_empty() {
            ways.push(format!("{}, which ends a whole PID namespace", self.send(Signal::Kill, &nested)));
        }
        if !own.is_empty() {
            ways.push(format!("only somebody outside of the PID namespace can end PID {INIT}"));
        }
        ways.join(" and ")
    }

    /// Whether a process is the first of a PID namespace and SIGTERM would be dropped; see `pid_namespaces(7)`. It is not where there is a
    /// handler for it, nor where it is blocked, as for signalfd(2), or waited for by sigwait(3) (`sig_ignored` in kernel/signal.c).
    fn is_deaf(&self, pid: Pid) -> bool {
        let group = self.told.and_then(|told| told.groups.get(&pid));
        let waits_for_one =
            |task: &Task| matches!(&task.doing, TaskState::Sleeps(sleep) if sleep.on == SleepOn::Signal);
        group.is_some_and(|group| {
            group.adopts.is_some()
                && (group.catches | group.blocks) & SIGTERM == 0
                && !group.tasks.iter().any(waits_for_one)
        })
    }

    /// Whose the PIDs in the commands of a saved finding are, as a sentence to follow its advice; empty where it has no such command.
    pub(super) fn of_then(&self, finding: &Finding) -> String {
        let Fault::Recorded(record) = &finding.fault else { return String::new() };
        let mut texts = record.evidence.iter().map(|line| &line.text).chain([&record.advice]);
        if !texts.any(|text| text.contains("`kill ")) {
            return String::new();
        }
        let host = self.graph.host.hostname.as_deref().unwrap_or("another machine");
        format!(" The PIDs are those of {} at {:.0}.", escape_name(host.as_bytes()), self.graph.taken_at)
    }
}
