//! Blocked opens: somebody opens a FIFO, and nobody has its other side. The kernel lets nobody wait there for another reason
//! (`wait_for_partner` in fs/pipe.c), so this is proven.

use super::Case;
use crate::model::{AccessMode, Fault, Finding, Operation, PathName, PipeId, TaskId, TaskState, WaitTarget};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (task, pipe, path, access) in opens(case) {
        let known = findings.iter_mut().find(|finding| pipe.is_some() && finding.pipes.first() == pipe.as_ref());
        if let Some(Finding { fault: Fault::BlockedOpen { openers, .. }, tasks, .. }) = known {
            openers.push((task, access));
            tasks.push(task);
        } else {
            findings.push(Finding {
                fault: Fault::BlockedOpen { pipe, path, openers: vec![(task, access)] },
                tasks: vec![task],
                pipes: pipe.into_iter().collect(),
                doubts: Vec::new(),
            });
        }
    }
    findings
}

type Open = (TaskId, Option<PipeId>, Option<PathName>, AccessMode);

fn opens(case: &Case<'_>) -> Vec<Open> {
    let mut opens = Vec::new();
    for task in case.groups.values().flat_map(|group| &group.tasks) {
        let TaskState::Waits { causes, .. } = &task.doing else { continue };
        for cause in causes {
            if let WaitTarget::Pipe(wait) = cause
                && wait.operation == Operation::Open
            {
                opens.push((task.id, wait.pipe, wait.path.clone(), wait.access));
            }
        }
    }
    opens
}
