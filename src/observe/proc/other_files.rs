//! How many sockets and terminals a process has open, for a list that does not look at them as channels. Only the text of the links in
//! /proc/PID/fd is read, which asks no file system.

use std::path::Path;
use std::sync::Arc;

use rustix::fs::readlinkat;
use rustix::path::DecInt;

use super::beneath::open_listing;
use super::process::ProcessDir;
use super::root::numbers_in;
use super::scanner::Scanner;
use super::{Budget, ScanOptions, with_scanner};
use crate::model::{Pid, link};

/// Maximum number of descriptors that are looked at.
const MOST: usize = 4096;

/// Numbers of descriptors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OtherFiles {
    pub(crate) sockets: usize,
    pub(crate) terminals: usize,
}

/// Those of these processes, as far as their tables may be read; of very large tables a part.
pub(crate) fn other_files(proc_root: &Path, pids: &[Pid], budget: &Arc<Budget>) -> OtherFiles {
    let count = |scanner: &Arc<Scanner>| {
        let mut found = OtherFiles::default();
        for process in pids.iter().filter_map(|pid| ProcessDir::open(scanner, *pid).ok()) {
            let Ok(listing) = open_listing(process.dir(), c"fd") else { continue };
            for fd in numbers_in(&listing).unwrap_or_default().into_iter().take(MOST) {
                // One that was closed meanwhile is none.
                if let Ok(link) = readlinkat(&listing, DecInt::new(fd), Vec::new()) {
                    found.add(link.as_bytes());
                }
            }
        }
        Ok(found)
    };
    // It is a remark beside the list, which says itself what could not be read.
    with_scanner(proc_root, ScanOptions::default(), budget, count).unwrap_or_default()
}

impl OtherFiles {
    fn add(&mut self, link: &[u8]) {
        self.sockets += usize::from(link::socket(link).is_some());
        let is_pty = link.starts_with(b"/dev/pts/") || link == b"/dev/ptmx" || link == b"/dev/tty";
        self.terminals += usize::from(is_pty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_counted() {
        let links =
            ["socket:[7]", "socket:[8]", "/dev/pts/3", "/dev/ptmx", "pipe:[9]", "/home/socket:[1]", "/dev/null"];
        let mut found = OtherFiles::default();
        for link in links {
            found.add(link.as_bytes());
        }
        assert_eq!(found, OtherFiles { sockets: 2, terminals: 2 });
    }
}
