//! What the looks at the threads of one process have in common: the fd tables that they use, and the memory that their futexes are in.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;

use super::beneath::open_file;
use super::children::ChildPids;
use super::descriptors::Descriptors;
use super::epoll::{self, Asked};
use super::fd_dir::Table;
use super::heartbeat::ScanStep;
use super::maps::{self, Memory};
use super::parse::Status;
use super::process::ProcessDir;
use super::scanner::Context;
use super::syscall::{self, Abi, Call, Line};
use super::thread_files::ThreadFiles;
use super::wchan::{self, Place};
use crate::model::{Fd, TaskId, Tid, Uid};
use crate::sys;

/// SIGALRM by its bit in `SigCgt`.
const SIGALRM: u64 = 1 << 13;

/// What the looks at the threads of one process have in common. Each file of the process is read once for all of them.
pub(super) struct Common<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) process: &'a Arc<ProcessDir>,
    pub(super) child_pids: ChildPids<'a>,
    /// The addresses of the futexes that threads wait for without a mark that they are private.
    futexes: BTreeSet<u64>,
    /// Whose memory they are in.
    memory: OnceCell<BTreeMap<u64, Memory>>,
    /// Whether it catches SIGALRM; true where that is not known.
    pub(super) catches_alarm: bool,
    /// Its user and session.
    user: (Option<Uid>, Option<u32>),
    /// Whether a thread of the process may be in a call that does not return.
    is_stuck: bool,
    /// The table of its first thread.
    leaders: OnceCell<Rc<Descriptors<'a>>>,
    /// The last other table that was opened. One at a time: there may be more tables than we may have descriptors.
    latest: RefCell<Option<Rc<Descriptors<'a>>>>,
}

impl<'a> Common<'a> {
    /// Of a process with this status and session.
    pub(super) fn new(
        process: &'a Arc<ProcessDir>,
        (status, sid): (&Status, Option<u32>),
        threads: &[ThreadFiles],
        context: &'a Context<'a>,
    ) -> Self {
        Self {
            context,
            process,
            child_pids: ChildPids::new(process, status.level()),
            futexes: threads.iter().filter_map(|thread| unmarked_futex(thread, context)).collect(),
            memory: OnceCell::new(),
            catches_alarm: status.catches.is_none_or(|signals| signals & SIGALRM != 0),
            user: (status.uid, sid),
            is_stuck: threads
                .iter()
                .any(|thread| thread.state == Some('D') || epoll::in_fuse(&thread.fingerprint.wchan)),
            leaders: OnceCell::new(),
            latest: RefCell::default(),
        }
    }

    /// The table that a thread uses.
    pub(super) fn table(&self, id: TaskId) -> Rc<Descriptors<'a>> {
        let own = || Table::new(self.process, Some(id.tid));
        if !self.context.scanner.root.is_real() {
            // A saved tree has a table for a thread only if it is one of its own.
            if let Some(table) = Some(own()).filter(|_| !id.is_leader()).map(|table| self.open(table))
                && table.is_open()
            {
                return table;
            }
            return Rc::clone(self.leaders.get_or_init(|| self.open(Table::new(self.process, None))));
        }
        let leader = Tid(id.pid.0);
        if self.share(leader, id.tid) {
            let table = self.leaders.get_or_init(|| self.open(Table::new(self.process, Some(leader))));
            if table.is_open() {
                return Rc::clone(table);
            }
        }
        let latest = self.latest.borrow().clone();
        let is_latest = |table: &Rc<Descriptors<'a>>| table.table.tid.is_some_and(|owner| self.share(owner, id.tid));
        if let Some(table) = latest.filter(is_latest) {
            return table;
        }
        let table = self.open(own());
        *self.latest.borrow_mut() = table.is_open().then(|| Rc::clone(&table));
        table
    }

    fn open(&self, table: Table) -> Rc<Descriptors<'a>> {
        Rc::new(Descriptors::open(table, self.context))
    }

    /// Whether two threads surely share a table.
    fn share(&self, one: Tid, other: Tid) -> bool {
        self.may_share(one, other) == Some(true)
    }

    /// Whether two threads share a table; none where that is not known.
    pub(super) fn may_share(&self, one: Tid, other: Tid) -> Option<bool> {
        let own_pids = self.context.scanner.root.proc_fs.as_ref().is_some_and(|proc_fs| proc_fs.own_pids);
        if one == other {
            return Some(true);
        }
        own_pids.then(|| sys::compare_fd_tables(one, other).ok().map(std::cmp::Ordering::is_eq))?
    }

    /// Whether fdinfo of an epoll may be read without the risk that it hangs.
    pub(super) fn reads_epoll(&self, tid: Tid, epoll: Fd) -> bool {
        let (uid, sid) = self.user;
        let is_real = self.context.scanner.root.is_real();
        !is_real || !self.is_stuck && epoll::may_read(self.context, &Asked { uid, sid, tid, epoll })
    }

    /// The memory that a futex at this address is in. `pthread_join(3)` waits on one in private memory without marking it as such.
    pub(super) fn memory(&self, address: u64) -> Option<Memory> {
        self.memory.get_or_init(|| self.memory_of_futexes()).get(&address).copied()
    }

    fn memory_of_futexes(&self) -> BTreeMap<u64, Memory> {
        if self.context.timed_out.contains(ScanStep::Maps) {
            return BTreeMap::new();
        }
        self.context.heartbeat.during(ScanStep::Maps, || {
            let file = open_file(self.process.dir(), c"maps").map(File::from);
            file.map(|file| maps::futexes(file, &self.futexes)).unwrap_or_default()
        })
    }
}

/// The address of the futex that a thread waits for, if the call does not mark it as private.
fn unmarked_futex(thread: &ThreadFiles, context: &Context<'_>) -> Option<u64> {
    if wchan::place(&thread.fingerprint.wchan) != Some(Place::Futex) {
        return None;
    }
    let Line::Call(number, arguments) = syscall::line(&thread.fingerprint.syscall)? else { return None };
    match calls(context, number, arguments).find(|call| Place::Futex.fits(*call))? {
        Call::Futex { address, private: false, timeout: false } => Some(address),
        _ => None,
    }
}

/// What callers may have used: of this machine, or of any for a saved tree.
pub(super) fn abis(context: &Context<'_>) -> &'static [Abi] {
    if context.scanner.root.is_real() { Abi::of_machine() } else { Abi::ALL }
}

/// What a number may mean to a caller on the machine.
pub(super) fn calls(context: &Context<'_>, number: i64, arguments: [u64; 6]) -> impl Iterator<Item = Call> + use<> {
    abis(context).iter().filter_map(move |abi| syscall::decode(*abi, number, arguments))
}
