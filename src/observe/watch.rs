//! A longer look at processes that may be at work on what they have read. Judges nothing.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::proc::{Beforehand, Usages};
use super::settle::add_activity;
use super::{Depth, Error, Observer, PAUSE};
use crate::model::{Pid, ThreadGroup, Threads};

/// How long a process that may be slow is watched.
const WATCH: Duration = Duration::from_secs(3);

impl Observer {
    /// Waits until each of these processes that wakes now and then has written something, for up to [`WATCH`].
    pub(super) fn watch(
        &mut self,
        threads: &mut Threads,
        mut pids: BTreeSet<Pid>,
        first: &Usages,
        depth: &Depth,
    ) -> Result<(), Error> {
        // In the time for which they are watched, as it seems.
        let wakes = |group: &ThreadGroup| group.tasks.iter().any(|task| task.idle.is_none_or(|idle| idle < WATCH));
        let has_written = |group: &ThreadGroup| group.activity.is_none_or(|did| did.written != Some(0));
        let end = Instant::now() + WATCH;
        loop {
            pids.retain(|pid| threads.get(pid).is_some_and(|group| wakes(group) && !has_written(group)));
            if pids.is_empty() || Instant::now() >= end || self.budget.is_over() {
                return Ok(());
            }
            thread::sleep(PAUSE);
            let again: Vec<Pid> = pids.iter().copied().collect();
            let (_, usages) = self.threads(Some(&again), depth, Beforehand::default())?;
            add_activity(threads, first, &usages);
        }
    }
}
