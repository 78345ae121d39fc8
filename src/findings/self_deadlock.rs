//! `self-deadlock`: the threads of one process wait for each other, or a thread for itself.

use super::{About, Case, Details, Judgement, cycle};
use crate::judge::deadlock::WaitCycle;

pub(super) const ABOUT: About = About {
    explain: "\
The threads of one process wait for each other, or one for itself: the process
reads a pipe of which it holds the only write end, or writes to a full pipe that
only it reads.

Error if it is proven, warning if there is a doubt, as for deadlock.

Never harmless.

What to do: kill it. To prevent it, close the other end of the pipe right after
fork(2), and do not write more than fits into a pipe before reading it.",
    ..super::deadlock::ABOUT
};

/// Only a signal, or a new process, can unblock it.
pub(crate) use crate::judge::deadlock::WaitCycle as SelfDeadlock;

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    cycle::find(case, WaitCycle::is_in_one_process, Details::SelfDeadlock)
}
