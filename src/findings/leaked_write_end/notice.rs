//! Whether a leak is a warning or only a notice: by its holders, and by how long nothing has been written.

use super::sides::Sides;
use super::{LeakedEnd, NoticeReason, is_stranger};
use crate::findings::Case;
use crate::judge::lineage::Relation;
use crate::judge::prospect::{IdleTimes, is_long};
use crate::model::{Pid, Task, TaskState};

/// Programs that copy what others write into a log for as long as those run.
const LOG_READERS: [&[u8]; 10] = [
    b"cronolog",
    b"httplog",
    b"logger",
    b"multilog",
    b"rotatelogs",
    b"s6-log",
    b"socklog",
    b"svlogd",
    b"systemd-cat",
    b"tinylog",
];

/// The threads that wait for EOF.
pub(super) struct Readers<'a> {
    pub(super) tasks: Vec<&'a Task>,
    /// Whether no thread of a process has run for long.
    pub(super) is_still: &'a dyn Fn(Pid) -> bool,
    /// Whether it is known for how long threads have not run.
    pub(super) idle_times: IdleTimes,
    /// Whether each waits for something else as well, or with a timeout.
    pub(super) may_resume: bool,
    /// Whether they ran between the looks.
    pub(super) ran: bool,
}

/// What is said of a leak.
pub(super) enum Verdict {
    Warning,
    Notice(NoticeReason),
}

impl Verdict {
    pub(super) const fn reason(self) -> Option<NoticeReason> {
        match self {
            Self::Warning => None,
            Self::Notice(reason) => Some(reason),
        }
    }
}

/// None if nothing is to be said: the readers ran, and may have been written to.
pub(super) fn notice(
    case: &Case<'_>,
    readers: &Readers<'_>,
    sides: &Sides<'_>,
    holders: &[LeakedEnd],
) -> Option<Verdict> {
    let is_other = |end: &&LeakedEnd| end.relation != Relation::ReaderItself;
    let others = || holders.iter().filter(is_other);
    let are_still = || others().all(|end| (readers.is_still)(end.end.pid));
    if readers.ran && !are_still() {
        return None;
    }
    let lineage = case.lineage();
    let was_left_behind = |end: &LeakedEnd| {
        is_stranger(end) && sides.readers.iter().all(|(reader, _)| lineage.was_left_behind(*reader, end.end.pid))
    };
    let is_logger = |pid: &Pid| case.processes.name(*pid).is_some_and(|name| LOG_READERS.contains(&&name[..]));
    // A program cannot write to what it does not know of.
    let may_write = || others().any(is_stranger);
    let is_idle = |task: &&Task| readers.idle_times.may_be_long(task.idle);
    Some(if readers.may_resume && !others().all(was_left_behind) {
        Verdict::Notice(NoticeReason::MayResume)
    } else if sides.reading.iter().all(is_logger) {
        Verdict::Notice(NoticeReason::LogReader)
    } else if sides.readers.iter().all(|(reader, given)| lineage.may_be_abandoned(*reader, *given)) {
        Verdict::Notice(NoticeReason::Abandoned)
    } else if others().any(|end| end.relation == Relation::Forked) {
        Verdict::Notice(NoticeReason::Forked)
    } else if may_write() && !readers.tasks.iter().all(is_idle) && !are_still() {
        Verdict::Notice(NoticeReason::Recent)
    } else {
        Verdict::Warning
    })
}

/// Whether no thread of a process has run for long, so that it has not written either.
pub(super) fn is_still(case: &Case<'_>, pid: Pid) -> bool {
    let is_still = |task: &Task| !matches!(task.doing, TaskState::Runs | TaskState::Unknown) && is_long(task.idle);
    case.groups.get(&pid).is_some_and(|group| !group.tasks.is_empty() && group.tasks.iter().all(is_still))
}
