//! What the programs in the kernel write, as plain data. Kernel addresses are only compared: they have no text and are never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::programs::files::{MINOR_BITS, Raw};
use super::programs::{processes, tasks, waits};
use crate::model::{AccessMode, CommandName, Device, Fd, OpenFlags, Pid, Tid, Uid};

/// The address of something in the kernel, which distinguishes one thing from another and shows nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address(u64);

impl Address {
    pub(crate) const fn new(address: u64) -> Self {
        Self(address)
    }
}

/// Without the number.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

/// One pass over the open files of all processes, in the order of the kernel.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) ends: Vec<EndRecord>,
    /// The pages that the kernel counts for each user that made a pipe; empty where only pipes were asked for.
    pub(crate) users: BTreeMap<Uid, u64>,
}

/// The kind of a file that a pass lists. Others are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// A pipe or FIFO, also one that is open with `O_PATH`.
    Pipe,
    Socket,
    CharacterDevice,
}

/// A descriptor of a pipe, socket or character device.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EndRecord {
    pub(crate) pid: Pid,
    /// The thread that showed it: the leader, or a thread with an fd table of its own.
    pub(crate) tid: Tid,
    pub(crate) fd: Fd,
    /// The fd table (`struct files_struct`), which several processes may share.
    pub(crate) table: Address,
    /// The open file description (`struct file`).
    pub(crate) file: Address,
    /// How many references there are to it: descriptors, calls that go on, descriptors in flight.
    pub(crate) references: u64,
    pub(crate) kind: FileKind,
    pub(crate) inode: u64,
    /// `s_dev`, which on some file systems is not the `st_dev` of stat(2).
    pub(crate) device: Device,
    /// Whether its last name is gone (`i_nlink`).
    pub(crate) unlinked: bool,
    /// None for `O_PATH`.
    pub(crate) access: Option<AccessMode>,
    /// As in fdinfo; without `O_CLOEXEC` where the close-on-exec flag could not be read.
    pub(crate) flags: OpenFlags,
    /// Whether the close-on-exec flag is in `flags`.
    pub(crate) has_cloexec: bool,
    /// None of a socket or device, and of a FIFO that is open with `O_PATH` only.
    pub(crate) pipe: Option<PipeState>,
}

/// `FMODE_…` of linux/fs.h.
const MODE_READ: u32 = 1;
const MODE_WRITE: u32 = 2;
const MODE_PATH: u32 = 0x4000;

impl EndRecord {
    /// None if it is not what the program writes.
    pub(super) fn from_raw(raw: &Raw) -> Option<Self> {
        let kind = match raw.file_type {
            libc::S_IFIFO => FileKind::Pipe,
            libc::S_IFSOCK => FileKind::Socket,
            libc::S_IFCHR => FileKind::CharacterDevice,
            _ => return None,
        };
        let has = |mode| raw.file_mode & mode != 0;
        let access = match (has(MODE_PATH), has(MODE_READ), has(MODE_WRITE)) {
            (false, true, false) => Some(AccessMode::Read),
            (false, false, true) => Some(AccessMode::Write),
            (false, true, true) => Some(AccessMode::ReadWrite),
            _ => None,
        };
        let has_cloexec = raw.has_cloexec != 0;
        let cloexec = libc::O_CLOEXEC.cast_unsigned();
        let flag = if has_cloexec && raw.cloexec != 0 { cloexec } else { 0 };
        let pipe = PipeState {
            address: Address::new(raw.pipe),
            readers: raw.readers,
            writers: raw.writers,
            files: raw.files,
            read_opens: raw.read_opens,
            write_opens: raw.write_opens,
            slots: raw.slots,
            max_slots: raw.max_slots,
            queued: (raw.has_queued != 0 || raw.slots == 0).then_some(raw.queued),
        };
        Some(Self {
            pid: Pid(raw.pid),
            tid: Tid(raw.tid),
            fd: Fd(raw.fd),
            table: Address::new(raw.table),
            file: Address::new(raw.file),
            references: raw.references,
            kind,
            inode: raw.inode,
            device: device(raw.device),
            unlinked: raw.links == 0,
            access,
            flags: OpenFlags(raw.file_flags & !cloexec | flag),
            has_cloexec,
            pipe: (raw.pipe != 0).then_some(pipe),
        })
    }
}

/// As the kernel numbers devices within itself.
const fn device(number: u32) -> Device {
    Device { major: number >> MINOR_BITS, minor: number & ((1 << MINOR_BITS) - 1) }
}

/// What `struct pipe_inode_info` says of a pipe.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PipeState {
    pub(crate) address: Address,
    /// Open files with `FMODE_READ`, and threads that are opening it so.
    pub(crate) readers: u32,
    pub(crate) writers: u32,
    /// All open files but those with `O_PATH`.
    pub(crate) files: u32,
    /// How often an end was opened: they only grow.
    pub(crate) read_opens: u32,
    pub(crate) write_opens: u32,
    /// Used slots, and the most that may be used.
    pub(crate) slots: u32,
    pub(crate) max_slots: u32,
    /// Bytes in the pipe; none where they could not be counted.
    pub(crate) queued: Option<u64>,
}

/// A process.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProcessRecord {
    pub(crate) pid: Pid,
    /// 0 for a process without a parent. None in a PID namespace other than the initial.
    pub(crate) parent: Option<Pid>,
    /// Its effective user. None in a PID namespace other than the initial, and of a process in one: only /proc has its numbers there.
    pub(crate) user: Option<Uid>,
    /// When it was started, after boot.
    pub(crate) started: Duration,
    pub(crate) command: CommandName,
}

impl ProcessRecord {
    /// None for bytes that no program of this kernel writes.
    pub(super) fn from_bytes(bytes: &[u8], is_initial: bool) -> Option<Self> {
        let raw = processes::Raw::from_bytes(bytes)?;
        let command = [raw.command.to_ne_bytes(), raw.command_end.to_ne_bytes()].concat();
        let command = command.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(Self {
            pid: Pid(raw.pid),
            parent: is_initial.then_some(Pid(raw.parent)),
            user: (is_initial && raw.level == 0).then_some(Uid(raw.user)),
            started: Duration::from_nanos(raw.started),
            command: command.to_vec().into(),
        })
    }
}

/// A thread.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TaskRecord {
    pub(crate) task: Address,
    pub(crate) pid: Pid,
    pub(crate) tid: Tid,
    /// 0 if it is outside of the PID namespace, as in /proc.
    pub(crate) parent: Option<Pid>,
    /// `task_struct.__state`.
    pub(crate) state: u32,
    pub(crate) on_cpu: bool,
    /// `PF_…` of linux/sched.h.
    pub(crate) flags: u32,
    /// Voluntary and other context switches.
    pub(crate) switches: (u64, u64),
    /// When it was started, in nanoseconds after boot.
    pub(crate) started: u64,
    /// When it was last on a processor, by the clock of that: `se.exec_start`. None after it was moved to another one.
    pub(crate) last_run: Option<Duration>,
    /// The processor on which it last ran; none where the kernel does not say.
    pub(crate) processor: Option<u32>,
    /// How it entered the kernel; none where registers cannot be read, and of a 32-bit caller.
    pub(crate) entry: Option<Entry>,
    pub(crate) command: CommandName,
    /// Its fd table and memory, which threads of other processes may use too, and its process group and session.
    pub(crate) table: Address,
    pub(crate) memory: Address,
    pub(crate) group: Address,
    pub(crate) session: Address,
}

/// How a thread entered the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The number of the system call; none if it was none, as in a page fault.
    pub(crate) call: Option<u64>,
    pub(crate) arguments: [u64; 6],
    pub(crate) stack: u64,
    pub(crate) instruction: u64,
}

/// `TS_COMPAT` of the thread's status on x86: its call is one of a 32-bit caller, whose arguments are in other registers.
const COMPAT: u32 = 2;

impl TaskRecord {
    /// None if it is not what the program writes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let raw = tasks::Raw::from_bytes(bytes)?;
        let name: Vec<u8> = [raw.command_begin, raw.command_end].into_iter().flat_map(u64::to_ne_bytes).collect();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        // Of the C type int on some machines: a negative one is none.
        let call = i32::try_from(raw.call.cast_signed()).ok().filter(|it| *it >= 0).map(i32::cast_unsigned);
        let arguments =
            [raw.argument_0, raw.argument_1, raw.argument_2, raw.argument_3, raw.argument_4, raw.argument_5];
        let entry = Entry { call: call.map(u64::from), arguments, stack: raw.stack, instruction: raw.instruction };
        Some(Self {
            task: Address(raw.task),
            pid: Pid(raw.pid),
            tid: Tid(raw.tid),
            parent: Some(Pid(raw.parent)),
            state: raw.state,
            on_cpu: raw.on_cpu != 0,
            flags: raw.flags,
            switches: (raw.voluntary, raw.other),
            started: raw.started,
            last_run: (raw.last_run != 0).then(|| Duration::from_nanos(raw.last_run)),
            processor: (raw.has_processor != 0).then_some(raw.processor),
            entry: (raw.has_call != 0 && raw.status & COMPAT == 0).then_some(entry),
            command: name.into(),
            table: Address::new(raw.table),
            memory: Address(raw.memory),
            group: Address(raw.group),
            session: Address(raw.session),
        })
    }
}

/// A thread or an epoll in the wait queue of a pipe, or the thread that holds its lock. What is read of a queue that changes meanwhile may
/// be anything: a thread counts only if it is one of those that [`TaskRecord`]s have.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct WaitRecord {
    pub(crate) pipe: Address,
    pub(crate) inode: u64,
    /// `s_dev`, which on some file systems is not the `st_dev` of stat(2).
    pub(crate) device: Device,
    pub(crate) how: WaitKind,
    /// The thread that sleeps in the pipe, or holds its lock.
    pub(crate) task: Option<Address>,
    /// If it is not a thread that sleeps in the pipe: a poll.
    pub(crate) poll: Option<PollRecord>,
    /// If it is neither: an epoll.
    pub(crate) epoll: Option<Address>,
    /// The number of entries before it in the queue.
    pub(super) place: u32,
    /// Whether the queue may be longer than what is listed of it.
    pub(crate) is_last: bool,
}

/// A pipe in the set of a poll(2) or select(2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PollRecord {
    /// The thread that polls.
    pub(crate) task: Address,
    /// The open file description that it polls.
    pub(crate) file: Address,
    /// The events that it asks for.
    pub(crate) asks: u32,
    /// How many files it waits for; none if there are more than a few.
    pub(crate) files: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WaitKind {
    /// Sleeps or polls on the queue of readers.
    Readers,
    /// On that of writers.
    Writers,
    /// Holds the lock of the pipe.
    HoldsLock,
}

impl WaitRecord {
    /// None if it is not what the program writes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let raw = waits::Raw::from_bytes(bytes)?;
        let how = match raw.queue {
            waits::READERS => WaitKind::Readers,
            waits::WRITERS => WaitKind::Writers,
            waits::LOCK => WaitKind::HoldsLock,
            _ => return None,
        };
        let address = |address| (address != 0).then_some(Address(address));
        let poll = address(raw.polling).map(|task| PollRecord {
            task,
            file: Address::new(raw.file),
            // The events are in the lower half of the key.
            asks: u32::try_from(raw.asks & u64::from(u32::MAX)).unwrap_or_default(),
            files: (raw.more == 0).then_some(raw.polled),
        });
        Some(Self {
            pipe: Address::new(raw.pipe),
            inode: raw.inode,
            device: device(raw.device),
            how,
            task: address(raw.private),
            poll: poll.filter(|_| how != WaitKind::HoldsLock),
            epoll: address(raw.epoll).filter(|_| how != WaitKind::HoldsLock && raw.private == 0),
            place: raw.before,
            is_last: raw.before + 1 >= waits::MAX_ENTRIES,
        })
    }
}
