//! The children that a process waits for by their numbers: those are of the PID namespace of who waits, which may be another than that of
//! the proc that we look at.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::parse;
use super::process::ProcessDir;
use super::root::{ProcRoot, numbers_in, open_listing};
use crate::model::{Pid, Tid};

/// The children of a process, looked up when the first of its threads asks.
pub(super) struct Family<'a> {
    process: &'a ProcessDir,
    /// How many PID namespaces it is below that of the proc root.
    level: usize,
    by_number: OnceCell<BTreeMap<u32, Pid>>,
}

impl<'a> Family<'a> {
    pub(super) const fn of(process: &'a ProcessDir, level: usize) -> Self {
        Self { process, level, by_number: OnceCell::new() }
    }

    /// The child that the process knows by that number. None if it is gone, and where the kernel does not list children
    /// (`CONFIG_PROC_CHILDREN`).
    pub(super) fn known_as(&self, number: Pid, root: &ProcRoot) -> Option<Pid> {
        if self.level == 0 {
            return Some(number);
        }
        self.by_number.get_or_init(|| self.look_up(root)).get(&number.0).copied()
    }

    fn look_up(&self, root: &ProcRoot) -> BTreeMap<u32, Pid> {
        let threads = open_listing(self.process.dir(), c"task").and_then(numbers_in).unwrap_or_default();
        let children = threads.into_iter().flat_map(|tid| of_thread(self.process, Tid(tid)));
        // A child may be in a namespace of its own further down: then it has more numbers, and the one at this level is meant.
        let number = |child: Pid| {
            let status = root.read(&format!("{child}/status")).ok()?;
            Some((*parse::status(&status).ns_pids.get(self.level)?, child))
        };
        children.filter_map(number).collect()
    }
}

/// The children of a thread in the order in which it got them, by the numbers of the proc root; none where the kernel does not list them.
pub(super) fn of_thread(process: &ProcessDir, tid: Tid) -> Vec<Pid> {
    parse::list(&process.long_text(&format!("task/{tid}/children"))).into_iter().map(Pid).collect()
}
