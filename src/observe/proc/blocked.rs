//! What each thread of a process is doing, and what it waits for if it waits: from its system call and the place in the kernel
//! where it sleeps, each checking the other.
//!
//! Nothing is judged here, not even which process could end a wait. Where the system call may not be read, the place alone counts.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rustix::io::Errno;

use super::children::children;
use super::common::{Common, calls};
use super::descriptors::Descriptors;
use super::fifo_path::{Found, PathBase};
use super::heartbeat::ScanStep;
use super::maps::Memory;
use super::parse::Stat;
use super::poll_set::{CAUSE, OTHER, PollSet};
use super::polled::{FileKind, Polled};
use super::process::ProcessDir;
use super::root::{PF_EXITING, PF_KTHREAD};
use super::scanner::Context;
use super::syscall::{self, Abi, Call, Line, OpenArgument};
use super::thread_files::{ThreadFiles, thread_files};
use super::unmoved::unmoved;
use super::usage::Usage;
use super::wchan::{self, Place};
use super::work::ProcessResult;
use super::{memory, parse};
use crate::model::{
    AccessMode, AlternativeWake, Children, Fd, FileLock, FileLockKind, FileLockWait, OpenFlags, Operation, OtherFile,
    Pid, PipeId, PipeWait, Side, Sleep, SleepOn, Task, TaskState, ThreadGroup, Tid, WaitTarget, link,
};
use crate::observe::channel::WaitPlace;

/// Looks at all threads of a process, and at how much it has worked. Leaves out a kernel thread, and a process that has ended.
pub(super) fn look(pid: Pid, context: &Context<'_>, result: &mut ProcessResult) {
    let Ok(process) = ProcessDir::open(context.scanner, pid).map(Arc::new) else { return };
    let stat = parse::stat(&process.text("stat"));
    if stat.flags.is_some_and(|flags| flags & PF_KTHREAD != 0) {
        return;
    }
    result.usage = Usage::read(&process, &stat);
    let group = unmoved(&process, &stat, context);
    result.threads = Some(group.unwrap_or_else(|| thread_group(&process, stat, context)));
}

fn thread_group(process: &Arc<ProcessDir>, stat: Stat, context: &Context<'_>) -> ThreadGroup {
    let pid = process.pid;
    let status = parse::status(&process.text("status"));
    let threads = thread_files(process, &stat, status.switches, context);
    let common = Common::new(process, (&status, stat.sid), &threads, context);
    let look = |thread| Look { of: &common, table: OnceCell::new(), thread, others: RefCell::default() }.task();
    let mut tasks: Vec<Task> = threads.into_iter().filter_map(look).collect();
    tasks.sort_unstable_by_key(|task| task.id);
    let is_init = status.ns_pids.last().copied().unwrap_or(pid.0) == 1;
    ThreadGroup {
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
        adopts: is_init.then(|| children(process, Tid(pid.0))),
        activity: None,
        tasks,
    }
}

/// A look at one thread.
struct Look<'a> {
    of: &'a Common<'a>,
    /// The fd table that it uses, found when a descriptor is first asked for.
    table: OnceCell<Rc<Descriptors<'a>>>,
    thread: ThreadFiles,
    /// The files that it waits for and that are no channel.
    others: RefCell<Vec<OtherFile>>,
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
        let idle = if matches!(doing, TaskState::Waits { .. } | TaskState::Sleeps { .. }) {
            self.thread.idle(self.of.process, self.of.context.scanner.clock())
        } else {
            None
        };
        let others = self.others.into_inner();
        Some(Task { idle, others, trace: self.thread.fingerprint, ..Task::new(self.thread.id, doing) })
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
            Place::FileLock => return self.for_file_lock(FileLockWait { fd: None, path: None, lock: None }),
            _ => return self.sleep(sleep_on(place), None, None),
        };
        let wait = PipeWait { operation, access, fd: None, pipe: None, path: None, deleted: false, full: false };
        TaskState::Waits { causes: vec![WaitTarget::Pipe(wait)], besides: self.lock() }
    }

    fn in_call(&self, call: Call, place: Place) -> TaskState {
        use WaitPlace::{Open, ReadOrWrite, Shared, SpliceRead, SpliceWrite};
        match (place, call) {
            (Place::Pipe(WaitPlace::Read | ReadOrWrite), Call::Read(fd)) => self.at_pipe(Operation::Read, fd),
            (Place::Pipe(WaitPlace::Write | ReadOrWrite), Call::Write(fd)) => self.at_pipe(Operation::Write, fd),
            (Place::Pipe(SpliceRead), Call::Move(fd, _) | Call::Vmsplice(fd)) => self.at_pipe(Operation::Read, fd),
            (Place::Pipe(SpliceWrite), Call::Move(_, fd) | Call::Vmsplice(fd)) => self.at_pipe(Operation::Write, fd),
            (Place::Pipe(Shared), Call::Read(fd)) => self.at_channel(Operation::Read, fd),
            (Place::Pipe(Shared), Call::Write(fd)) => self.at_channel(Operation::Write, fd),
            (Place::Pipe(Open), Call::Open { dir, path, flags }) => self.at_open(dir, path, flags),
            (Place::Poll, Call::Poll { set, timeout } | Call::Restart { poll: set, timeout }) => {
                self.at_poll(memory::polled(self.of.process, set).as_deref(), timeout)
            }
            (Place::Epoll, Call::Epoll { fd, timeout }) => {
                self.at_poll(self.table().epoll(fd, || self.of.reads_epoll(self.thread.id.tid, fd)).as_deref(), timeout)
            }
            (Place::Child, Call::Wait(Children::One(number))) => {
                let child = self.of.child_pids.resolve(number, &self.of.context.scanner.root);
                waits(WaitTarget::Children(child.map_or(Children::All, Children::One)))
            }
            (Place::Child, Call::Wait(which)) => waits(WaitTarget::Children(which)),
            (Place::Child, Call::WaitPidfd(fd)) => waits(WaitTarget::Children(match self.table().file(fd).kind {
                FileKind::Process(child) => Children::One(child),
                _ => Children::All,
            })),
            (Place::Futex, Call::Futex { private: true, timeout: false, .. }) => waits(WaitTarget::Threads),
            (Place::Futex, Call::Futex { address, timeout: false, .. }) => match self.of.memory(address) {
                Some(Memory::Private) => waits(WaitTarget::Threads),
                Some(Memory::Shared(lock)) => waits(WaitTarget::Lock(lock)),
                None => self.sleeps(SleepOn::Futex, None),
            },
            (Place::FileLock | Place::Elsewhere, Call::FileLock(fd, kind)) => self.at_file_lock(fd, kind, place),
            // In the middle of a call on a pipe, and asleep where no pipe is: it holds the lock of the pipe.
            (Place::Elsewhere | Place::Pipe(Shared), Call::Move(from, to)) => {
                self.in_middle(self.ends(from).chain(self.ends(to)), to)
            }
            (Place::Elsewhere, Call::Write(fd) | Call::Read(fd)) => self.in_middle(self.ends(fd), fd),
            _ => self.sleeps(sleep_on(place), None),
        }
    }

    /// In read(2), write(2) or a splice, asleep in the pipe itself.
    fn at_pipe(&self, operation: Operation, fd: Fd) -> TaskState {
        let access = if operation == Operation::Read { AccessMode::Read } else { AccessMode::Write };
        // The number may have been closed, and used again, while the call goes on.
        let pipe = self.ends(fd).find(|(_, own)| *own == access || *own == AccessMode::ReadWrite);
        let (fd, pipe) = pipe.map(|(pipe, _)| (fd, pipe)).unzip();
        let wait = PipeWait { operation, access, fd, pipe, path: None, deleted: false, full: false };
        TaskState::Waits { causes: vec![WaitTarget::Pipe(wait)], besides: self.lock() }
    }

    /// In a call on a socket or terminal, asleep where those of a channel do, and others.
    fn at_channel(&self, operation: Operation, fd: Fd) -> TaskState {
        let side = if operation == Operation::Read { Side::Read } else { Side::Write };
        match self.ends(fd).find(|(pipe, own)| !pipe.kind().is_pipe() && own.is_on(side)) {
            Some(_) => self.at_pipe(operation, fd),
            None => self.sleeps(SleepOn::Other, Some(fd)),
        }
    }

    /// Uninterruptible in a pipe: it waits for the lock, not for data.
    fn lock(&self) -> Option<AlternativeWake> {
        (self.thread.state == Some('D')).then_some(AlternativeWake::Lock)
    }

    fn in_middle(&self, mut ends: impl Iterator<Item = (PipeId, AccessMode)>, fd: Fd) -> TaskState {
        match ends.find(|(pipe, _)| pipe.kind().is_pipe()) {
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
        waits(WaitTarget::Pipe(PipeWait { operation, access, fd: None, pipe, path, deleted, full: false }))
    }

    /// At a lock on a file. Where its file system asks a server for it, any machine may hold it.
    fn at_file_lock(&self, fd: Fd, kind: FileLockKind, place: Place) -> TaskState {
        let dir = self.table().fd_dir();
        let file = if place == Place::FileLock { dir.file_id(fd).ok() } else { None };
        let lock = file.map(|(device, inode)| FileLock { kind, device, inode });
        self.for_file_lock(FileLockWait { fd: Some(fd), path: dir.link(fd).ok().map(Into::into), lock })
    }

    /// A process that catches SIGALRM may have set a timer that ends the wait, as `flock -w` does: there is no call with a timeout.
    fn for_file_lock(&self, wait: FileLockWait) -> TaskState {
        let besides = self.of.catches_alarm.then_some(AlternativeWake::Timeout);
        TaskState::Waits { causes: vec![WaitTarget::FileLock(wait)], besides }
    }

    /// In a poll of these descriptors; none where they could not be read.
    fn at_poll(&self, set: Option<&[Polled]>, timeout: bool) -> TaskState {
        let Some(set) = set else { return self.sleep(SleepOn::SomeFiles, None, None) };
        let PollSet { causes, others, has_timer } = PollSet::of(set, self.table());
        // What others wait for is not to be lost, so the set is as one that could not be read.
        let budget = &self.of.context.scanner.budget;
        let size = causes.len() * CAUSE
            + others.iter().map(|file| OTHER + file.target.as_ref().map_or(0, |it| it.len())).sum::<usize>();
        if size > 0 && !budget.charge_thread(self.thread.id.pid, size) {
            return self.sleep(SleepOn::SomeFiles, None, None);
        }
        let timeout = timeout || has_timer;
        let files = !others.is_empty();
        self.others.replace(others);
        if causes.is_empty() {
            let on = if timeout && !files { SleepOn::Timer } else { SleepOn::Files };
            return self.sleep(on, None, None);
        }
        let files = files.then_some(AlternativeWake::Files);
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
        if let Some(fd) = fd.filter(|_| wchan::is_eventfd(&self.thread.fingerprint.wchan))
            && let FileKind::Event(id) = self.table().file(fd).kind
        {
            return waits(WaitTarget::Event(id));
        }
        let on = match target.as_deref() {
            Some(target) if on == SleepOn::Other && target.starts_with(b"socket:[") => SleepOn::Socket,
            Some(target) if on == SleepOn::Other && link::is_terminal(target) => SleepOn::Terminal,
            _ => on,
        };
        if let Some(fd) = fd.filter(|_| matches!(on, SleepOn::Socket | SleepOn::Terminal)) {
            self.others.replace(vec![OtherFile { fd, target: target.clone().map(Into::into) }]);
        }
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
