//! `deleted-fifo`: a FIFO is in use that has been deleted.

use serde::{Deserialize, Serialize};

use super::phrases::verb;
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, all_on};
use crate::judge::side::{self, SideState};
use crate::model::{Doubts, Pipe, PipeId, Severity, Side};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
A FIFO is open, and its last name was removed (link count 0). No process can
open it by its path any more; a FIFO created again at that path is another one.

Warning if it is proven that one side has no process: the other side will then
have no partner, unless a process opens it as /proc/PID/fd/N. Notice (info) if
both sides have one, or one may exist that could not be seen.

Harmless where its users delete it on purpose once all of them have opened it.

What to do: usually a directory was cleaned up, or a service was restarted and
created its FIFO again, while a client still has the old one. Restart that
client.",
    summary: Some(["FIFO in use that has been deleted", "FIFOs in use that have been deleted"]),
    needs_audit_facts: false,
    ..super::OF_AUDIT
};

/// The holders are the processes of the finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeletedFifo {
    /// The FIFO.
    pub pipe: PipeId,
    /// The side that certainly has no process, and that no process can open by path.
    pub missing_side: Option<Side>,
}

impl Kind for DeletedFifo {
    fn severity(&self, _: bool) -> Severity {
        if self.missing_side.is_some() { Severity::Warning } else { Severity::Info }
    }

    fn identity(&self) -> Identity {
        Identity::Pipe
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let name = phrases.pipe(self.pipe);
        match self.missing_side {
            Some(side) => format!(
                "{name} was deleted while in use and has no {}; no process can open it by its path",
                side.holder()
            ),
            None => format!("{name} was deleted while in use: no other process can open it by its path"),
        }
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        phrases.holders(self.pipe, |pid| phrases.user_of(pid))
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        if self.missing_side.is_none() {
            return "Nothing to do if it was deleted on purpose once all of its users had opened it.".to_owned();
        }
        let holders = phrases.graph.pipe(self.pipe).map(all_on).unwrap_or_default();
        let they_open = verb(holders.len(), "it opens", "they open");
        format!("To unblock: restart {} so that {they_open} the current FIFO.", phrases.processes(holders))
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    case.each_pipe(of_pipe)
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe) -> Option<Judgement> {
    let is_empty =
        |side: &Side| side::state(case.graph, pipe, *side) == SideState::None && case.doubts(pipe.id, *side).is_empty();
    let details = || DeletedFifo { pipe: pipe.id, missing_side: Side::BOTH.into_iter().find(is_empty) };
    pipe.deleted.then(|| case.of_all_on(pipe, Details::DeletedFifo(details())))
}
