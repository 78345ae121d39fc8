//! `hidden-end`: an end must exist although no fd table shows it.

use serde::{Deserialize, Serialize};

use super::phrases::verb;
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::model::{
    Certainty, Doubt, Doubts, HiddenVia, Pid, PipeId, PossibleHolder, Severity, Side, TaskId, ViewLimit,
};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
A pipe has an end that no fd table shows: a thread would not be blocked on it
otherwise, or the kernel says so to --probe. It may be in flight over a UNIX
socket, registered with an io_uring, held by a process that is exiting, by the
kernel for autofs, or by a process that could not be read.

Warning; notice (info) if that is to be expected, since a process could not be
read. That the end exists is proven; which process holds it may not be.

Harmless if a process that could not be read holds it.

What to do: run lspipe as root, and outside of containers. A descriptor that is
in flight stays open until its receiver receives and closes it, or the socket is
closed.",
    summary: Some(["pipe with an end that no fd table shows", "pipes with an end that no fd table shows"]),
    ..super::OF_WHY
};

/// How the holder may be guessed where fd tables could not be read.
const MOST_LIKELY: &str = "most likely, by session and start time";

/// The possible holders are in the doubts of the finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HiddenEnd {
    /// The pipe.
    pub pipe: PipeId,
    /// The side of the end.
    pub side: Side,
    /// The threads that would not be blocked without it; empty if it is known from `--probe` only.
    pub blocked: Vec<TaskId>,
    /// Whether this is expected: a process could not be read, or is known to hold it.
    pub expected: bool,
}

impl Kind for HiddenEnd {
    fn severity(&self, _: bool) -> Severity {
        if self.expected { Severity::Info } else { Severity::Warning }
    }

    fn certainty(&self, _: bool) -> Certainty {
        Certainty::Proven
    }

    fn identity(&self) -> Identity {
        if self.blocked.is_empty() { Identity::Pipe } else { Identity::Blocked(self.blocked.clone(), None) }
    }

    fn message(&self, phrases: &Phrases<'_>, doubts: &Doubts) -> String {
        let (side, act) = match self.side {
            Side::Read => ("read", "writing to"),
            Side::Write => ("write", "reading"),
        };
        let is = verb(self.blocked.len(), "is", "are");
        let holders = phrases.possible_holders(doubts);
        let holders = holders.map_or_else(String::new, |holders| format!("; it may be held by {holders}"));
        let likely = self.evidence(phrases).pop().map_or_else(String::new, |line| format!("; {}", line.text));
        let holders = holders + &likely;
        let pipe = phrases.pipe(self.pipe);
        match self.blocked.as_slice() {
            [] => format!("{pipe} has a {side} end that no fd table shows{holders}"),
            blocked => format!(
                "{} {is} blocked {act} {pipe}, so the pipe still has a {side} end, but no fd table shows it{holders}",
                phrases.tasks(blocked)
            ),
        }
    }

    /// Of the processes that could not be read, those that are most likely to hold it.
    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let blocked = self.blocked.first().filter(|_| self.expected);
        let likely = blocked.and_then(|task| phrases.likely_holders(task.pid));
        let line = |likely| Evidence { role: Role::Holder, text: format!("{MOST_LIKELY}: {likely}") };
        likely.map(line).into_iter().collect()
    }

    fn advice(&self, phrases: &Phrases<'_>, doubts: &Doubts) -> String {
        let holders =
            doubts.named.iter().filter_map(|doubt| if let Doubt::Holder(holder) = doubt { Some(holder) } else { None });
        let holding = |via: HiddenVia| holders.clone().filter(move |holder| holder.how == via);
        let may_be = |via: HiddenVia| holding(via).next().is_some();
        let receivers: Vec<Pid> = holding(HiddenVia::ScmRights).filter_map(|holder| holder.pid).collect();
        let purpose = if self.blocked.is_empty() { "To close the end" } else { "To unblock" };
        let in_flight = match receivers.as_slice() {
            [] => String::new(),
            _ if doubts.count(HiddenVia::ScmRights.as_str()) > receivers.len() => format!(
                "{purpose}: have the process that it is in flight to receive the descriptor with recvmsg(2) and close it, or close the \
                 socket. "
            ),
            _ => format!(
                "{purpose}: have {} receive the descriptor with recvmsg(2) and close it, or close the socket. ",
                phrases.processes(receivers)
            ),
        };
        let coverage = &phrases.graph.coverage;
        let (unread, outside) = (may_be(HiddenVia::Unreadable), may_be(HiddenVia::Outside));
        let look = if !self.expected {
            "Run with --probe to ask the kernel about this pipe."
        } else if coverage.outside == Some(ViewLimit::Hidepid) || (unread && !coverage.privileged) {
            "Run as root, or outside of the container, to see which process holds it."
        } else if outside {
            "Run outside of the container to see which process holds it."
        } else if unread {
            "The process that could not be read denies access even with full privileges."
        } else {
            "Nothing to do if that is intended."
        };
        format!("{in_flight}{look}")
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    case.hidden_ends.iter().map(|((pipe, side), blocked)| judgement(case, *pipe, *side, blocked.clone())).collect()
}

fn judgement(case: &Case<'_>, pipe: PipeId, side: Side, blocked: Vec<TaskId>) -> Judgement {
    let holders = case.unread.likely_holders(pipe, side);
    let is_expected = |holder: &PossibleHolder| match holder.how {
        HiddenVia::Unreadable | HiddenVia::Outside | HiddenVia::Autofs | HiddenVia::IoUring => true,
        HiddenVia::ScmRights | HiddenVia::Exiting => false,
    };
    // No thread depends on it, and it was not asked for: what is on its way to another process is so for a moment.
    let is_only_counted = blocked.is_empty() && case.graph.unseen(pipe, side).is_some();
    let expected = is_only_counted || holders.named.iter().any(is_expected);
    let tasks = blocked.clone();
    let doubts = Doubts::from(&*holders);
    Judgement {
        doubts,
        ..Judgement::new(Details::HiddenEnd(HiddenEnd { pipe, side, blocked, expected }), tasks, [pipe])
    }
}
