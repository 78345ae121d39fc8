//! `self-deadlock`: the threads of one process wait for each other, or a thread for itself.

use serde::{Deserialize, Serialize};

use super::{About, Case, Evidence, Identity, Judgement, Kind, Phrases, cycle};
use crate::judge::dataflow::MarkKind;
use crate::judge::deadlock::WaitCycle;
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
#[serde(transparent)]
pub struct SelfDeadlock(pub WaitCycle);

impl Kind for SelfDeadlock {
    fn severity(&self, doubted: bool) -> Severity {
        if doubted { Severity::Warning } else { Severity::Error }
    }

    fn identity(&self) -> Identity {
        Identity::Blocked(self.0.blocked.clone(), None)
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        cycle::marks(&self.0, MarkKind::SelfDeadlock)
    }

    fn blocked_behind(&self) -> &[TaskId] {
        &self.0.blocked_behind
    }

    fn message(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        let process = phrases.processes(self.0.blocked.iter().map(|task| task.pid));
        format!("{process} waits for itself, and no other process can unblock it")
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        cycle::evidence(&self.0, phrases)
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &[Doubt]) -> String {
        cycle::advice(&self.0, phrases, cycle::prevention_in_one_process)
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    cycle::find(case, true, |waits| SelfDeadlock(waits).into())
}
