//! `deadlock`: threads of several processes wait for each other, and no process outside could end that.

use serde::{Deserialize, Serialize};

use super::{About, Case, Evidence, Identity, Judgement, Kind, Lasts, Phrases, cycle};
use crate::judge::dataflow::MarkKind;
use crate::judge::deadlock::WaitCycle;
use crate::model::{Doubt, Pid, Severity, TaskId};

pub(super) const ABOUT: About = About {
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
    lasts: Lasts::Unchanged,
    ..super::OF_WHY
};

/// Only a signal, or a new process, can unblock them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Deadlock(pub WaitCycle);

impl Kind for Deadlock {
    fn severity(&self, doubted: bool) -> Severity {
        if doubted { Severity::Warning } else { Severity::Error }
    }

    fn identity(&self) -> Identity {
        Identity::Blocked(self.0.blocked.clone(), None)
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        cycle::marks(&self.0, MarkKind::Deadlock)
    }

    fn blocked_behind(&self) -> &[TaskId] {
        &self.0.blocked_behind
    }

    fn message(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        let processes = phrases.processes(self.0.blocked.iter().map(|task| task.pid));
        format!("{processes} wait for each other, and no other process can unblock them")
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        cycle::evidence(&self.0, phrases)
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        cycle::advice(&self.0, phrases, cycle::prevention)
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    cycle::find(case, false, |waits| Deadlock(waits).into())
}
