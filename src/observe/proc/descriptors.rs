//! The descriptors of one fd table that threads wait for. Each is looked up once, however many threads wait for it and however often
//! their sets name it: what a look costs grows with the descriptors and the entries of the sets, not with the product of threads and
//! descriptors.
//!
//! That a number leads to another file by the time when a later thread is looked at does no harm: all fingerprints of a process are read
//! before any of its descriptors.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::epoll;
use super::fd_dir::{FDINFO, FdDir, Table};
use super::scanner::Context;
use crate::model::{AccessMode, Fd, PipeId};
use crate::observe::channel::Ends;

/// The descriptors of one table, as far as they were asked for.
pub(super) struct Descriptors<'a> {
    context: &'a Context<'a>,
    pub(super) table: Table,
    listing: Option<OwnedFd>,
    ends: RefCell<HashMap<Fd, Ends<(PipeId, AccessMode)>>>,
    epolls: RefCell<HashMap<Fd, Option<Rc<[Fd]>>>>,
}

impl<'a> Descriptors<'a> {
    pub(super) fn open(table: Table, context: &'a Context<'a>) -> Self {
        let listing = table.open("fd").ok();
        Self { context, table, listing, ends: RefCell::default(), epolls: RefCell::default() }
    }

    /// Whether the table may be read.
    pub(super) const fn is_open(&self) -> bool {
        self.listing.is_some()
    }

    pub(super) fn fd_dir(&self) -> FdDir<'_> {
        FdDir { table: &self.table, listing: self.listing.as_ref(), context: self.context }
    }

    /// The ends that a descriptor is, and how each is open; none if it is something else, or could not be looked up.
    pub(super) fn ends(&self, fd: Fd) -> Ends<(PipeId, AccessMode)> {
        if let Some(ends) = self.ends.borrow().get(&fd) {
            return *ends;
        }
        // What is not open is not kept: there are more numbers than descriptors.
        let Ok(ends) = self.fd_dir().look(fd) else { return [None, None] };
        let ends = ends.map(|end| end.map(|seen| (seen.pipe, seen.end.access)));
        self.ends.borrow_mut().insert(fd, ends);
        ends
    }

    /// What an epoll watches; none where that is not known: it may not be read, or a file in it cannot be identified, since its number
    /// is another's by now.
    pub(super) fn epoll(&self, epoll: Fd, may_read: impl FnOnce() -> bool) -> Option<Rc<[Fd]>> {
        if let Some(set) = self.epolls.borrow().get(&epoll) {
            return set.clone();
        }
        let set = may_read().then(|| self.read_epoll(epoll)).flatten();
        self.epolls.borrow_mut().insert(epoll, set.clone());
        set
    }

    fn read_epoll(&self, epoll: Fd) -> Option<Rc<[Fd]>> {
        // The number may be another file's by now.
        if !epoll::is_epoll(&self.fd_dir().link(epoll).ok()?) {
            return None;
        }
        // One that fills the limit is cut, perhaps between two lines.
        let text = self.fd_dir().fdinfo_text(epoll).ok().filter(|text| text.len() < FDINFO)?;
        let watched = epoll::watched(&text)?;
        let is_same = |file: &epoll::Watched| self.ends(file.fd)[0].is_none_or(|(pipe, _)| pipe.inode() == file.inode);
        watched.iter().all(is_same).then(|| {
            let mut fds: Vec<Fd> = watched.iter().map(|file| file.fd).collect();
            fds.sort_unstable();
            fds.dedup();
            fds.into()
        })
    }
}
