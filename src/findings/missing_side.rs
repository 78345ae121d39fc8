//! Shared by `no-reader` and `no-writer`: a side of a pipe that certainly has no process, and processes of which all standard pipes have lost
//! the other side.

use std::collections::{BTreeMap, BTreeSet};

use super::{About, Case, Evidence, Lasts, Phrases};
use crate::judge::side::{self, SideState};
use crate::model::{Endpoint, Pid, Pipe, PipeId, Severity, Side};

pub(super) const fn about(severities: &'static [Severity], explain: &'static str, summary: [&'static str; 2]) -> About {
    About { severities, explain, summary: Some(summary), may_pass: false, lasts: Lasts::Unchanged, ..super::OF_WHY }
}

/// What is on a side of a pipe, where it may be reported. Pipes with a hidden end are reported as `hidden-end`, and a socket or terminal
/// without its peer is no channel.
pub(super) fn state(case: &Case<'_>, pipe: &Pipe, missing: Side) -> Option<SideState> {
    let is_hidden = Side::BOTH.iter().any(|side| case.hidden_ends.contains_key(&(pipe.id, *side)));
    let is_reported = !is_hidden && !pipe.ends.is_empty() && pipe.id.kind().is_pipe();
    is_reported.then(|| side::state(case.graph, pipe, missing))
}

/// The standard pipes of processes that lost both sides, as of a server that outlived its client: by the first of their outputs.
pub(super) struct Severed {
    /// Of each first output, the standard input and the other outputs.
    by_output: BTreeMap<PipeId, (PipeId, Vec<PipeId>)>,
    inputs: BTreeSet<PipeId>,
    outputs: BTreeSet<PipeId>,
}

impl Severed {
    /// The processes that use these pipes must be the same.
    pub(super) fn of(case: &Case<'_>) -> Self {
        let [inputs, outputs] = [Side::Write, Side::Read].map(|missing| {
            let mut pipes: BTreeMap<BTreeSet<Pid>, Vec<PipeId>> = BTreeMap::new();
            for pipe in &case.graph.pipes {
                if let Some(users) = standard_users(case, pipe, missing) {
                    pipes.entry(users).or_default().push(pipe.id);
                }
            }
            pipes
        });
        let mut severed = Self { by_output: BTreeMap::new(), inputs: BTreeSet::new(), outputs: BTreeSet::new() };
        for (users, inputs) in inputs {
            if let ([input], Some([first, others @ ..])) = (&inputs[..], outputs.get(&users).map(Vec::as_slice)) {
                severed.by_output.insert(*first, (*input, others.to_vec()));
                severed.inputs.insert(*input);
                severed.outputs.extend(others);
            }
        }
        severed
    }

    /// The standard input and the other outputs of the processes of which this is the first output.
    pub(super) fn beside(&self, output: PipeId) -> Option<(PipeId, Vec<PipeId>)> {
        self.by_output.get(&output).cloned()
    }

    /// Whether the finding of another pipe reports it.
    pub(super) fn covers(&self, pipe: PipeId) -> bool {
        self.inputs.contains(&pipe) || self.outputs.contains(&pipe)
    }
}

/// The processes that use the only side of a pipe, if it is their standard input or an output.
fn standard_users(case: &Case<'_>, pipe: &Pipe, missing: Side) -> Option<BTreeSet<Pid>> {
    let side = missing.other();
    // Before the users are found, of which there may be many.
    let is_standard = |end: &&Endpoint| match side {
        Side::Read => end.fd.0 == 0,
        Side::Write => matches!(end.fd.0, 1 | 2),
    };
    pipe.side(side).any(|end| is_standard(&end)).then_some(())?;
    state(case, pipe, missing).filter(|state| *state == SideState::None)?;
    let users = case.users_of(pipe, side);
    let standard: BTreeSet<Pid> = pipe.side(side).filter(is_standard).map(|end| end.pid).collect();
    (!users.is_empty() && users.is_subset(&standard)).then_some(users)
}

/// The holders of the other side.
pub(super) fn evidence(phrases: &Phrases<'_>, pipe: PipeId) -> Vec<Evidence> {
    phrases.holders(pipe, |_| None)
}
