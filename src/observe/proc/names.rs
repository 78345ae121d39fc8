//! What every process is called, whether it holds a pipe or not: for names that are selected by.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::process::ProcessDir;
use super::scanner::Scanner;
use super::{Budget, Error, ScanOptions, parse, with_scanner};
use crate::model::{Pid, Process};

/// Every process with its command, its effective user and its parent; one that goes away meanwhile is left out.
///
/// # Errors
///
/// If the root cannot be opened or is no proc root.
pub(crate) fn named_processes(proc_root: &Path, budget: &Arc<Budget>) -> Result<BTreeMap<Pid, Process>, Error> {
    let read = |scanner: &Arc<Scanner>| {
        let processes = scanner.root.pids()?.into_iter().filter_map(|pid| {
            let dir = ProcessDir::open(scanner, pid).ok()?;
            let stat = parse::stat(&dir.text("stat"));
            let (command, ppid, uid) = (stat.command.into(), stat.ppid, parse::status(&dir.text("status")).uid);
            Some((pid, Process { command, ppid, uid, ..Process::unknown(pid) }))
        });
        Ok(processes.collect())
    };
    with_scanner(proc_root, ScanOptions::default(), budget, read)
}
