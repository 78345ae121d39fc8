//! `deadlock`: threads of several processes wait for each other, and no process outside could end that.

use super::{About, Case, Details, Judgement, Lasts, cycle};
use crate::judge::deadlock::WaitCycle;
use crate::model::Severity;

pub(super) const ABOUT: About = About {
    severities: &[Severity::Error, Severity::Warning],
    explain: "\
Threads of several processes are blocked on pipes, or wait for a child, and
only each other could unblock them: every holder of the ends they wait for is
blocked itself.

Error if it is proven: their system calls show it, and none of them ran between
two scans. Warning if there is a doubt: a process that could not be read may
hold an end, a FIFO may be opened by its path, or a signal handler may act; and
if one of them waits for a lock on a file, of flock(2) or fcntl(2). A reader of
a FIFO that has a path is reported only if the writer does nothing but wait(2)
for that reader, for 10 s.

Never harmless, unless something outside is about to send a signal.

What to do: kill one of them. To prevent it, read and write at the same time,
with poll(2) or a thread, and close unused ends right after fork(2).",
    lasts: Lasts::Unchanged,
    ..super::OF_WHY
};

/// Only a signal, or a new process, can unblock them.
pub(crate) use crate::judge::deadlock::WaitCycle as Deadlock;

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let is_of_several = |waits: &WaitCycle| !waits.is_in_one_process();
    cycle::find(case, is_of_several, Details::Deadlock)
}
