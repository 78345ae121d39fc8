//! `no-writer`: a pipe has readers and no writer.

use serde::{Deserialize, Serialize};

use super::missing_side::Severed;
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, missing_side};
use crate::judge::side::SideState;
use crate::model::{Doubts, PipeId, Severity, Side};

pub(super) const ABOUT: About = missing_side::about(
    &[Severity::Info],
    "\
A pipe has readers and no writer: once it is empty, a read returns EOF.

Notice (info). It is proven if --probe asked the kernel, or if every process
could be read and nothing was found that can hold an end without a descriptor,
such as a message in flight over a UNIX socket.

Harmless if the reader has not read yet, or never will. If it is the stdin of a
process that also has an output without a reader, `no-reader` reports both.

What to do: nothing, unless a process should be writing to it.",
    ["pipe without a writer", "pipes without a writer"],
);

/// The holders of its read ends are the processes of the finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NoWriter {
    /// The pipe.
    pub pipe: PipeId,
}

impl Kind for NoWriter {
    fn severity(&self, _: bool) -> Severity {
        Severity::Info
    }

    fn identity(&self) -> Identity {
        Identity::Pipe
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        format!("{} has no writer: once it is empty, a read returns EOF", phrases.pipe(self.pipe))
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        missing_side::evidence(phrases, self.pipe)
    }

    fn advice(&self, _: &Phrases<'_>, _: &Doubts) -> String {
        "Nothing to do, unless a process should be writing to it.".to_owned()
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let severed = Severed::of(case);
    case.each_pipe(|case, pipe| {
        let is_missing = missing_side::state(case, pipe, Side::Write)? == SideState::None;
        (is_missing && !severed.covers(pipe.id)).then(|| {
            let (tasks, doubts) = (case.leaders(pipe.on(Side::Read)), case.doubts(pipe.id, Side::Write));
            Judgement { doubts, ..Judgement::new(Details::NoWriter(NoWriter { pipe: pipe.id }), tasks, [pipe.id]) }
        })
    })
}
