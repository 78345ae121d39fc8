//! `self-deadlock`: the threads of one process wait for each other, or a thread for itself.

use super::{About, Case, Details, Judgement, cycle};
use crate::judge::deadlock::WaitCycle;

pub(super) const ABOUT: About = About {
    explain: "\
The threads of one process wait for each other, or one for itself: the process
reads a pipe of which it holds the only write end, or writes to a full pipe that
only it reads, or waits for a lock that it inherited by fork(2) and that none of
its threads holds.

Error if it is proven, warning if there is a doubt, as for deadlock. A process
that catches signals and polls a pipe of its own is reported after 10 s, and not
if the write end is O_NONBLOCK: a signal handler writes to such a pipe.

Never harmless.

What to do: kill it. To prevent it, close the other end of the pipe right after
fork(2), or before a thread is waited for that reads up to EOF. Do not write
more than fits into a pipe before reading it, and do not fork(2) while another
thread holds a lock.",
    ..super::deadlock::ABOUT
};

/// Only a signal, or a new process, can unblock it.
pub(crate) use crate::judge::deadlock::WaitCycle as SelfDeadlock;

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    cycle::find(case, WaitCycle::is_in_one_process, Details::SelfDeadlock)
}
