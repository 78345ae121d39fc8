//! Where the ends of a scan come from: a walk of /proc, or the kernel's own list. Owns the choice, which is made once in a run.

use std::fmt;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::kernel::{Address, EndRecord, Kernel, Pass, Unavailable};
use super::proc::{self, Error, NoKernelView};
use crate::model::{Backend, CostLimits, PipeId};
use crate::privilege::may_load_tracing_programs;

/// The kernel's own list, for all scans of a run.
pub(crate) struct KernelView {
    kernel: Kernel,
    /// Whether it was asked for by name, so that /proc does not stand in for it.
    is_required: bool,
    has_failed: AtomicBool,
    named: Vec<(OwnedFd, PipeId)>,
}

impl KernelView {
    pub(crate) const fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The FIFO of a descriptor that is one of ours: see [`Choice::hold`].
    pub(crate) fn named(&self, end: &EndRecord) -> Option<PipeId> {
        if end.pid.0 != std::process::id() {
            return None;
        }
        let is_it = |(file, _): &&(OwnedFd, PipeId)| file.as_raw_fd().cast_unsigned() == end.fd.0;
        self.named.iter().find(is_it).map(|(_, pipe)| *pipe)
    }

    /// The FIFOs of all descriptors of ours, by what identifies their pipes in a pass.
    pub(crate) fn named_in(&self, pass: &Pass) -> Vec<(Address, PipeId)> {
        let named = pass.ends.iter().filter(|_| !self.named.is_empty());
        named.filter_map(|end| Some((end.pipe?.address, self.named(end)?))).collect()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Leaves it to /proc from now on.
    ///
    /// # Errors
    ///
    /// What was passed, if that is no choice.
    pub(crate) fn fail(&self, why: NoKernelView) -> Result<(), NoKernelView> {
        self.has_failed.store(true, Ordering::Relaxed);
        if self.is_required { Err(why) } else { Ok(()) }
    }
}

impl fmt::Debug for KernelView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelView").field("has_failed", &self.has_failed).finish_non_exhaustive()
    }
}

/// How many FIFOs are kept open, at most: more than anybody types, and few beside the files that a process may have open.
const MOST_NAMED: usize = 64;

/// The choice of a run.
#[derive(Debug)]
pub(super) struct Choice {
    /// What was asked for; none for the kernel's own list where that is to be had.
    wanted: Option<Backend>,
    named: Vec<(OwnedFd, PipeId)>,
    /// What came of it, after the first scan.
    made: Option<Option<Arc<KernelView>>>,
}

impl Choice {
    pub(super) const fn new(wanted: Option<Backend>) -> Self {
        Self { wanted, named: Vec::new(), made: None }
    }

    /// Keeps a FIFO open that is named on the command line, with `O_PATH`. A process that is blocked in opening it has no descriptor, so that
    /// nothing else shows its pipe to the kernel's iterators; see `fifo_open` in fs/pipe.c.
    pub(super) fn hold(&mut self, fifo: OwnedFd, pipe: PipeId) {
        let is_useful = self.wanted != Some(Backend::Proc) && may_load_tracing_programs();
        if is_useful && self.named.len() < MOST_NAMED {
            self.named.push((fifo, pipe));
        }
    }

    /// The kernel's list, if that is to be used; loads its programs when first called. A list takes no more than these limits.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, if it was asked for by name.
    pub(super) fn kernel(&mut self, proc_root: &Path, limits: CostLimits) -> Result<Option<Arc<KernelView>>, Error> {
        if let Some(made) = &self.made {
            return Ok(made.clone());
        }
        let is_required = self.wanted == Some(Backend::Bpf);
        let opened = if self.wanted == Some(Backend::Proc) { None } else { Some(open(proc_root, limits)?) };
        let named = std::mem::take(&mut self.named);
        let made = match opened {
            Some(Ok(kernel)) => {
                Some(Arc::new(KernelView { kernel, is_required, has_failed: AtomicBool::new(false), named }))
            }
            Some(Err(why)) if is_required => return Err(why.into()),
            Some(Err(_)) | None => None,
        };
        self.made = Some(made.clone());
        Ok(made)
    }
}

/// Loads the programs. What costs least is asked first.
fn open(proc_root: &Path, limits: CostLimits) -> Result<Result<Kernel, NoKernelView>, Error> {
    if !may_load_tracing_programs() {
        return Ok(Err(NoKernelView::Privileges));
    }
    if !proc::may_open_more_files() {
        return Ok(Err(NoKernelView::TooFewFiles));
    }
    let Some(initial_pids) = proc::own_pids_are_initial(proc_root)? else {
        return Ok(Err(NoKernelView::OtherPids(proc_root.to_owned())));
    };
    let room = usize::try_from(limits.bytes).unwrap_or(usize::MAX);
    let opened = Kernel::open(initial_pids).map(|kernel| kernel.within(room));
    Ok(opened.map_err(|why: Unavailable| NoKernelView::Refused(why.to_string())))
}
