//! What threads wait for that /proc does not say: by the wait queues and locks of pipes, as the kernel lists them. Such are the threads of
//! processes that may not be traced, and those whose descriptor has been closed since their call began.
//!
//! Changes only what is unknown. What an entry of a queue means is concluded from it and from the call of the thread, each checking the other.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use super::fd_dir::Table;
use super::heartbeat::ScanStep;
use super::polled::Interest;
use super::process::ProcessDir;
use super::recorded;
use super::scanner::{Context, Scanner};
use super::syscall::{Abi, Call, OpenArgument, decode};
use super::work::{self, Work};
use crate::model::{
    AccessMode, AlternativeWake, Fd, OpenFlags, Operation, Pid, PipeId, PipeWait, Sleep, SleepOn, Task, TaskState,
    ThreadGroup, Threads, WaitTarget,
};
use crate::observe::kernel::{Address, EndRecord, Pass, TaskList, TaskRecord, WaitKind, WaitRecord};

/// How many ends of a FIFO are looked at to find its ID, at most.
const MAX_LOOKS: usize = 4;

/// The queues of all pipes.
pub(super) struct Sleepers {
    waits: Vec<WaitRecord>,
    pipes: HashMap<Address, PipeId>,
    /// The descriptors, with the pipe that each is an end of.
    descriptors: HashSet<(Pid, Fd, Address)>,
    /// The descriptors of each open file, and how it is open.
    files: HashMap<Address, Vec<(Pid, Fd, AccessMode)>>,
}

/// Reads them in a worker, since the kernel holds each file for a moment; none if that hung before.
pub(super) fn read(context: &Context<'_>) -> Option<io::Result<Sleepers>> {
    let kernel = context.scanner.options.kernel.as_ref()?.kernel();
    let read = || Ok((kernel.waits()?, kernel.ends(false)?));
    if context.timed_out.contains(ScanStep::Kernel) {
        return None;
    }
    let found = context.heartbeat.during(ScanStep::Kernel, read).map(|(waits, pass)| {
        let mut ends: HashMap<Address, Vec<&EndRecord>> = HashMap::new();
        for end in &pass.ends {
            if let Some(pipe) = end.pipe {
                ends.entry(pipe.address).or_default().push(end);
            }
        }
        let mut pipes = HashMap::new();
        for wait in &waits {
            if !pipes.contains_key(&wait.pipe) {
                let ends = ends.get(&wait.pipe).map_or(&[][..], Vec::as_slice);
                pipes.extend(identify(ends, context).map(|id| (wait.pipe, id)));
            }
        }
        Sleepers::new(waits, pipes, &pass)
    });
    Some(found)
}

/// The pipe of these ends: a FIFO by a look at one of its descriptors, since the kernel's number of its device may be another.
fn identify(ends: &[&EndRecord], context: &Context<'_>) -> Option<PipeId> {
    let pipefs = context.scanner.root.pipefs()?;
    if let Some(id) = ends.first().and_then(|end| recorded::anonymous(end, pipefs)) {
        return Some(id);
    }
    let view = context.scanner.options.kernel.as_ref()?;
    if let Some(id) = ends.iter().find_map(|end| view.named(end)) {
        return Some(id);
    }
    ends.iter().take(MAX_LOOKS).find_map(|end| {
        let tid = Some(end.tid).filter(|tid| tid.0 != end.pid.0);
        let step = ScanStep::Fd(tid, end.fd);
        let process = Arc::new(ProcessDir::open(context.scanner, end.pid).ok()?);
        let look = || {
            let table = Table::new(&process, tid);
            let listing = table.open("fd").ok()?;
            let dir = super::fd_dir::FdDir { table: &table, listing: Some(&listing), context };
            dir.look(end.fd).ok()?.into_iter().flatten().map(|end| end.pipe).find(|pipe| pipe.kind().is_pipe())
        };
        if context.timed_out.contains(step) { None } else { context.heartbeat.during(step, look) }
    })
}

/// Adds what the queues say of the threads that `list` has, if anything is to be asked of them. Where the kernel does not list its queues,
/// all stays as it is.
pub(super) fn add(scanner: &Arc<Scanner>, threads: &mut Threads) {
    let Some(list) = scanner.tasks.as_ref() else { return };
    if !threads.values().any(|group| group.tasks.iter().any(|task| is_open(group, task, list))) {
        return;
    }
    let results = work::run(scanner, vec![Pid(std::process::id())], |_| Work::Sleepers);
    let Some(Ok(sleepers)) = results.into_iter().find_map(|result| result.sleepers) else { return };
    sleepers.add(list, scanner, threads);
}

/// Whether the queues may say what /proc did not.
fn is_open(group: &ThreadGroup, task: &Task, list: &TaskList) -> bool {
    let is_asleep = || list.record(task.id).is_some_and(|record| record.sleep().is_some());
    match &task.doing {
        // Of one that was given up, not even its start is known, and one that has woken since has a line in its file.
        TaskState::Unknown => {
            task.trace.started.is_some() && task.trace.syscall.is_empty() && is_asleep() && is_whole(group, list)
        }
        TaskState::Waits { besides: Some(AlternativeWake::Lock), .. } => true,
        TaskState::Waits { .. } => task.doing.pipe_waits().any(is_unidentified) && is_asleep(),
        _ => false,
    }
}

fn is_unidentified(wait: &PipeWait) -> bool {
    wait.pipe.is_none() && wait.operation != Operation::Open
}

/// Whether the threads of a process are those that are listed.
fn is_whole(group: &ThreadGroup, list: &TaskList) -> bool {
    let listed = list.of(group.pid).iter().map(|record| record.tid);
    group.tasks.iter().map(|task| task.id.tid).eq(listed)
}

impl Sleepers {
    fn new(waits: Vec<WaitRecord>, pipes: HashMap<Address, PipeId>, pass: &Pass) -> Self {
        let mut sleepers = Self { waits, pipes, descriptors: HashSet::new(), files: HashMap::new() };
        for end in &pass.ends {
            if let Some(pipe) = end.pipe {
                sleepers.descriptors.insert((end.pid, end.fd, pipe.address));
            }
            if let Some(access) = end.access {
                sleepers.files.entry(end.file).or_default().push((end.pid, end.fd, access));
            }
        }
        sleepers
    }

    fn add(&self, list: &TaskList, scanner: &Scanner, threads: &mut Threads) {
        let mut by_thread: HashMap<Address, Vec<&WaitRecord>> = HashMap::new();
        for wait in &self.waits {
            let polling = wait.poll.map(|poll| poll.task);
            for task in wait.task.into_iter().chain(polling) {
                by_thread.entry(task).or_default().push(wait);
            }
        }
        for group in threads.values_mut() {
            let is_whole = is_whole(group, list);
            for task in &mut group.tasks {
                let Some(record) = list.record(task.id).filter(|record| record.sleep().is_some()) else { continue };
                let Some(waits) = by_thread.get(&record.task) else { continue };
                let Some(doing) = self.doing(record, waits, &task.doing, is_whole) else { continue };
                if task.idle.is_none() {
                    task.idle = record.last_run.and_then(|last_run| scanner.clock().idle(last_run, record.processor));
                }
                // What shows whether it ran meanwhile: /proc may have said nothing of that.
                task.trace.switches = task.trace.switches.or_else(|| Some(record.all_switches()));
                task.doing = doing;
            }
        }
    }

    /// What a thread does by its entries, if that says more than is known.
    fn doing(
        &self,
        record: &TaskRecord,
        waits: &[&WaitRecord],
        known: &TaskState,
        is_whole: bool,
    ) -> Option<TaskState> {
        let holds = waits.iter().find(|wait| wait.how == WaitKind::HoldsLock && wait.task == Some(record.task));
        let sleeps = waits.iter().find(|wait| wait.how != WaitKind::HoldsLock && wait.task == Some(record.task));
        match (known, holds, sleeps) {
            (TaskState::Unknown, ..) if !is_whole => None,
            (TaskState::Sleeps { sleep: Sleep { on: SleepOn::FileInPipe { .. }, .. } }, ..) => None,
            (TaskState::Unknown | TaskState::Sleeps { .. }, Some(wait), _) => self.holder(record, wait, known),
            (TaskState::Unknown, None, Some(wait)) => {
                Some(TaskState::Waits { causes: vec![WaitTarget::Pipe(self.wait(record, wait))], besides: None })
            }
            (TaskState::Waits { besides, .. }, _, Some(wait)) if known.pipe_waits().any(is_unidentified) => {
                let wait = self.wait(record, wait);
                wait.pipe
                    .is_some()
                    .then(|| TaskState::Waits { causes: vec![WaitTarget::Pipe(wait)], besides: *besides })
            }
            (TaskState::Unknown, None, None) => self.poll(record, waits),
            _ => None,
        }
    }

    /// It holds the lock of a pipe while it sleeps elsewhere.
    fn holder(&self, record: &TaskRecord, wait: &WaitRecord, known: &TaskState) -> Option<TaskState> {
        let pipe = *self.pipes.get(&wait.pipe)?;
        let place = if let TaskState::Sleeps { sleep } = known { sleep.place.clone() } else { String::new() };
        let fds = match call(record) {
            Some(Call::Read(fd) | Call::Write(fd) | Call::Vmsplice(fd)) => vec![fd],
            Some(Call::Move(from, to)) => vec![from, to],
            _ => Vec::new(),
        };
        let fd = fds.into_iter().find(|fd| self.is_end(record.pid, *fd, wait.pipe));
        Some(TaskState::Sleeps { sleep: Sleep { on: SleepOn::FileInPipe { pipe }, fd, target: None, place } })
    }

    /// It sleeps in a pipe.
    fn wait(&self, record: &TaskRecord, wait: &WaitRecord) -> PipeWait {
        let is_reader = wait.how == WaitKind::Readers;
        let (mut operation, mut access) =
            if is_reader { (Operation::Read, AccessMode::Read) } else { (Operation::Write, AccessMode::Write) };
        let fd = match call(record) {
            Some(Call::Read(fd) | Call::Write(fd) | Call::Vmsplice(fd)) => Some(fd),
            Some(Call::Move(from, to)) => Some(if is_reader { from } else { to }),
            // All that open a FIFO wait in the queue of readers (`wait_for_partner` in fs/pipe.c).
            Some(Call::Open { flags, .. }) => {
                operation = Operation::Open;
                access = match flags {
                    OpenArgument::Flags(flags) => OpenFlags(flags).access().unwrap_or(AccessMode::ReadWrite),
                    OpenArgument::OpenHow(_) => AccessMode::ReadWrite,
                };
                None
            }
            _ => None,
        };
        let fd = fd.filter(|fd| self.is_end(record.pid, *fd, wait.pipe));
        PipeWait {
            operation,
            access,
            fd,
            pipe: self.pipes.get(&wait.pipe).copied(),
            path: None,
            deleted: false,
            full: false,
        }
    }

    /// It polls pipes, and perhaps other files.
    fn poll(&self, record: &TaskRecord, waits: &[&WaitRecord]) -> Option<TaskState> {
        let polls: Vec<_> = waits.iter().filter_map(|wait| Some((wait.pipe, wait.poll?))).collect();
        let (_, first) = polls.first()?;
        let mut causes: Vec<WaitTarget> = Vec::new();
        for (pipe, poll) in &polls {
            let of_file = self.files.get(&poll.file).map_or(&[][..], Vec::as_slice);
            let own = of_file.iter().find(|(pid, ..)| *pid == record.pid);
            let Some((_, _, open_for)) = own.or_else(|| of_file.first()).copied() else { continue };
            let asks = Interest::of_events(poll.asks);
            let (operation, access) = match asks.at(open_for) {
                Some(asked) => (Operation::Poll, asked),
                None => (Operation::Hangup, open_for),
            };
            let full = operation == Operation::Poll && asks.shows_full(access);
            let fd = own.map(|(_, fd, _)| *fd);
            let pipe = self.pipes.get(pipe).copied();
            let cause = WaitTarget::Pipe(PipeWait { operation, access, fd, pipe, path: None, deleted: false, full });
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        let timeout = match call(record) {
            Some(Call::Poll { timeout, .. } | Call::Restart { timeout, .. }) => timeout,
            _ => true,
        };
        let is_for_pipes_only = first.files.and_then(|files| usize::try_from(files).ok()) == Some(polls.len());
        let besides = match (timeout, is_for_pipes_only) {
            (true, _) => Some(AlternativeWake::Timeout),
            (false, false) => Some(AlternativeWake::Files),
            (false, true) => None,
        };
        (!causes.is_empty()).then_some(TaskState::Waits { causes, besides })
    }

    /// Whether a descriptor of a process is an end of that pipe.
    fn is_end(&self, pid: Pid, fd: Fd, pipe: Address) -> bool {
        self.descriptors.contains(&(pid, fd, pipe))
    }
}

/// The call that a thread is in.
fn call(record: &TaskRecord) -> Option<Call> {
    let entry = record.entry?;
    decode(*Abi::of_machine().first()?, i64::try_from(entry.call?).ok()?, entry.arguments)
}
