//! What each thread of a process is doing, and what it waits for if it waits: from its system call and the place in the kernel
//! where it sleeps, each checking the other.
//!
//! Nothing is judged here, not even which process could end a wait. Where the system call may not be read, the place alone counts.

use std::cell::OnceCell;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use procfs::FromBufRead as _;
use procfs::process::{MMPermissions, MemoryMaps};
use rustix::fs::CWD;
use rustix::io::Errno;

use super::beneath::open_listing;
use super::children::{ChildPids, children};
use super::fd_dir::{FdDir, Table};
use super::fifo_path::{Found, PathBase};
use super::heartbeat::ScanStep;
use super::process::ProcessDir;
use super::root::{PF_EXITING, PF_KTHREAD, numbers_in, read_small};
use super::scanner::Context;
use super::syscall::{self, Abi, Call, Line, OpenArgument};
use super::wchan::{self, Place};
use super::{memory, parse};
use crate::model::{
    AccessMode, AlternativeWake, Children, Fd, Fingerprint, OpenFlags, Operation, Pid, PipeId, PipeWait, Sleep,
    SleepOn, Task, TaskId, TaskState, ThreadGroup, Tid, WaitTarget,
};
use crate::observe::channel::WaitPlace;

/// All threads of a process; none for a kernel thread, and for a process that has ended.
pub(super) fn thread_group(pid: Pid, context: &Context<'_>) -> Option<ThreadGroup> {
    let process = Arc::new(ProcessDir::open(context.scanner, pid).ok()?);
    let stat = parse::stat(&process.text("stat"));
    if stat.flags.is_some_and(|flags| flags & PF_KTHREAD != 0) {
        return None;
    }
    let status = parse::status(&process.text("status"));
    let files = task_files(&process, &stat, status.switches, context);
    // `epoll_ctl(2)` may hold the lock of the epoll while a file system does not answer, and its fdinfo waits for that lock.
    let reads_epolls =
        files.iter().all(|task| task.state != Some('D') && !task.fingerprint.wchan.starts_with(b"request_wait_answer"));
    let child_pids = ChildPids::new(&process, status.level());
    let look = |task| {
        let (process, child_pids) = (&process, &child_pids);
        Look { context, process, child_pids, reads_epolls, table: OnceCell::new(), task }.task()
    };
    let mut tasks: Vec<Task> = files.into_iter().filter_map(look).collect();
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

/// One thread, as its small files show it.
struct TaskFiles {
    id: TaskId,
    /// The directory of its files, below the process.
    dir: String,
    state: Option<char>,
    flags: u32,
    fingerprint: Fingerprint,
}

/// Reads the small files of all threads. Of a single thread, the files of the process say the same, and stat is read already.
fn task_files(
    process: &ProcessDir,
    leader: &parse::Stat,
    switches: Option<u64>,
    context: &Context<'_>,
) -> Vec<TaskFiles> {
    let pid = process.pid;
    let tids = match open_listing(process.dir(), c"task").and_then(numbers_in) {
        Ok(tids) => tids,
        // A saved tree need not have the threads.
        Err(_) if !context.scanner.root.is_real() => vec![pid.0],
        Err(_) => Vec::new(),
    };
    if tids == [pid.0] {
        return vec![TaskFiles::read(process, Tid(pid.0), String::new(), leader, switches)];
    }
    let read = |tid| {
        let dir = format!("task/{tid}/");
        let stat = parse::stat(&process.text(&format!("{dir}stat")));
        let switches = parse::status(&process.text(&format!("{dir}status"))).switches;
        TaskFiles::read(process, Tid(tid), dir, &stat, switches)
    };
    tids.into_iter().map(read).collect()
}

impl TaskFiles {
    fn read(process: &ProcessDir, tid: Tid, dir: String, stat: &parse::Stat, switches: Option<u64>) -> Self {
        let text = |name: &str| process.text(&format!("{dir}{name}"));
        let fingerprint =
            Fingerprint { started: stat.start_time, syscall: text("syscall"), wchan: text("wchan"), switches };
        let id = TaskId { pid: process.pid, tid };
        Self { id, state: stat.state, flags: stat.flags.unwrap_or_default(), fingerprint, dir }
    }
}

/// A look at one thread.
struct Look<'a> {
    context: &'a Context<'a>,
    process: &'a Arc<ProcessDir>,
    child_pids: &'a ChildPids<'a>,
    /// Whether fdinfo of an epoll may be read without the risk that it hangs.
    reads_epolls: bool,
    /// The fd table, opened when a descriptor is first asked for.
    table: OnceCell<(Table, Option<OwnedFd>)>,
    task: TaskFiles,
}

impl Look<'_> {
    /// What the thread is doing; none if it has ended.
    fn task(self) -> Option<Task> {
        self.context.heartbeat.enter(ScanStep::Task(self.task.id.tid));
        let doing = match self.task.state {
            Some('Z' | 'X' | 'x') => return None,
            // It is going away, or could not be read. It is not left out, since it might be the one that is awake.
            None => TaskState::Unknown,
            _ if self.context.timed_out.contains(ScanStep::Task(self.task.id.tid)) => TaskState::Unknown,
            Some('R') => TaskState::Runs,
            Some('T') => TaskState::Stopped,
            Some('t') => TaskState::Traced,
            _ if self.task.flags & PF_EXITING != 0 => TaskState::Exits,
            _ => self.asleep(),
        };
        let idle = if matches!(doing, TaskState::Waits { .. }) { self.idle() } else { None };
        Some(Task { id: self.task.id, doing, idle, trace: self.task.fingerprint })
    }

    /// For how long it has not run: on the scheduler's clock, of which our own thread, which runs now, gives the time.
    fn idle(&self) -> Option<Duration> {
        let root = &self.context.scanner.root;
        if !root.is_real() {
            return None;
        }
        // In our own proc: that of another PID namespace does not list us, and the clock is the same.
        let own = read_small(CWD, c"/proc/thread-self/sched").or_else(|_| root.read("thread-self/sched"));
        let now = parse::exec_start(&own.ok()?)?;
        // It is 0 after the thread was moved to another processor (`migrate_task_rq_fair` in kernel/sched/fair.c).
        let last_run = parse::exec_start(&self.process.text(&format!("{}sched", self.task.dir)))?;
        now.checked_sub(Some(last_run).filter(|start| !start.is_zero())?)
    }

    fn asleep(&self) -> TaskState {
        let place = wchan::place(&self.task.fingerprint.wchan);
        let line = syscall::line(&self.task.fingerprint.syscall);
        let (place, line) = match (place, line) {
            (_, Some(Line::Running)) => return TaskState::Runs,
            (Some(Place::Stopped), _) => return TaskState::Stopped,
            (Some(Place::Traced), _) => return TaskState::Traced,
            (Some(Place::Frozen), _) => return TaskState::Frozen,
            // No thread sleeps there uninterruptibly: so shows one that a control group of version 1 froze where it was.
            (Some(place), _) if self.task.state == Some('D') && place.is_interruptible() => return TaskState::Frozen,
            (None, None) => return TaskState::Unknown,
            (place, line) => (place.unwrap_or(Place::Elsewhere), line),
        };
        let Some(line) = line else {
            return self.by_place(place);
        };
        let Line::Call(number, arguments) = line else {
            return self.sleeps(SleepOn::Other, None);
        };
        let abis = if self.context.scanner.root.is_real() { Abi::of_machine() } else { Abi::ALL };
        let mut calls = abis.iter().filter_map(|abi| syscall::decode(*abi, number, arguments));
        match calls.find(|call| place.fits(*call)) {
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
                self.at_poll(memory::fds(self.process, set), timeout)
            }
            (Place::Epoll, Call::Epoll { fd, timeout }) => self.at_poll(self.epoll(fd), timeout),
            (Place::Child, Call::Wait(Children::One(number))) => {
                let child = self.child_pids.resolve(number, &self.context.scanner.root);
                waits(WaitTarget::Children(child.map_or(Children::All, Children::One)))
            }
            (Place::Child, Call::Wait(which)) => waits(WaitTarget::Children(which)),
            (Place::Futex, Call::Futex { address, private, timeout: false }) if private || self.is_private(address) => {
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
        (self.task.state == Some('D')).then_some(AlternativeWake::Lock)
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
            OpenArgument::OpenHow(address) => memory::memory(self.process, address, 8)
                .and_then(|bytes| bytes.try_into().ok())
                .and_then(|bytes| u32::try_from(u64::from_ne_bytes(bytes)).ok()),
        };
        let access = flags.and_then(|flags| OpenFlags(flags).access()).unwrap_or(AccessMode::ReadWrite);
        let path = memory::string(self.process, path);
        let base = PathBase { process: self.process, thread: &self.task.dir, dir };
        let step = ScanStep::Path(self.task.id.tid);
        let found = match &path {
            None => Found { pipe: Err(Errno::FAULT), name: None },
            Some(path) if self.context.timed_out.contains(step) => {
                Found { pipe: Err(Errno::TIMEDOUT), name: base.name_by_text(path) }
            }
            Some(path) => {
                self.context.heartbeat.during(step, || base.look_up(path, access, &self.context.scanner.root))
            }
        };
        let (pipe, deleted) = (found.pipe.ok(), found.pipe == Err(Errno::NOENT));
        let (operation, path) = (Operation::Open, found.name.map(Into::into));
        waits(WaitTarget::Pipe(PipeWait { operation, access, fd: None, pipe, path, deleted }))
    }

    /// In a poll of these descriptors; none where they could not be read.
    fn at_poll(&self, set: Option<Vec<Fd>>, timeout: bool) -> TaskState {
        let (mut causes, mut others) = (Vec::new(), false);
        for fd in set.iter().flatten().copied() {
            let before = causes.len();
            causes.extend(self.ends(fd).map(|(pipe, access)| {
                let (operation, fd, pipe) = (Operation::Poll, Some(fd), Some(pipe));
                WaitTarget::Pipe(PipeWait { operation, access, fd, pipe, path: None, deleted: false })
            }));
            others |= causes.len() == before;
        }
        if causes.is_empty() {
            let on = match set {
                None => SleepOn::SomeFiles,
                Some(set) if timeout && set.is_empty() => SleepOn::Timer,
                Some(_) => SleepOn::Files,
            };
            return self.sleep(on, None, None);
        }
        let files = others.then_some(AlternativeWake::Files);
        TaskState::Waits { causes, besides: timeout.then_some(AlternativeWake::Timeout).or(files) }
    }

    /// What an epoll watches; none where a file of it cannot be identified, since its number is another's by now.
    fn epoll(&self, epoll: Fd) -> Option<Vec<Fd>> {
        if !self.reads_epolls {
            return None;
        }
        let text = match self.fd_dir().fdinfo_text(epoll) {
            Err(Errno::TIMEDOUT) => return None,
            text => text.unwrap_or_default(),
        };
        let watched = parse::epoll(&text);
        let is_same = |file: &parse::Watched| {
            self.ends(Fd(file.fd)).next().is_none_or(|(pipe, _)| Some(pipe.inode()) == file.inode)
        };
        watched.iter().all(is_same).then(|| {
            let mut fds: Vec<Fd> = watched.iter().map(|file| Fd(file.fd)).collect();
            fds.dedup();
            fds
        })
    }

    /// The ends that a descriptor of this thread is, and how each is open.
    fn ends(&self, fd: Fd) -> impl Iterator<Item = (PipeId, AccessMode)> + use<> {
        let ends = self.fd_dir().look(fd).unwrap_or_default();
        ends.into_iter().flatten().map(|seen| (seen.pipe, seen.end.access))
    }

    fn fd_dir(&self) -> FdDir<'_> {
        let (table, listing) = self.table.get_or_init(|| self.open_table());
        FdDir { table, listing: listing.as_ref(), context: self.context }
    }

    /// The table that the thread uses: by its own directory also where that is shared, so that it is surely the right one.
    fn open_table(&self) -> (Table, Option<OwnedFd>) {
        let is_real = self.context.scanner.root.is_real();
        let id = self.task.id;
        let own = Table::new(self.process, (is_real || !id.is_leader()).then_some(id.tid));
        match own.open("fd") {
            Ok(listing) => (own, Some(listing)),
            Err(_) if is_real => (own, None),
            // A saved tree has a table for a thread only if it is one of its own.
            Err(_) => {
                let shared = Table::new(self.process, None);
                let listing = shared.open("fd").ok();
                (shared, listing)
            }
        }
    }

    /// Whether a futex at this address is in memory that no other process shares. `pthread_join(3)` waits on such a futex
    /// without marking it as private.
    fn is_private(&self, address: u64) -> bool {
        let maps = MemoryMaps::from_buf_read(self.process.long_text("maps").as_slice());
        maps.is_ok_and(|maps| {
            maps.into_iter().any(|map| {
                (map.address.0..map.address.1).contains(&address)
                    && map.perms.contains(MMPermissions::PRIVATE)
                    && map.inode == 0
            })
        })
    }

    /// Asleep, with what its descriptor leads to.
    fn sleeps(&self, on: SleepOn, fd: Option<Fd>) -> TaskState {
        let fd = fd.or_else(|| self.descriptor());
        let target = fd.and_then(|fd| self.fd_dir().link(fd).ok());
        let on = match target.as_deref() {
            Some(target) if on == SleepOn::Other && target.starts_with(b"socket:[") => SleepOn::Socket,
            Some(target) if on == SleepOn::Other && is_terminal(target) => SleepOn::Terminal,
            _ => on,
        };
        self.sleep(on, fd.filter(|_| target.is_some()), target)
    }

    /// The descriptor that its call is about, if it is a call of a 64-bit caller on one.
    fn descriptor(&self) -> Option<Fd> {
        let Some(Line::Call(number, arguments)) = syscall::line(&self.task.fingerprint.syscall) else {
            return None;
        };
        match syscall::decode(*Abi::of_machine().first()?, number, arguments)? {
            Call::Read(fd) | Call::Write(fd) => Some(fd),
            _ => None,
        }
    }

    fn sleep(&self, on: SleepOn, fd: Option<Fd>, target: Option<Vec<u8>>) -> TaskState {
        let place = String::from_utf8_lossy(parse::line(&self.task.fingerprint.wchan)).into_owned();
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
