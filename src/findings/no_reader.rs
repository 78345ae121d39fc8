//! `no-reader`: a pipe has writers and no reader.

use serde::{Deserialize, Serialize};

use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, missing_side};
use crate::model::{Doubts, Pid, PipeId, Severity, Side};

pub(super) const ABOUT: About = missing_side::about(
    "\
A pipe has writers and no reader: the next write raises SIGPIPE, or fails with
EPIPE if the writer ignores that signal.

Notice (info). It is proven if --probe asked the kernel, or if every process
could be read and nothing was found that can hold an end without a descriptor,
such as a message in flight over a UNIX socket.

Harmless if the writer will never write again, as with many programs that are
started with a pipe for their output.

What to do: nothing, unless a process should be reading it.",
    ["pipe without a reader", "pipes without a reader"],
);

/// SIGPIPE by its bit in `SigIgn`.
const SIGPIPE: u64 = 1 << 12;

/// The holders of its write ends are the processes of the finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NoReader {
    /// The pipe.
    pub pipe: PipeId,
    /// Whether all of its writers are known to ignore SIGPIPE.
    pub sigpipe_ignored: bool,
}

impl Kind for NoReader {
    fn severity(&self, _: bool) -> Severity {
        Severity::Info
    }

    fn identity(&self) -> Identity {
        Identity::Pipe
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let then = if self.sigpipe_ignored { "fails with EPIPE" } else { "raises SIGPIPE" };
        format!("{} has no reader: the next write {then}", phrases.pipe(self.pipe))
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        missing_side::evidence(phrases, self.pipe)
    }

    fn advice(&self, _: &Phrases<'_>, _: &Doubts) -> String {
        "Nothing to do, unless a process should be reading it.".to_owned()
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let ignores = |pid: Pid| case.groups.get(&pid).is_some_and(|group| group.ignores & SIGPIPE != 0);
    missing_side::find(case, Side::Read, |pipe| {
        Details::NoReader(NoReader { pipe: pipe.id, sigpipe_ignored: pipe.on(Side::Write).all(ignores) })
    })
}
