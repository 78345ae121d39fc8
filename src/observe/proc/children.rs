//! The children that a process waits for by their PIDs: those are of the PID namespace of the process, which may be another than that
//! of the proc.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::beneath::open_listing;
use super::parse;
use super::process::ProcessDir;
use super::root::{ProcRoot, numbers_in};
use crate::model::{Pid, Tid};

/// The children of a process by their PIDs in its own PID namespace, read when a thread first asks.
pub(super) struct ChildPids<'a> {
    process: &'a ProcessDir,
    /// The number of PID namespaces between its own and that of the proc root.
    level: usize,
    by_number: OnceCell<BTreeMap<u32, Pid>>,
}

impl<'a> ChildPids<'a> {
    pub(super) const fn new(process: &'a ProcessDir, level: usize) -> Self {
        Self { process, level, by_number: OnceCell::new() }
    }

    /// The child that has this PID in the namespace of the process. None if it is gone, and where the kernel does not list children
    /// (`CONFIG_PROC_CHILDREN`).
    pub(super) fn resolve(&self, number: Pid, root: &ProcRoot) -> Option<Pid> {
        if self.level == 0 {
            return Some(number);
        }
        self.by_number.get_or_init(|| self.look_up(root)).get(&number.0).copied()
    }

    fn look_up(&self, root: &ProcRoot) -> BTreeMap<u32, Pid> {
        let threads = open_listing(self.process.dir(), c"task").and_then(numbers_in).unwrap_or_default();
        let children = threads.into_iter().flat_map(|tid| children(self.process, Tid(tid)));
        // A child may be in a namespace further down: then it has more PIDs, and the one at this level is meant.
        let number = |child: Pid| {
            let status = root.read(&format!("{child}/status")).ok()?;
            Some((*parse::status(&status).ns_pids.get(self.level)?, child))
        };
        children.filter_map(number).collect()
    }
}

/// The children of a thread in the order in which it got them, by their PIDs in the proc root; empty where the kernel does not list them,
/// and where there are too many.
pub(super) fn children(process: &ProcessDir, tid: Tid) -> Vec<Pid> {
    parse::list(&process.long_text(&format!("task/{tid}/children"))).into_iter().map(Pid).collect()
}
