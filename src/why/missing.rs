//! Ends that are not there, and ends that must be there although no fd table shows them.

use std::collections::BTreeSet;

use super::Case;
use crate::model::{
    AlternativeWake, Attribution, Doubt, Fault, Finding, HiddenVia, Operation, PipeId, PipeWait, PossibleHolder, Side,
    Subject, TaskId, TaskState, Wait,
};

/// Of those who may be on an empty side so many are told, since they may be on that of each such pipe of the machine.
const MOST_DOUBTS: usize = 4;

pub(super) fn find(case: &Case<'_>, waits: &[Wait]) -> Vec<Finding> {
    let mut findings = hidden(case, waits);
    let hidden: BTreeSet<PipeId> = findings.iter().flat_map(|finding| finding.pipes.iter().copied()).collect();
    for pipe in case.graph.pipes.iter().filter(|pipe| !hidden.contains(&pipe.id) && !pipe.ends.is_empty()) {
        findings.extend(Side::BOTH.into_iter().filter(|side| case.graph.lacks(pipe, *side)).map(|side| Finding {
            fault: Fault::Missing { pipe: pipe.id, side },
            tasks: Vec::new(),
            pipes: vec![pipe.id],
            doubts: case.doubts(pipe.id, side).into_iter().take(MOST_DOUBTS).collect(),
        }));
    }
    findings
}

/// Threads that wait for somebody on the other side, where no table shows anybody: with nobody there, read(2) would have told of the
/// end of file, and write(2) of a broken pipe (`anon_pipe_read` and `anon_pipe_write` in fs/pipe.c).
fn hidden(case: &Case<'_>, waits: &[Wait]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for wait in waits.iter().filter(|wait| wait.certainty == Attribution::Seen && wait.wakers.is_empty()) {
        let Subject::Pipe(PipeWait { operation: Operation::Read | Operation::Write, pipe: Some(pipe), access, .. }) =
            wait.subject
        else {
            continue;
        };
        // Who waits for the lock may find out yet.
        if is_locked_out(case, wait.task) {
            continue;
        }
        let side = if access.is_on(Side::Read) { Side::Write } else { Side::Read };
        let known = findings.iter_mut().find(|finding| matches!(&finding.fault, Fault::HiddenEnd { pipe: other, side: of, .. } if (*other, *of) == (pipe, side)));
        if let Some(known) = known {
            known.tasks.push(wait.task);
            continue;
        }
        findings.push(hidden_end(case, pipe, side, vec![wait.task]));
    }
    for pipe in &case.graph.pipes {
        for side in Side::BOTH {
            let is_told = |finding: &Finding| matches!(finding.fault, Fault::HiddenEnd { pipe: other, side: of, .. } if (other, of) == (pipe.id, side));
            if case.graph.hides(pipe, side) == Some(true) && !findings.iter().any(is_told) {
                findings.push(hidden_end(case, pipe.id, side, Vec::new()));
            }
        }
    }
    findings
}

/// Who is known to hold the end is meant; else everybody of whom it is not known what they hold.
fn hidden_end(case: &Case<'_>, pipe: PipeId, side: Side, tasks: Vec<TaskId>) -> Finding {
    let mut suspects = case.graph.unlisted(pipe, side);
    if suspects.is_empty() {
        suspects = case.graph.may_hold(pipe, side);
    }
    let is_usual = |suspect: &PossibleHolder| {
        matches!(suspect.how, HiddenVia::Unreadable | HiddenVia::Outside | HiddenVia::Autofs | HiddenVia::IoUring)
    };
    let usual = suspects.iter().any(is_usual);
    let doubts = suspects.into_iter().map(Doubt::Holder).collect();
    Finding { fault: Fault::HiddenEnd { pipe, side, usual }, tasks, pipes: vec![pipe], doubts }
}

fn is_locked_out(case: &Case<'_>, task: TaskId) -> bool {
    let doing = case.groups.get(&task.pid).and_then(|group| group.task(task)).map(|task| &task.doing);
    matches!(doing, Some(TaskState::Waits { besides: Some(AlternativeWake::Lock), .. }))
}
