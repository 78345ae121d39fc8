//! `self-deadlock`: the threads of one process wait for each other, or a thread for itself.

use serde::{Deserialize, Serialize};

use super::cycle::{self, Waits};
use super::deadlock::{judgement, marks};
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases};
use crate::judge::dataflow::MarkKind;
use crate::judge::deadlock::WaitEdge;
use crate::model::{Doubt, Pid, Severity, TaskId};

pub(super) const ABOUT: About = About {
    explain: "\
The threads of one process wait for themselves or each other: it reads a pipe
of which it holds the only write end, or writes to a full pipe that only it
reads.

Error if it is proven, warning if there is a doubt, as for deadlock.

Never harmless.

What to do: kill it. To prevent it, close the other end of the pipe right after
fork(2), and do not write more than fits into a pipe before reading it.",
    ..super::deadlock::ABOUT
};

/// Only a signal, or a new process, can unblock it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SelfDeadlock {
    /// A shortest cycle through its threads, as in `deadlock`: a single step where a thread waits for its own process.
    pub cycle: Vec<WaitEdge>,
    /// All its threads that wait for each other, those of the cycle first.
    pub blocked: Vec<TaskId>,
    /// Threads of other processes that are blocked because of these.
    pub blocked_behind: Vec<TaskId>,
}

impl Kind for SelfDeadlock {
    fn severity(&self, doubted: bool) -> Severity {
        if doubted { Severity::Warning } else { Severity::Error }
    }

    fn identity(&self) -> Identity {
        Identity::Blocked(self.blocked.clone(), None)
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        marks(MarkKind::SelfDeadlock, &self.blocked, &self.blocked_behind)
    }

    fn blocked_behind(&self) -> &[TaskId] {
        &self.blocked_behind
    }

    fn message(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        let process = phrases.processes(self.blocked.iter().map(|task| task.pid));
        format!("{process} waits for itself, and no other process can unblock it")
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        cycle::evidence(phrases, &self.cycle, &self.blocked, &self.blocked_behind)
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        let waits = Waits::new(&self.cycle);
        waits.advice(phrases, &waits.prevention_in_one_process(phrases))
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let of_one = case.deadlocks.iter().filter(|deadlock| deadlock.single_process);
    of_one
        .map(|it| {
            judgement(it, |cycle, blocked, blocked_behind| {
                Details::SelfDeadlock(SelfDeadlock { cycle, blocked, blocked_behind })
            })
        })
        .collect()
}
