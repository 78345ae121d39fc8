//! A process of one thread that has not run since an earlier look: what it does is what that look saw, and need not be found out again. Only
//! what shows whether it has run is read.
//!
//! Nothing is concluded of a process with several threads: one may change what the descriptors and the memory of another mean.

use super::children::children;
use super::parse::Stat;
use super::process::ProcessDir;
use super::root::PF_EXITING;
use super::scanner::Context;
use super::sched::sched;
use super::{parse, task};
use crate::model::{Operation, Pid, Task, TaskState, ThreadGroup, Tid};

/// The process as an earlier look saw it; none if it must be looked at.
pub(super) fn unmoved(process: &ProcessDir, stat: &Stat, context: &Context<'_>) -> Option<ThreadGroup> {
    let before = context.scanner.earlier.get(&process.pid)?;
    let [known] = before.tasks.as_slice() else { return None };
    let is_asleep = stat.state == Some('S') && stat.flags? & PF_EXITING == 0;
    let is_same = known.id.is_leader()
        && stat.start_time.is_some()
        && stat.start_time == known.trace.started
        && task::count(context.scanner, process) == Some(1);
    if !is_asleep || !is_same || !is_lasting(&known.doing) {
        return None;
    }
    let is_equal = |name: &str, text: &[u8]| process.text(name) == text;
    if !is_equal("syscall", &known.trace.syscall) || !is_equal("wchan", &known.trace.wchan) {
        return None;
    }
    // Last, so that it covers what was read before.
    let sched = sched(&process.text("sched"));
    let switches = sched.switches.or_else(|| parse::status(&process.text("status")).switches);
    if switches.is_none() || switches != known.trace.switches {
        return None;
    }
    let idle = sched.last_run.and_then(|last_run| context.scanner.clock().idle(last_run, stat.processor));
    Some(ThreadGroup {
        parent: stat.ppid.map(Pid),
        pgid: stat.pgid,
        sid: stat.sid,
        adopts: before.adopts.is_some().then(|| children(process, Tid(process.pid.0))),
        tasks: vec![Task { idle, ..known.clone() }],
        ..before.clone()
    })
}

/// Whether that does not depend on what else happens: the FIFO that an open(2) waits for is found by its path.
fn is_lasting(doing: &TaskState) -> bool {
    match doing {
        TaskState::Waits { .. } => doing.pipe_waits().all(|wait| wait.operation != Operation::Open),
        TaskState::Sleeps { .. } => true,
        _ => false,
    }
}
