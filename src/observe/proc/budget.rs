//! What the looks of one run may still cost: time, bytes, and calls that do not return. Shared by all workers and all looks.
//!
//! Knows nothing of what is looked at. What no longer fits becomes a gap, with an errno of its own: see [`Gap`](crate::model::Gap).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::io::Errno;

use super::heartbeat::ScanStep;
use super::hung::HungCalls;
use crate::model::{CostLimits, Pid};

/// The budget of a run.
pub(crate) struct Budget {
    limits: CostLimits,
    /// When the look began.
    begun: Mutex<Instant>,
    /// Whether the time was seen to be used up: then the clock need not be read again.
    is_over: AtomicBool,
    bytes: AtomicU64,
    /// The processes of whose threads not all is kept, for want of room.
    not_kept: Mutex<BTreeSet<Pid>>,
    /// The calls that did not return.
    pub(super) hung: HungCalls,
}

impl Budget {
    pub(crate) fn new(limits: CostLimits) -> Self {
        Self {
            limits,
            begun: Mutex::new(Instant::now()),
            is_over: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            not_kept: Mutex::default(),
            hung: HungCalls::default(),
        }
    }

    pub(crate) const fn limits(&self) -> CostLimits {
        self.limits
    }

    /// Begins a look: time and bytes count anew. Calls that hang go on doing so, and are not forgotten.
    pub(crate) fn begin(&self) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.is_over.store(false, Ordering::Relaxed);
        self.not_kept().clear();
        self.begin_part();
        self.hung.forget_if_all_returned();
    }

    /// Begins a part of a look, the ends or the threads: what an earlier part kept is not kept twice.
    pub(super) fn begin_part(&self) {
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// The processes of whose threads not all is kept.
    pub(crate) fn not_kept(&self) -> MutexGuard<'_, BTreeSet<Pid>> {
        self.not_kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Charges what a look at a thread found, and remembers its process where there is no room.
    pub(super) fn charge_thread(&self, pid: Pid, bytes: usize) -> bool {
        let fits = self.charge(bytes);
        if !fits {
            self.not_kept().insert(pid);
        }
        fits
    }

    /// Whether the time is used up.
    pub(crate) fn is_over(&self) -> bool {
        if self.is_over.load(Ordering::Relaxed) {
            return true;
        }
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = begun.elapsed() >= self.limits.time;
        self.is_over.fetch_or(is_over, Ordering::Relaxed);
        is_over
    }

    /// Charges bytes that are about to be kept, or were: false if there is no room for them. What is refused must not be kept, and becomes
    /// a gap with `ENOMEM`.
    pub(super) fn charge(&self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let fits = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limits.bytes);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    /// Why nothing more is looked at, if that is so: `ETIME` if the time is used up, `ECANCELED` if too many calls did not return.
    pub(super) fn is_used_up(&self) -> Option<Errno> {
        if self.hung.is_hopeless() {
            return Some(Errno::CANCELED);
        }
        self.is_over().then_some(Errno::TIME)
    }

    /// Whether a step is left out, since too many calls did not return or there is no time for it.
    pub(super) fn refuses(&self, step: ScanStep) -> bool {
        match step {
            ScanStep::Path(_) | ScanStep::Directories(..) => self.hung.is_exhausted() || self.is_over(),
            // The many threads of one process are one job.
            ScanStep::Task(_) => self.is_over(),
            _ => false,
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Tid;

    #[test]
    fn bytes_are_charged_until_one_look_has_used_them_up() {
        let budget = Budget::new(CostLimits { bytes: 10, ..CostLimits::default() });
        assert_eq!(
            [4, 7, 6, 1, usize::MAX, 0].map(|bytes| budget.charge(bytes)),
            [true, false, true, false, false, true]
        );
        budget.begin();
        assert!(budget.charge(10));
    }

    #[test]
    fn time_that_is_used_up_leaves_out_what_follows() {
        let budget = Budget::new(CostLimits { time: Duration::ZERO, ..CostLimits::default() });
        assert!(budget.is_over());
        assert_eq!(budget.is_used_up(), Some(Errno::TIME));
        assert!(budget.refuses(ScanStep::Task(Tid(1))) && budget.refuses(ScanStep::Path(Tid(1))));
        let budget = Budget::new(CostLimits::default());
        assert_eq!((budget.is_used_up(), budget.refuses(ScanStep::Task(Tid(1)))), (None, false));
    }
}
