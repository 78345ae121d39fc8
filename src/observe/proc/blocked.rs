//! What each thread of a process is doing, and what it waits for if it waits: from its system call and the place in the kernel
//! where it sleeps, each checking the other.
//!
//! Nothing is judged here: who could end a wait, `why` tells. Where the system call may not be read, the place alone is what is told.

use std::sync::Arc;
use std::time::Duration;

use procfs::FromBufRead as _;
use procfs::process::{MMPermissions, MemoryMaps};
use rustix::fs::CWD;
use rustix::io::Errno;

use super::child::Family;
use super::fd_table::{Context, Table, Walk};
use super::opening::Start;
use super::process::ProcessDir;
use super::root::{PF_EXITING, PF_KTHREAD, numbers_in, open_listing, read_small};
use super::syscall::{self, Abi, Call, Line, OpenArgument};
use super::watch::Step;
use super::wchan::{self, Place};
use super::{child, memory, parse};
use crate::model::{
    AccessMode, AlternativeWake, Children, Fd, Fingerprint, OpenFlags, Operation, Pid, PipeId, PipeWait, Sleep,
    SleepOn, Task, TaskId, TaskState, ThreadGroup, Tid, WaitTarget,
};

/// All threads of a process; none for a kernel thread, and for a process that has ended.
pub(super) fn thread_group(pid: Pid, context: &mut Context<'_>) -> Option<ThreadGroup> {
    let process = Arc::new(ProcessDir::open(context.scanner, pid).ok()?);
    let stat = parse::stat(&process.text("stat"));
    if stat.flags.is_some_and(|flags| flags & PF_KTHREAD != 0) {
        return None;
    }
    let status = parse::status(&process.text("status"));
    let tids: Vec<Tid> = match open_listing(process.dir(), c"task").and_then(numbers_in) {
        Ok(tids) => tids.into_iter().map(Tid).collect(),
        // A saved tree need not have the threads.
        Err(_) if context.scanner.root.real.is_none() => vec![Tid(pid.0)],
        Err(_) => Vec::new(),
    };
    // Of a single thread, the files of the process tell the same, and stat is read already.
    let single = tids == [Tid(pid.0)];
    let looks: Vec<Look<'_>> = if single {
        vec![Look::new(&process, TaskId { pid, tid: Tid(pid.0) }, String::new(), &stat, status.switches)]
    } else {
        let look = |tid: Tid| {
            let dir = format!("task/{tid}/");
            let stat = parse::stat(&process.text(&format!("{dir}stat")));
            let switches = parse::status(&process.text(&format!("{dir}status"))).switches;
            Look::new(&process, TaskId { pid, tid }, dir, &stat, switches)
        };
        tids.into_iter().map(look).collect()
    };
    // Whoever changes an epoll may hold its lock while a file system does not answer, and its fdinfo waits for that lock.
    let epolls =
        looks.iter().all(|look| look.state != Some('D') && !look.trace.wchan.starts_with(b"request_wait_answer"));
    let family = Family::of(&process, status.level());
    let mut tasks: Vec<Task> = looks.into_iter().filter_map(|look| look.task(epolls, &family, context)).collect();
    tasks.sort_unstable_by_key(|task| task.id);
    let is_init = status.ns_pids.last().copied().unwrap_or(pid.0) == 1;
    Some(ThreadGroup {
        pid,
        parent: stat.ppid.map(Pid),
        pgid: stat.pgid,
        sid: stat.sid,
        command: stat.command.into(),
        tracer: status.tracer.map(Pid),
        // Of whom it is not known, it may be any.
        catches: status.catches.unwrap_or(u64::MAX),
        ignores: status.ignores.unwrap_or_default(),
        blocks: status.blocks.unwrap_or(u64::MAX),
        adopts: is_init.then(|| child::of_thread(&process, Tid(pid.0))),
        tasks,
    })
}

/// One thread, as its small files show it.
struct Look<'a> {
    process: &'a Arc<ProcessDir>,
    id: TaskId,
    /// The directory of its files, below the process.
    dir: String,
    state: Option<char>,
    flags: u32,
    trace: Fingerprint,
}

impl<'a> Look<'a> {
    fn new(process: &'a Arc<ProcessDir>, id: TaskId, dir: String, stat: &parse::Stat, switches: Option<u64>) -> Self {
        let text = |name: &str| process.text(&format!("{dir}{name}"));
        let trace = Fingerprint { started: stat.start_time, syscall: text("syscall"), wchan: text("wchan"), switches };
        Self { process, id, state: stat.state, flags: stat.flags.unwrap_or_default(), trace, dir }
    }

    fn text(&self, name: &str) -> Vec<u8> {
        self.process.text(&format!("{}{name}", self.dir))
    }

    /// What it is doing; none if it has ended.
    fn task(self, epolls: bool, family: &Family<'_>, context: &mut Context<'_>) -> Option<Task> {
        context.watch.doing(Step::Task(self.id.tid));
        let doing = match self.state {
            Some('Z' | 'X' | 'x') => return None,
            // It is going away, or could not be read: it is not left out, since it might be the one who is awake.
            None => TaskState::Unknown,
            _ if context.skip.tasks.contains(&self.id.tid) => TaskState::Unknown,
            Some('R') => TaskState::Runs,
            Some('T') => TaskState::Stopped,
            Some('t') => TaskState::Traced,
            _ if self.flags & PF_EXITING != 0 => TaskState::Exits,
            _ => self.asleep(epolls, family, context),
        };
        let waits = matches!(doing, TaskState::Waits { .. });
        let idle = waits.then(|| self.idle(context)).flatten();
        Some(Task { id: self.id, doing, idle, trace: self.trace })
    }

    /// For how long it has not run: on the scheduler's clock, of which our own thread, which runs now, tells the time.
    fn idle(&self, context: &Context<'_>) -> Option<Duration> {
        let root = &context.scanner.root;
        root.real.as_ref()?;
        // In our own proc: that of another PID namespace does not list us, and the clock is the same.
        let own = read_small(CWD, c"/proc/thread-self/sched").or_else(|_| root.read("thread-self/sched"));
        let now = parse::exec_start(&own.ok()?)?;
        // It is 0 after the thread was moved to another processor (`migrate_task_rq_fair` in kernel/sched/fair.c).
        now.checked_sub(parse::exec_start(&self.text("sched")).filter(|start| !start.is_zero())?)
    }

    /// What a thread that sleeps waits for.
    fn asleep(&self, epolls: bool, family: &Family<'_>, context: &mut Context<'_>) -> TaskState {
        let place = wchan::place(&self.trace.wchan);
        let line = syscall::line(&self.trace.syscall);
        let (place, line) = match (place, line) {
            (_, Some(Line::Running)) => return TaskState::Runs,
            (Some(Place::Stopped), _) => return TaskState::Stopped,
            (Some(Place::Traced), _) => return TaskState::Traced,
            (Some(Place::Frozen), _) => return TaskState::Frozen,
            // Nobody sleeps there uninterruptibly: so shows a thread that a control group of version 1 froze where it was.
            (Some(place), _) if self.state == Some('D') && place.is_interruptible() => return TaskState::Frozen,
            (None, None) => return TaskState::Unknown,
            (place, line) => (place.unwrap_or(Place::Elsewhere), line),
        };
        let Some(line) = line else {
            return self.by_place(place);
        };
        let Line::Call(number, arguments) = line else {
            return self.sleeps(SleepOn::Other, None, context);
        };
        let abis = if context.scanner.root.real.is_some() { Abi::of_machine() } else { Abi::ALL };
        let mut calls = abis.iter().filter_map(|abi| syscall::decode(*abi, number, arguments));
        match calls.find(|call| place.fits(*call)) {
            Some(call) => self.in_call(call, place, epolls, family, context),
            // The number does not tell what the place does, so it is the place that is believed.
            None => self.by_place(place),
        }
    }

    /// What can be told where only the place is known: what it does at a pipe, but not at which.
    fn by_place(&self, place: Place) -> TaskState {
        let (operation, access) = match place {
            Place::PipeRead | Place::PipeReadable => (Operation::Read, AccessMode::Read),
            Place::PipeWrite | Place::PipeWritable => (Operation::Write, AccessMode::Write),
            // As a reader or as a writer: the access mode is in the call.
            Place::FifoOpen => (Operation::Open, AccessMode::ReadWrite),
            _ => return self.sleep(sleep_on(place), None, None),
        };
        let wait = PipeWait { operation, access, fd: None, pipe: None, path: None, deleted: false };
        TaskState::Waits { causes: vec![WaitTarget::Pipe(wait)], besides: self.lock() }
    }

    fn in_call(
        &self,
        call: Call,
        place: Place,
        epolls: bool,
        family: &Family<'_>,
        context: &mut Context<'_>,
    ) -> TaskState {
        match (place, call) {
            (Place::PipeRead | Place::Pipe, Call::Read(fd)) => self.at_pipe(Operation::Read, fd, context),
            (Place::PipeWrite | Place::Pipe, Call::Write(fd)) => self.at_pipe(Operation::Write, fd, context),
            (Place::PipeReadable, Call::Move(fd, _) | Call::Vmsplice(fd)) => self.at_pipe(Operation::Read, fd, context),
            (Place::PipeWritable, Call::Move(_, fd) | Call::Vmsplice(fd)) => {
                self.at_pipe(Operation::Write, fd, context)
            }
            (Place::FifoOpen, Call::Open { dir, path, flags }) => self.at_open(dir, path, flags, context),
            (Place::Poll, Call::Poll { array, count, timeout }) => {
                self.at_poll(memory::poll(self.process, array, count), timeout, context)
            }
            // Only poll(2) goes on in this way after a stop, with its own arguments (`do_restart_poll` in fs/select.c).
            (Place::Poll, Call::Restart([array, count, timeout, ..])) => {
                let timeout = timeout & 0x8000_0000 == 0;
                self.at_poll(memory::poll(self.process, array, count), timeout, context)
            }
            (Place::Poll, Call::Select { bits, sets, timeout }) => {
                self.at_poll(memory::select(self.process, bits, sets), timeout, context)
            }
            (Place::Epoll, Call::Epoll { fd, timeout }) => {
                let set = if epolls { self.epoll(fd, context) } else { None };
                self.at_poll(set, timeout, context)
            }
            (Place::Child, Call::Wait(Children::One(number))) => {
                let child = family.known_as(number, &context.scanner.root);
                waits(WaitTarget::Children(child.map_or(Children::All, Children::One)))
            }
            (Place::Child, Call::Wait(which)) => waits(WaitTarget::Children(which)),
            (Place::Futex, Call::Futex { address, private, timeout: false }) if private || self.is_private(address) => {
                waits(WaitTarget::Threads)
            }
            // In the middle of a call on a pipe, and asleep where no pipe is: it holds the lock of the pipe.
            (Place::Elsewhere, Call::Move(from, to)) => {
                let pipe = self.end(from, context).or_else(|| self.end(to, context));
                self.in_middle(pipe.map(|(pipe, _)| pipe), to, context)
            }
            (Place::Elsewhere, Call::Write(fd) | Call::Read(fd)) => {
                let pipe = self.end(fd, context);
                self.in_middle(pipe.map(|(pipe, _)| pipe), fd, context)
            }
            _ => self.sleeps(sleep_on(place), None, context),
        }
    }

    /// In read(2), write(2) or a splice, asleep in the pipe itself.
    fn at_pipe(&self, operation: Operation, fd: Fd, context: &mut Context<'_>) -> TaskState {
        let access = if operation == Operation::Read { AccessMode::Read } else { AccessMode::Write };
        // The number may have been closed, and used again, while the call goes on.
        let pipe = self.end(fd, context).filter(|(_, own)| *own == access || *own == AccessMode::ReadWrite);
        let wait = PipeWait {
            operation,
            access,
            fd: pipe.is_some().then_some(fd),
            pipe: pipe.map(|(pipe, _)| pipe),
            path: None,
            deleted: false,
        };
        TaskState::Waits { causes: vec![WaitTarget::Pipe(wait)], besides: self.lock() }
    }

    /// Uninterruptible in a pipe: it waits for the lock, not for data.
    fn lock(&self) -> Option<AlternativeWake> {
        (self.state == Some('D')).then_some(AlternativeWake::Lock)
    }

    fn in_middle(&self, pipe: Option<PipeId>, fd: Fd, context: &mut Context<'_>) -> TaskState {
        match pipe {
            Some(pipe) => self.sleep(SleepOn::FileInPipe { pipe }, Some(fd), None),
            None => self.sleeps(SleepOn::Other, Some(fd), context),
        }
    }

    fn at_open(&self, dir: Option<Fd>, path: u64, flags: OpenArgument, context: &mut Context<'_>) -> TaskState {
        let flags = match flags {
            OpenArgument::Flags(flags) => Some(flags),
            // The first member of struct open_how, of 64 bits.
            OpenArgument::How(address) => memory::memory(self.process, address, 8)
                .and_then(|bytes| bytes.try_into().ok())
                .and_then(|bytes| u32::try_from(u64::from_ne_bytes(bytes)).ok()),
        };
        let path = memory::string(self.process, path);
        let start = Start { process: self.process, thread: &self.dir, dir };
        context.watch.doing(Step::Path(self.id.tid));
        let found = match &path {
            Some(path) if !context.skip.paths.contains(&self.id.tid) => start.fifo(path, &context.scanner.root),
            _ => Err(Errno::TIMEDOUT),
        };
        let (pipe, deleted) = (found.ok(), found == Err(Errno::NOENT));
        context.watch.doing(Step::Task(self.id.tid));
        let path = path.map(|path| start.name(path).into());
        let access = flags.and_then(|flags| OpenFlags(flags).access()).unwrap_or(AccessMode::ReadWrite);
        waits(WaitTarget::Pipe(PipeWait { operation: Operation::Open, access, fd: None, pipe, path, deleted }))
    }

    /// In a poll of these descriptors; of something that could not be read where they are none.
    fn at_poll(&self, set: Option<Vec<Fd>>, timeout: bool, context: &mut Context<'_>) -> TaskState {
        let all = set.as_ref().map_or(0, Vec::len);
        let causes: Vec<WaitTarget> = set
            .iter()
            .flatten()
            .filter_map(|fd| {
                let (pipe, access) = self.end(*fd, context)?;
                let (operation, pipe) = (Operation::Poll, Some(pipe));
                let wait = PipeWait { operation, access, fd: Some(*fd), pipe, path: None, deleted: false };
                Some(WaitTarget::Pipe(wait))
            })
            .collect();
        if causes.is_empty() {
            let on = match set {
                None => SleepOn::SomeFiles,
                Some(_) if timeout && all == 0 => SleepOn::Timer,
                Some(_) => SleepOn::Files,
            };
            return self.sleep(on, None, None);
        }
        let files = (causes.len() < all).then_some(AlternativeWake::Files);
        TaskState::Waits { causes, besides: timeout.then_some(AlternativeWake::Timeout).or(files) }
    }

    /// What an epoll watches; none where a file of it cannot be told, since its number is another's by now.
    fn epoll(&self, epoll: Fd, context: &mut Context<'_>) -> Option<Vec<Fd>> {
        let tid = self.table(context);
        if context.skip.fdinfos.contains(&(tid, epoll)) {
            return None;
        }
        context.watch.doing(Step::FdInfo(tid, epoll));
        let text = self.text(&format!("fdinfo/{epoll}"));
        context.watch.doing(Step::Task(self.id.tid));
        let watched = parse::epoll(&text);
        let is_same = |fd: u32, inode: Option<u64>, context: &mut Context<'_>| {
            self.end(Fd(fd), context).is_none_or(|(pipe, _)| Some(pipe.inode()) == inode)
        };
        watched.iter().all(|file| is_same(file.fd, file.inode, context)).then(|| {
            let mut fds: Vec<Fd> = watched.iter().map(|file| Fd(file.fd)).collect();
            fds.dedup();
            fds
        })
    }

    /// The end that a descriptor of this thread is, and how it is open.
    fn end(&self, fd: Fd, context: &mut Context<'_>) -> Option<(PipeId, AccessMode)> {
        self.walk(context, |walk| walk.look(fd).ok().flatten()).map(|found| (found.pipe, found.end.access))
    }

    /// The thread whose table it uses: by its own directory also where that is shared, so that it is surely the right one.
    fn table(&self, context: &Context<'_>) -> Option<Tid> {
        (context.scanner.root.real.is_some() || !self.id.is_leader()).then_some(self.id.tid)
    }

    fn walk<T>(&self, context: &mut Context<'_>, look: impl FnOnce(&Walk<'_, '_>) -> Option<T>) -> Option<T> {
        let mut table = Arc::new(Table { process: Arc::clone(self.process), tid: self.table(context) });
        let listing = open_listing(self.process.dir(), table.path("fd")).or_else(|errno| {
            // A saved tree has a table for a thread only if it is one of its own.
            table = Arc::new(Table { process: Arc::clone(self.process), tid: None });
            if context.scanner.root.real.is_some() { Err(errno) } else { open_listing(self.process.dir(), c"fd") }
        });
        look(&Walk::new(&table, Some(&listing.ok()?), context))
    }

    /// Whether a futex at this address is known to this process only: in memory that no other process shares. So it is for
    /// `pthread_join(3)`, which waits on a futex that is not marked as private.
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
    fn sleeps(&self, on: SleepOn, fd: Option<Fd>, context: &mut Context<'_>) -> TaskState {
        let fd = fd.or_else(|| self.descriptor());
        let target = fd.and_then(|fd| self.walk(context, |walk| walk.link(fd).ok()));
        let on = match target.as_deref() {
            Some(target) if on == SleepOn::Other && target.starts_with(b"socket:[") => SleepOn::Socket,
            Some(target) if on == SleepOn::Other && is_terminal(target) => SleepOn::Terminal,
            _ => on,
        };
        self.sleep(on, fd.filter(|_| target.is_some()), target)
    }

    /// The descriptor that its call is about, if it is a call of a 64-bit caller on one.
    fn descriptor(&self) -> Option<Fd> {
        let Some(Line::Call(number, arguments)) = syscall::line(&self.trace.syscall) else {
            return None;
        };
        match syscall::decode(*Abi::of_machine().first()?, number, arguments)? {
            Call::Read(fd) | Call::Write(fd) => Some(fd),
            _ => None,
        }
    }

    fn sleep(&self, on: SleepOn, fd: Option<Fd>, target: Option<Vec<u8>>) -> TaskState {
        let place = String::from_utf8_lossy(parse::line(&self.trace.wchan)).into_owned();
        TaskState::Sleeps(Sleep { on, fd, target: target.map(Into::into), place })
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
