//! What each thread of a process is doing, and what it waits for if it waits: from its system call and the place in the kernel
//! where it sleeps, each checking the other.
//!
//! Nothing is judged here, not even which process could end a wait. Where the system call may not be read, the place alone counts.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;

use rustix::io::Errno;

use super::beneath::open_file;
use super::children::{ChildPids, children};
use super::descriptors::Descriptors;
use super::epoll::{self, Asked};
use super::fd_dir::Table;
use super::fifo_path::{Found, PathBase};
use super::heartbeat::ScanStep;
use super::process::ProcessDir;
use super::root::{PF_EXITING, PF_KTHREAD};
use super::scanner::Context;
use super::syscall::{self, Abi, Call, Line, OpenArgument};
use super::thread_files::{ThreadFiles, thread_files};
use super::unmoved::unmoved;
use super::wchan::{self, Place};
use super::{maps, memory, parse};
use crate::model::{
    AccessMode, AlternativeWake, Children, Fd, OpenFlags, Operation, Pid, PipeId, PipeWait, Sleep, SleepOn, Task,
    TaskId, TaskState, ThreadGroup, Tid, Uid, WaitTarget,
};
use crate::observe::channel::WaitPlace;
use crate::sys;

/// What is kept of each pipe that a thread polls, by all that is concluded from it, in bytes.
const CAUSE: usize = 512;

/// All threads of a process; none for a kernel thread, and for a process that has ended.
pub(super) fn thread_group(pid: Pid, context: &Context<'_>) -> Option<ThreadGroup> {
    let process = Arc::new(ProcessDir::open(context.scanner, pid).ok()?);
    let stat = parse::stat(&process.text("stat"));
    if stat.flags.is_some_and(|flags| flags & PF_KTHREAD != 0) {
        return None;
    }
    if let Some(group) = unmoved(&process, &stat, context) {
        return Some(group);
    }
    let status = parse::status(&process.text("status"));
    let threads = thread_files(&process, &stat, status.switches, context);
    let common = Common {
        context,
        process: &process,
        child_pids: ChildPids::new(&process, status.level()),
        futexes: threads.iter().filter_map(|thread| unmarked_futex(thread, context)).collect(),
        private: OnceCell::new(),
        user: (status.uid, stat.sid),
        is_stuck: threads.iter().any(|thread| thread.state == Some('D') || epoll::in_fuse(&thread.fingerprint.wchan)),
        leaders: OnceCell::new(),
        latest: RefCell::default(),
    };
    let look = |thread| Look { of: &common, table: OnceCell::new(), thread }.task();
    let mut tasks: Vec<Task> = threads.into_iter().filter_map(look).collect();
    tasks.sort_unstable_by_key(|task| task.id);
    let is_init = status.ns_pids.last().copied().unwrap_or(pid.0) == 1;
    Some(ThreadGroup {
        pid,
        parent: stat.ppid.map(Pid),
        pgid: stat.pgid,
        sid: stat.sid,
        command: stat.command.into(),
        tracer: status.tracer.map(Pid),
        // Where it is not known, it may be any.
        catches: status.catches.unwrap_or(u64::MAX),
        ignores: status.ignores.unwrap_or_default(),
        blocks: status.blocks.unwrap_or(u64::MAX),
        adopts: is_init.then(|| children(&process, Tid(pid.0))),
        tasks,
    })
}

/// What the looks at the threads of one process have in common. Each file of the process is read once for all of them.
struct Common<'a> {
    context: &'a Context<'a>,
    process: &'a Arc<ProcessDir>,
    child_pids: ChildPids<'a>,
    /// The addresses of the futexes that threads wait for without a mark that they are private.
    futexes: BTreeSet<u64>,
    /// Those of them in memory that no other process shares.
    private: OnceCell<BTreeSet<u64>>,
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
    /// The table that a thread uses.
    fn table(&self, id: TaskId) -> Rc<Descriptors<'a>> {
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
        let own_pids = self.context.scanner.root.proc_fs.as_ref().is_some_and(|proc_fs| proc_fs.own_pids);
        one == other || own_pids && sys::compare_fd_tables(one, other).is_ok_and(std::cmp::Ordering::is_eq)
    }

    /// Whether fdinfo of an epoll may be read without the risk that it hangs.
    fn reads_epoll(&self, tid: Tid, epoll: Fd) -> bool {
        let (uid, sid) = self.user;
        let is_real = self.context.scanner.root.is_real();
        !is_real || !self.is_stuck && epoll::may_read(self.context, &Asked { uid, sid, tid, epoll })
    }

    /// Whether a futex at this address is in memory that no other process shares. `pthread_join(3)` waits on such a futex
    /// without marking it as private.
    fn is_private(&self, address: u64) -> bool {
        self.private.get_or_init(|| self.private_futexes()).contains(&address)
    }

    fn private_futexes(&self) -> BTreeSet<u64> {
        if self.context.timed_out.contains(ScanStep::Maps) {
            return BTreeSet::new();
        }
        self.context.heartbeat.during(ScanStep::Maps, || {
            let file = open_file(self.process.dir(), c"maps").map(File::from);
            file.map(|file| maps::private(file, &self.futexes)).unwrap_or_default()
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

/// What a number may mean to a caller on the machine.
fn calls(context: &Context<'_>, number: i64, arguments: [u64; 6]) -> impl Iterator<Item = Call> + use<> {
    let abis = if context.scanner.root.is_real() { Abi::of_machine() } else { Abi::ALL };
    abis.iter().filter_map(move |abi| syscall::decode(*abi, number, arguments))
}

/// A look at one thread.
struct Look<'a> {
    of: &'a Common<'a>,
    /// The fd table that it uses, found when a descriptor is first asked for.
    table: OnceCell<Rc<Descriptors<'a>>>,
    thread: ThreadFiles,
}

impl Look<'_> {
    /// What the thread is doing; none if it has ended.
    fn task(self) -> Option<Task> {
        self.of.context.heartbeat.enter(ScanStep::Task(self.thread.id.tid));
        let doing = match self.thread.state {
            Some('Z' | 'X' | 'x') => return None,
            // It is going away, or could not be read. It is not left out, since it might be the one that is awake.
            None => TaskState::Unknown,
            _ if self.of.context.timed_out.contains(ScanStep::Task(self.thread.id.tid)) => TaskState::Unknown,
            Some('R') => TaskState::Runs,
            Some('T') => TaskState::Stopped,
            Some('t') => TaskState::Traced,
            _ if self.thread.flags & PF_EXITING != 0 => TaskState::Exits,
            _ => self.asleep(),
        };
        let idle = if matches!(doing, TaskState::Waits { .. }) {
            self.thread.idle(self.of.process, self.of.context.scanner.clock())
        } else {
            None
        };
        Some(Task { id: self.thread.id, doing, idle, trace: self.thread.fingerprint })
    }

    fn asleep(&self) -> TaskState {
        let place = wchan::place(&self.thread.fingerprint.wchan);
        let line = syscall::line(&self.thread.fingerprint.syscall);
        let (place, line) = match (place, line) {
            (_, Some(Line::Running)) => return TaskState::Runs,
            (Some(Place::Stopped), _) => return TaskState::Stopped,
            (Some(Place::Traced), _) => return TaskState::Traced,
            (Some(Place::Frozen), _) => return TaskState::Frozen,
            // No thread sleeps there uninterruptibly: so shows one that a control group of version 1 froze where it was.
            (Some(place), _) if self.thread.state == Some('D') && place.is_interruptible() => return TaskState::Frozen,
            (None, None) => return TaskState::Unknown,
            (place, line) => (place.unwrap_or(Place::Elsewhere), line),
        };
        let Some(line) = line else {
            return self.by_place(place);
        };
        let Line::Call(number, arguments) = line else {
            return self.sleeps(SleepOn::Other, None);
        };
        match calls(self.of.context, number, arguments).find(|call| place.fits(*call)) {
            Some(call) => self.in_call(call, place),
            // The number does not say what the place does, so the place is believed.
            None => self.by_place(place),
        }
    }

    /// What can be said where only the place is known: what it does at a pipe, but not at which.
    fn by_place(&self, place: Place) -> TaskState {
        let (operation, access) = match place {
            Place::Pipe(WaitPlace::Read | WaitPlace::SpliceRead) => (Operation::Read, AccessMode::Read),
            Place::Pipe(WaitPlace::Write | WaitPlace::SpliceWrite) => (Operation::Write, AccessMode::Write),
            // As a reader or as a writer: the access mode is in the call.
            Place::Pipe(WaitPlace::Open) => (Operation::Open, AccessMode::ReadWrite),
            _ => return self.sleep(sleep_on(place), None, None),
        };
        let wait = PipeWait { operation, access, fd: None, pipe: None, path: None, deleted: false };
        TaskState::Waits { causes: vec![WaitTarget::Pipe(wait)], besides: self.lock() }
    }

    fn in_call(&self, call: Call, place: Place) -> TaskState {
        use WaitPlace::{Open, ReadOrWrite, SpliceRead, SpliceWrite};
        match (place, call) {
            (Place::Pipe(WaitPlace::Read | ReadOrWrite), Call::Read(fd)) => self.at_pipe(Operation::Read, fd),
            (Place::Pipe(WaitPlace::Write | ReadOrWrite), Call::Write(fd)) => self.at_pipe(Operation::Write, fd),
            (Place::Pipe(SpliceRead), Call::Move(fd, _) | Call::Vmsplice(fd)) => self.at_pipe(Operation::Read, fd),
            (Place::Pipe(SpliceWrite), Call::Move(_, fd) | Call::Vmsplice(fd)) => self.at_pipe(Operation::Write, fd),
            (Place::Pipe(Open), Call::Open { dir, path, flags }) => self.at_open(dir, path, flags),
            (Place::Poll, Call::Poll { set, timeout } | Call::Restart { poll: set, timeout }) => {
                self.at_poll(memory::fds(self.of.process, set).as_deref(), timeout)
            }
            (Place::Epoll, Call::Epoll { fd, timeout }) => {
                self.at_poll(self.table().epoll(fd, || self.of.reads_epoll(self.thread.id.tid, fd)).as_deref(), timeout)
            }
            (Place::Child, Call::Wait(Children::One(number))) => {
                let child = self.of.child_pids.resolve(number, &self.of.context.scanner.root);
                waits(WaitTarget::Children(child.map_or(Children::All, Children::One)))
            }
            (Place::Child, Call::Wait(which)) => waits(WaitTarget::Children(which)),
            (Place::Futex, Call::Futex { address, private, timeout: false })
                if private || self.of.is_private(address) =>
            {
                waits(WaitTarget::Threads)
            }
            // In the middle of a call on a pipe, and asleep where no pipe is: it holds the lock of the pipe.
            (Place::Elsewhere, Call::Move(from, to)) => self.in_middle(self.ends(from).chain(self.ends(to)).next(), to),
            (Place::Elsewhere, Call::Write(fd) | Call::Read(fd)) => self.in_middle(self.ends(fd).next(), fd),
            _ => self.sleeps(sleep_on(place), None),
        }
    }

    /// In read(2), write(2) or a splice, asleep in the pipe itself.
    fn at_pipe(&self, operation: Operation, fd: Fd) -> TaskState {
        let access = if operation == Operation::Read { AccessMode::Read } else { AccessMode::Write };
        // The number may have been closed, and used again, while the call goes on.
        let pipe = self.ends(fd).find(|(_, own)| *own == access || *own == AccessMode::ReadWrite);
        let (fd, pipe) = pipe.map(|(pipe, _)| (fd, pipe)).unzip();
        let wait = PipeWait { operation, access, fd, pipe, path: None, deleted: false };
        TaskState::Waits { causes: vec![WaitTarget::Pipe(wait)], besides: self.lock() }
    }

    /// Uninterruptible in a pipe: it waits for the lock, not for data.
    fn lock(&self) -> Option<AlternativeWake> {
        (self.thread.state == Some('D')).then_some(AlternativeWake::Lock)
    }

    fn in_middle(&self, pipe: Option<(PipeId, AccessMode)>, fd: Fd) -> TaskState {
        match pipe {
            Some((pipe, _)) => self.sleep(SleepOn::FileInPipe { pipe }, Some(fd), None),
            None => self.sleeps(SleepOn::Other, Some(fd)),
        }
    }

    fn at_open(&self, dir: Option<Fd>, path: u64, flags: OpenArgument) -> TaskState {
        let flags = match flags {
            OpenArgument::Flags(flags) => Some(flags),
            // The first member of struct open_how, of 64 bits.
            OpenArgument::OpenHow(address) => memory::memory(self.of.process, address, 8)
                .and_then(|bytes| bytes.try_into().ok())
                .and_then(|bytes| u32::try_from(u64::from_ne_bytes(bytes)).ok()),
        };
        let access = flags.and_then(|flags| OpenFlags(flags).access()).unwrap_or(AccessMode::ReadWrite);
        let path = memory::string(self.of.process, path);
        let base = PathBase { process: self.of.process, thread: &self.thread.dir, dir };
        let step = ScanStep::Path(self.thread.id.tid);
        let found = match &path {
            None => Found { pipe: Err(Errno::FAULT), name: None },
            Some(path) if self.of.context.timed_out.contains(step) => {
                Found { pipe: Err(Errno::TIMEDOUT), name: base.name_by_text(path) }
            }
            Some(path) => {
                self.of.context.heartbeat.during(step, || base.look_up(path, access, &self.of.context.scanner.root))
            }
        };
        let (pipe, deleted) = (found.pipe.ok(), found.pipe == Err(Errno::NOENT));
        let (operation, path) = (Operation::Open, found.name.map(Into::into));
        waits(WaitTarget::Pipe(PipeWait { operation, access, fd: None, pipe, path, deleted }))
    }

    /// In a poll of these descriptors; none where they could not be read. It waits once for a pipe, however many of them are ends of it.
    fn at_poll(&self, set: Option<&[Fd]>, timeout: bool) -> TaskState {
        let (mut causes, mut others, mut seen) = (Vec::new(), false, HashSet::new());
        let mut last = None;
        for fd in set.into_iter().flatten().copied() {
            if last.replace(fd) == Some(fd) {
                continue;
            }
            let ends = self.table().ends(fd);
            others |= ends == [None, None];
            for (pipe, access) in ends.into_iter().flatten().filter(|end| seen.insert(*end)) {
                let (operation, fd, pipe) = (Operation::Poll, Some(fd), Some(pipe));
                causes.push(WaitTarget::Pipe(PipeWait { operation, access, fd, pipe, path: None, deleted: false }));
            }
        }
        // What others wait for is not to be lost, so the set is as one that could not be read.
        let budget = &self.of.context.scanner.budget;
        if !causes.is_empty() && !budget.charge_thread(self.thread.id.pid, causes.len() * CAUSE) {
            return self.sleep(SleepOn::SomeFiles, None, None);
        }
        if causes.is_empty() {
            let on = match set {
                None => SleepOn::SomeFiles,
                Some([]) if timeout => SleepOn::Timer,
                Some(_) => SleepOn::Files,
            };
            return self.sleep(on, None, None);
        }
        causes.shrink_to_fit();
        let files = others.then_some(AlternativeWake::Files);
        TaskState::Waits { causes, besides: timeout.then_some(AlternativeWake::Timeout).or(files) }
    }

    /// The ends that a descriptor of this thread is, and how each is open.
    fn ends(&self, fd: Fd) -> impl Iterator<Item = (PipeId, AccessMode)> + use<> {
        self.table().ends(fd).into_iter().flatten()
    }

    fn table(&self) -> &Descriptors<'_> {
        self.table.get_or_init(|| self.of.table(self.thread.id))
    }

    /// Asleep, with what its descriptor leads to.
    fn sleeps(&self, on: SleepOn, fd: Option<Fd>) -> TaskState {
        let fd = fd.or_else(|| self.descriptor());
        let target = fd.and_then(|fd| self.table().fd_dir().link(fd).ok());
        let on = match target.as_deref() {
            Some(target) if on == SleepOn::Other && target.starts_with(b"socket:[") => SleepOn::Socket,
            Some(target) if on == SleepOn::Other && is_terminal(target) => SleepOn::Terminal,
            _ => on,
        };
        self.sleep(on, fd.filter(|_| target.is_some()), target)
    }

    /// The descriptor that its call is about, if it is a call of a 64-bit caller on one.
    fn descriptor(&self) -> Option<Fd> {
        let Some(Line::Call(number, arguments)) = syscall::line(&self.thread.fingerprint.syscall) else {
            return None;
        };
        match syscall::decode(*Abi::of_machine().first()?, number, arguments)? {
            Call::Read(fd) | Call::Write(fd) => Some(fd),
            _ => None,
        }
    }

    fn sleep(&self, on: SleepOn, fd: Option<Fd>, target: Option<Vec<u8>>) -> TaskState {
        let place = String::from_utf8_lossy(parse::line(&self.thread.fingerprint.wchan)).into_owned();
        TaskState::Sleeps { sleep: Sleep { on, fd, target: target.map(Into::into), place } }
    }
}

/// A wait that nothing but its cause ends.
fn waits(cause: WaitTarget) -> TaskState {
    TaskState::Waits { causes: vec![cause], besides: None }
}

/// What a place says by itself.
fn sleep_on(place: Place) -> SleepOn {
    match place {
        Place::Timer => SleepOn::Timer,
        Place::Signal => SleepOn::Signal,
        Place::Poll | Place::Epoll => SleepOn::SomeFiles,
        Place::Futex => SleepOn::Futex,
        Place::IoUring => SleepOn::IoUring,
        _ => SleepOn::Other,
    }
}

fn is_terminal(target: &[u8]) -> bool {
    target.starts_with(b"/dev/pts/") || target.starts_with(b"/dev/tty") || target == b"/dev/console"
}
