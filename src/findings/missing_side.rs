//! Shared by `no-reader` and `no-writer`: a side of a pipe that certainly has no process.

use super::{About, Case, Details, Evidence, Judgement, Lasts, Phrases};
use crate::judge::side::{self, SideState};
use crate::model::{Pipe, PipeId, Severity, Side};

pub(super) const fn about(explain: &'static str, summary: [&'static str; 2]) -> About {
    About {
        severities: &[Severity::Info],
        explain,
        summary: Some(summary),
        may_pass: false,
        lasts: Lasts::Unchanged,
        ..super::OF_WHY
    }
}

/// The pipes that have no process on that side. Those with a hidden end are reported as `hidden-end`.
pub(super) fn find(case: &Case<'_>, missing: Side, details: impl Fn(&Pipe) -> Details) -> Vec<Judgement> {
    case.each_pipe(|case, pipe| {
        let is_hidden = Side::BOTH.iter().any(|side| case.hidden_ends.contains_key(&(pipe.id, *side)));
        if is_hidden || pipe.ends.is_empty() || side::state(case.graph, pipe, missing) != SideState::None {
            return None;
        }
        let tasks = case.leaders(pipe.on(missing.other()));
        let doubts = case.doubts(pipe.id, missing);
        Some(Judgement { doubts, ..Judgement::new(details(pipe), tasks, [pipe.id]) })
    })
}

/// The holders of the other side.
pub(super) fn evidence(phrases: &Phrases<'_>, pipe: PipeId) -> Vec<Evidence> {
    phrases.holders(pipe, |_| None)
}
