//! `deadlock`: threads of several processes wait for each other, and no process outside could end that.

use serde::{Deserialize, Serialize};

use super::cycle::{self, Waits};
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Lasts, Phrases, ReportedBy};
use crate::judge::dataflow::MarkKind;
use crate::judge::deadlock::{self, WaitEdge};
use crate::model::{Doubt, Pid, Severity, TaskId};

pub(super) const ABOUT: About = About {
    reported_by: ReportedBy::Why,
    severities: &[Severity::Error, Severity::Warning],
    explain: "\
Threads of several processes are blocked on pipes, or wait for a child, and
only each other could unblock them: every holder of the ends they wait for is
blocked itself.

Error if it is proven: their system calls show it, and none of them ran between
two scans. Warning if there is a doubt: a process that could not be read may
hold an end, a FIFO may be opened by its path, or a signal handler may act.

Never harmless, unless something outside is about to send a signal.

What to do: kill one of them. To prevent it, read and write at the same time,
with poll(2) or a thread, and close unused ends right after fork(2).",
    summary: None,
    needs_audit_facts: false,
    may_pass: true,
    depends_on_hidden: true,
    about_sharing: false,
    evidence_in_chain: false,
    lasts: Lasts::Unchanged,
};

/// Only a signal, or a new process, can unblock them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deadlock {
    /// A shortest cycle through them: each waits for the process of the next, the last for that of the first.
    pub cycle: Vec<WaitEdge>,
    /// All threads that wait for each other, those of the cycle first.
    pub blocked: Vec<TaskId>,
    /// Other threads that are blocked because of these.
    pub blocked_behind: Vec<TaskId>,
}

impl Kind for Deadlock {
    fn severity(&self, doubted: bool) -> Severity {
        if doubted { Severity::Warning } else { Severity::Error }
    }

    fn identity(&self) -> Identity {
        Identity::Blocked(self.blocked.clone(), None)
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        marks(MarkKind::Deadlock, &self.blocked, &self.blocked_behind)
    }

    fn blocked_behind(&self) -> &[TaskId] {
        &self.blocked_behind
    }

    fn message(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        let processes = phrases.processes(self.blocked.iter().map(|task| task.pid));
        format!("{processes} wait for each other, and no other process can unblock them")
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        cycle::evidence(phrases, &self.cycle, &self.blocked, &self.blocked_behind)
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        let waits = Waits::new(&self.cycle);
        waits.advice(phrases, &waits.prevention(phrases))
    }
}

pub(super) fn marks(kind: MarkKind, blocked: &[TaskId], behind: &[TaskId]) -> Vec<(MarkKind, Vec<Pid>)> {
    let pids = |tasks: &[TaskId]| tasks.iter().map(|task| task.pid).collect();
    vec![(kind, pids(blocked)), (MarkKind::Behind, pids(behind))]
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let of_several = case.deadlocks.iter().filter(|deadlock| !deadlock.single_process);
    of_several
        .map(|it| {
            judgement(it, |cycle, blocked, blocked_behind| {
                Details::Deadlock(Deadlock { cycle, blocked, blocked_behind })
            })
        })
        .collect()
}

pub(super) fn judgement(
    deadlock: &deadlock::Deadlock,
    details: impl Fn(Vec<WaitEdge>, Vec<TaskId>, Vec<TaskId>) -> Details,
) -> Judgement {
    let deadlock::Deadlock { cycle, blocked, blocked_behind, pipes, doubts, .. } = deadlock;
    Judgement {
        details: details(cycle.clone(), blocked.clone(), blocked_behind.clone()),
        tasks: blocked.clone(),
        pipes: pipes.clone(),
        doubts: doubts.clone(),
    }
}
