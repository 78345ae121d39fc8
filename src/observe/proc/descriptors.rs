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

use rustix::io::Errno;

use super::epoll::{self, Watched};
use super::fd_dir::{FDINFO, FdDir, Table};
use super::parse;
use super::polled::{FileKind, Interest, Polled, has_details, is_disabled, kind};
use super::scanner::Context;
use crate::model::{AccessMode, Fd, PipeId, link};
use crate::observe::channel::Ends;

/// The descriptors of one table, as far as they were asked for.
pub(super) struct Descriptors<'a> {
    context: &'a Context<'a>,
    pub(super) table: Table,
    listing: Option<OwnedFd>,
    ends: RefCell<HashMap<Fd, Ends<(PipeId, AccessMode)>>>,
    files: RefCell<HashMap<Fd, Rc<OtherFile>>>,
    epolls: RefCell<HashMap<Fd, Option<Rc<[Polled]>>>>,
}

/// A descriptor of a file that is no channel.
#[derive(Debug)]
pub(super) struct OtherFile {
    /// Its link; none if it is closed by now.
    pub(super) link: Option<Vec<u8>>,
    pub(super) kind: FileKind,
    /// Its inode, where that is looked up.
    inode: Option<u64>,
}

impl<'a> Descriptors<'a> {
    pub(super) fn open(table: Table, context: &'a Context<'a>) -> Self {
        let listing = table.open("fd").ok();
        let (ends, files, epolls) = Default::default();
        Self { context, table, listing, ends, files, epolls }
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

    /// What a descriptor is that is no end.
    pub(super) fn file(&self, fd: Fd) -> Rc<OtherFile> {
        if let Some(file) = self.files.borrow().get(&fd) {
            return Rc::clone(file);
        }
        let file = Rc::new(self.look_at_file(fd));
        // What is not open is not kept: there are more numbers than descriptors.
        if file.link.is_some() {
            self.files.borrow_mut().insert(fd, Rc::clone(&file));
        }
        file
    }

    fn look_at_file(&self, fd: Fd) -> OtherFile {
        let dir = self.fd_dir();
        let Ok(link) = dir.link(fd) else { return OtherFile { link: None, kind: FileKind::Other, inode: None } };
        if !has_details(&link) {
            let inode = link::socket(&link);
            return OtherFile { link: Some(link), kind: FileKind::Other, inode };
        }
        let text = dir.fdinfo_text(fd).unwrap_or_default();
        // The number may have been closed and used again meanwhile.
        let kind = if dir.link(fd).is_ok_and(|again| again == link) { kind(&link, &text) } else { FileKind::Other };
        OtherFile { link: Some(link), kind: self.of_own_child(kind), inode: parse::fdinfo(&text).ino }
    }

    /// A process other than a child is not among those that are known to wake its parent.
    fn of_own_child(&self, kind: FileKind) -> FileKind {
        let FileKind::Process(pid) = kind else { return kind };
        let stat = self.context.scanner.root.read(&format!("{pid}/stat")).unwrap_or_default();
        if parse::stat(&stat).ppid == Some(self.table.process.pid.0) { kind } else { FileKind::Other }
    }

    /// What an epoll watches; none where that is not known: it may not be read, or a file in it cannot be identified, since its number
    /// is another's by now.
    pub(super) fn epoll(&self, epoll: Fd, may_read: impl FnOnce() -> bool) -> Option<Rc<[Polled]>> {
        if let Some(set) = self.epolls.borrow().get(&epoll) {
            return set.clone();
        }
        let set = may_read().then(|| self.read_epoll(epoll)).flatten();
        self.epolls.borrow_mut().insert(epoll, set.clone());
        set
    }

    fn read_epoll(&self, epoll: Fd) -> Option<Rc<[Polled]>> {
        let watched = epoll::watched(&self.epoll_text(epoll)?)?;
        // One that is closed, or of which nothing is known, is taken for the same.
        let is_same = |file: &Watched| self.inode(file.fd).is_none_or(|inode| inode == file.inode);
        watched.iter().all(is_same).then(|| {
            let asked = watched.iter().filter(|file| !is_disabled(file.events));
            let polled = |file: &Watched| Polled { fd: file.fd, asks: Interest::of_events(file.events) };
            let mut set: Vec<Polled> = asked.map(polled).collect();
            set.sort_unstable();
            set.dedup();
            set.into()
        })
    }

    /// The fdinfo of an epoll, which may be read only where [`reads_epoll`](super::common::Common::reads_epoll) says so. None where it is not
    /// whole.
    pub(super) fn epoll_text(&self, epoll: Fd) -> Option<Vec<u8>> {
        // The number may be another file's by now.
        if !epoll::is_epoll(&self.fd_dir().link(epoll).ok()?) {
            return None;
        }
        // One that fills the limit is cut, perhaps between two lines.
        self.fd_dir().fdinfo_text(epoll).ok().filter(|text| text.len() < FDINFO)
    }

    /// Whether the number of a watched file is still that of this file, as far as its inode shows that; none where that is not known.
    pub(super) fn is_there(&self, watched: &Watched) -> Option<bool> {
        match self.fd_dir().link(watched.fd) {
            Ok(_) => Some(self.inode(watched.fd)? == watched.inode),
            Err(Errno::NOENT) => Some(false),
            Err(_) => None,
        }
    }

    /// The inode of an open file, as an epoll shows it.
    pub(super) fn inode(&self, fd: Fd) -> Option<u64> {
        let inode = match self.ends(fd) {
            [Some((pipe, _)), _] if pipe.kind().is_pipe() => Some(pipe.inode()),
            // A direction of a socket may be that of its peer, and that of a terminal has no inode.
            _ => self.file(fd).inode,
        };
        inode.or_else(|| self.fd_dir().inode(fd))
    }
}
