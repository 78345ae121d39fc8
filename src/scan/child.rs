//! The child that a process waits for by its number: the number is that of the PID namespace of who waits, which may be another than
//! that of the proc that we look at.

use super::parse;
use super::process::ProcessDir;
use super::root::{ProcRoot, numbers_in, open_listing};
use crate::model::Pid;

/// The child that a process in a namespace this many levels down knows by that number, counted from the one of the proc root. None
/// if it is gone, and where the kernel does not list children (`CONFIG_PROC_CHILDREN`).
pub(super) fn known_as(number: Pid, level: usize, process: &ProcessDir, root: &ProcRoot) -> Option<Pid> {
    let threads = open_listing(process.dir(), c"task").and_then(numbers_in).ok()?;
    let children = threads.iter().flat_map(|tid| parse::list(&process.long_text(&format!("task/{tid}/children"))));
    // A child may be in a namespace of its own further down: then it has more numbers, and the one at this level is meant.
    let is_meant = |child: &Pid| {
        let status = root.read(&format!("{child}/status")).unwrap_or_default();
        parse::status(&status).ns_pids.get(level) == Some(&number.0)
    };
    children.map(Pid).find(is_meant)
}
