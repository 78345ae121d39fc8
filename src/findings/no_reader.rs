//! `no-reader`: a pipe has writers and no reader.

mod leftover;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::leftover::{Leftover, Leftovers};
use super::missing_side::Severed;
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role, all_on, missing_side};
use crate::judge::side::SideState;
use crate::model::{Doubts, Pid, Pipe, PipeId, Severity, Side};

pub(super) const ABOUT: About = missing_side::about(
    &[Severity::Warning, Severity::Info],
    "\
A pipe has writers and no reader: the next write raises SIGPIPE, or fails with
EPIPE if the writer ignores that signal.

Notice (info). Warning if a process does nothing but wait for a job of which the
writer is left over, as in `tail -f log | mawk 1 | grep -m1 x`: such a writer
notices only when it writes. The waiting process does not hold the pipe itself,
and the writer
- has waited for data of another pipe for 10 s, as a filter does,
- has waited for events of files (inotify) for 10 s, as a program that follows
  a file does, or
- does not end by SIGPIPE, since it ignores or catches that signal, was started
  10 s ago or earlier, and still wakes now and then, using little of the CPU.
A writer that sleeps, calculates or waits for a network is not left over: it may
be at work, and never write.

It is proven if --probe asked the kernel, or if every process could be read and
nothing was found that can hold an end without a descriptor, such as a message
in flight over a UNIX socket. A writer that is left over is also reported, as
suspected, if processes could not be read that are not related to it.

A process whose stdin has no writer and whose output has no reader is one
finding: a server, such as a language server, that outlived its client.

Harmless if the writer will never write again, as with many programs that are
started with a pipe for their output.

What to do: end a writer that is left over. Otherwise nothing, unless a process
should be reading it.",
    ["pipe without a reader", "pipes without a reader"],
);

/// SIGPIPE by its bit in `SigIgn` and `SigCgt`.
const SIGPIPE: u64 = 1 << 12;

/// The holders of its write ends are the processes of the finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NoReader {
    /// The pipe.
    pub pipe: PipeId,
    /// Whether all of its writers are known to ignore SIGPIPE.
    pub sigpipe_ignored: bool,
    /// The writer for which another process waits although no process reads from it; missing if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leftover: Option<Leftover>,
    /// The pipe without a writer that the same processes have as stdin; missing if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<PipeId>,
    /// If there is, their other outputs without a reader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_outputs: Vec<PipeId>,
}

impl NoReader {
    fn pipes(&self) -> impl Iterator<Item = PipeId> {
        [self.pipe].into_iter().chain(self.other_outputs.iter().copied()).chain(self.stdin)
    }

    /// `pipe:[7] has no reader: the next write raises SIGPIPE`.
    fn next_write(&self, phrases: &Phrases<'_>) -> String {
        let then = if self.sigpipe_ignored { "fails with EPIPE" } else { "raises SIGPIPE" };
        format!("{} has no reader: the next write {then}", phrases.pipe(self.pipe))
    }
}

impl Kind for NoReader {
    fn severity(&self, _: bool) -> Severity {
        if self.leftover.is_some() { Severity::Warning } else { Severity::Info }
    }

    fn identity(&self) -> Identity {
        Identity::Pipe
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        if let Some(leftover) = &self.leftover {
            let [writer, waiter] = [leftover.writer, leftover.waiter].map(|pid| phrases.process(pid, None));
            let pipe = phrases.pipe(self.pipe);
            return format!(
                "{writer} is left over, and {waiter} waits for it: {pipe}, to which it writes, has no reader"
            );
        }
        let Some(stdin) = self.stdin else { return self.next_write(phrases) };
        let holders = phrases.graph.pipe(stdin).into_iter().flat_map(|pipe| pipe.on(Side::Read));
        let (processes, stdin) = (phrases.processes(holders), phrases.pipe(stdin));
        format!(
            "{processes} outlived the process on the other side: stdin, {stdin}, has no writer, and {}",
            self.next_write(phrases)
        )
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let mut evidence: Vec<Evidence> = self.pipes().flat_map(|pipe| missing_side::evidence(phrases, pipe)).collect();
        if let Some(leftover) = &self.leftover {
            let line = |pid| format!("{} {}", phrases.process(pid, None), phrases.process_doing(pid));
            let lines = [leftover.waiter, leftover.writer].map(|pid| Evidence { role: Role::Waits, text: line(pid) });
            evidence.splice(0..0, lines);
        }
        evidence
    }

    fn advice(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        if let Some(leftover) = &self.leftover {
            let end = phrases.end_all(&[leftover.writer]);
            return format!(
                "To unblock: {end}. To prevent: have the writer end when its output has no reader (POLLERR of poll(2)), or end the first \
                 program of the pipeline once the last has exited."
            );
        }
        if self.stdin.is_some() {
            return "Nothing to do if it ends at EOF of its stdin; otherwise end it.".to_owned();
        }
        "Nothing to do, unless a process should be reading it.".to_owned()
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let (severed, leftovers) = (Severed::of(case), Leftovers::new(case));
    let ignores = |pid: Pid| case.groups.get(&pid).is_some_and(|group| group.ignores & SIGPIPE != 0);
    case.each_pipe(|case, pipe| {
        let state = missing_side::state(case, pipe, Side::Read)?;
        let leftover = match state {
            SideState::None => leftovers.of(pipe),
            // It takes more to claim it of a pipe of which not all can be known.
            SideState::Unknown => Some(leftovers.of(pipe).filter(|it| it.is_made_here(case, pipe))?),
            SideState::Seen | SideState::Hidden => return None,
        };
        let beside = if leftover.is_some() { None } else { severed.beside(pipe.id) };
        if leftover.is_none() && severed.covers(pipe.id) {
            return None;
        }
        let (stdin, other_outputs) = beside.map_or((None, Vec::new()), |(stdin, others)| (Some(stdin), others));
        let sigpipe_ignored = pipe.on(Side::Write).all(ignores);
        let details = NoReader { pipe: pipe.id, sigpipe_ignored, leftover, stdin, other_outputs };
        Some(judgement(case, pipe, details))
    })
}

fn judgement(case: &Case<'_>, pipe: &Pipe, details: NoReader) -> Judgement {
    let mut pipes: Vec<PipeId> = details.pipes().collect();
    pipes.sort_unstable();
    let others = pipes.iter().filter(|id| **id != pipe.id).filter_map(|id| case.graph.pipe(*id));
    let holders: BTreeSet<Pid> = pipe.on(Side::Write).chain(others.flat_map(all_on)).collect();
    let waiter = details.leftover.as_ref().map(|leftover| leftover.waiter);
    // The one that is blocked comes first.
    let tasks = case.leaders(waiter).into_iter().chain(case.leaders(holders)).collect();
    let doubts = case.doubts(pipe.id, Side::Read);
    Judgement { doubts, ..Judgement::new(Details::NoReader(details), tasks, pipes) }
}
