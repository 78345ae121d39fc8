//! The kernel's own account: BPF iterators over the open files and threads of all processes. Owns the programs and how they are loaded.
//!
//! Reads nothing of /proc and judges nothing.

mod account;
mod assembly;
mod btf;
mod iterator;
mod programs;
mod record;
mod task_list;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::AsRawFd as _;
use std::sync::OnceLock;

use thiserror::Error;

pub(crate) use self::account::account;
use self::assembly::AssemblyError;
use self::btf::{Btf, BtfError};
use self::iterator::Iterator;
use self::programs::files::{self, Options, Tier};
use self::programs::{Cast, processes, tasks, waits};
pub(crate) use self::record::{
    Address, EndRecord, Entry, FileKind, Pass, ProcessRecord, TaskRecord, WaitKind, WaitRecord,
};
pub(crate) use self::task_list::TaskList;
use crate::model::{Pid, Tid, Uid};
use crate::sys::bpf::{self, FixedFile};

/// Why the kernel does not give its account.
#[derive(Debug, Error)]
pub(crate) enum Unavailable {
    /// A call failed.
    #[error("{call}: {error}")]
    Call { call: &'static str, error: io::Error },
    /// The verifier refuses a program.
    #[error("bpf(BPF_PROG_LOAD): {error}: {said}")]
    Refused {
        error: io::Error,
        /// The last line of its log.
        said: String,
    },
    /// The types of this kernel are not those that the programs are made for.
    #[error(transparent)]
    Types(#[from] BtfError),
    /// As before: something is too wide or too far away.
    #[error(transparent)]
    Program(#[from] AssemblyError),
    /// PIDs would be those of another PID namespace: only the initial one can do without reading by address.
    #[error("this kernel lets no BPF program translate PIDs, and lspipe is not in the initial PID namespace")]
    PidNamespace,
}

/// The programs, loaded.
pub(crate) struct Kernel {
    btf: Btf<FixedFile>,
    options: Options,
    layout: files::Layout,
    /// As [`Iterator::within`].
    room: usize,
    pipes: Iterator,
    processes: Iterator,
    /// Lists sockets and character devices too; loaded when it is asked for.
    channels: OnceLock<Iterator>,
    /// Likewise; with the error where they cannot be loaded.
    tasks: OnceLock<Result<Iterator, String>>,
    waits: OnceLock<Result<Iterator, String>>,
}

impl Kernel {
    /// Loads what the kernel and the rights of this process allow: `full`, else `core`. `initial_pids` says whether this process is in the
    /// initial PID namespace.
    pub(crate) fn open(initial_pids: bool) -> Result<Self, Unavailable> {
        let mut opened = Self::open_tier(Tier::Full, true, initial_pids);
        for (tier, may_cast) in [(Tier::Full, false), (Tier::Core, false)] {
            // A right that is lacking is needed by the others, too.
            if !matches!(opened, Err(Unavailable::Refused { .. })) {
                break;
            }
            opened = Self::open_tier(tier, may_cast, initial_pids);
        }
        opened
    }

    fn open_tier(tier: Tier, may_cast: bool, initial_pids: bool) -> Result<Self, Unavailable> {
        if tier == Tier::Core && !initial_pids {
            return Err(Unavailable::PidNamespace);
        }
        let types = FixedFile::kernel_types();
        let types = types.map_err(|error| Unavailable::Call { call: "open(/sys/kernel/btf/vmlinux)", error })?;
        let (btf, functions) = Btf::parse(types, [files::FUNCTION, processes::FUNCTION, Cast::FUNCTION])?;
        let [of_files, of_tasks, of_cast] = functions;
        let cast = of_cast.ok().filter(|_| may_cast).map(Cast::by);
        let layout = files::Layout::of(&btf, of_files?)?;
        let options = Options { tier, channels: false, initial_pids, cast };
        let pipes = load(&layout, options)?;
        let of_processes = processes::Layout::of(&btf, of_tasks?)?;
        let code = processes::assemble(&of_processes, initial_pids, cast)?;
        let processes = Iterator::load(c"lspipe_tasks", of_processes.function(), &code, processes::Raw::SIZE)?;
        let (channels, tasks, waits) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Self { btf, options, layout, room: usize::MAX, pipes, processes, channels, tasks, waits })
    }

    /// With lists of no more than this, in bytes. For longer ones there is an error of the kind `OutOfMemory`.
    pub(crate) fn within(self, room: usize) -> Self {
        Self { room, pipes: self.pipes.within(room), processes: self.processes.within(room), ..self }
    }

    /// All processes, by their first threads: also those of the kernel, and those that have ended and are not waited for.
    pub(crate) fn processes(&self) -> io::Result<Vec<ProcessRecord>> {
        let initial_pids = self.options.initial_pids;
        self.processes.records(|bytes| ProcessRecord::from_bytes(bytes, initial_pids))
    }

    /// One pass over the open files: pipes and FIFOs, and with `channels` also sockets and character devices, but not /dev/null and others
    /// of its major number. A table that several threads of a process share is listed once.
    pub(crate) fn ends(&self, channels: bool) -> io::Result<Pass> {
        let iterator = if channels { self.with_channels()? } else { &self.pipes };
        let mut users = BTreeMap::new();
        let mut ends = iterator.records(|bytes| {
            let raw = files::Raw::from_bytes(bytes)?;
            if raw.has_user != 0 {
                users.insert(Uid(raw.user), raw.user_pages);
            }
            EndRecord::from_raw(&raw)
        })?;
        // The kernel leaves out a thread that has the table of its leader. If the leader has exited, it lists the table for each.
        let mut listed: HashMap<(Pid, Address), Tid> = HashMap::new();
        ends.retain(|end| end.pid.0 == end.tid.0 || *listed.entry((end.pid, end.table)).or_insert(end.tid) == end.tid);
        Ok(Pass { ends, users })
    }

    /// All threads of user space, those of zombies included, in the order of the kernel: ascending by thread ID.
    ///
    /// # Errors
    ///
    /// Those of bpf(2) and read(2), also of loading the program.
    pub(crate) fn tasks(&self) -> io::Result<Vec<TaskRecord>> {
        let Options { initial_pids, tier, .. } = self.options;
        let load = || {
            let layout = tasks::Layout::of(&self.btf)?;
            let load = |registers| {
                let code = tasks::assemble(
                    &layout,
                    tasks::Options { registers, initial_pids, by_address: tier == Tier::Full },
                )?;
                Iterator::load(c"lspipe_threads", layout.function(), &code, tasks::Raw::SIZE)
            };
            load(true).or_else(|_| load(false)).map(|tasks| tasks.within(self.room))
        };
        loaded(&self.tasks, load)?.records(TaskRecord::from_bytes)
    }

    /// The threads and epolls in the wait queues of pipes, and the holders of the locks of pipes. A queue is walked without its lock, so
    /// that entries may be missing. Pipes that no fd table shows are missing.
    ///
    /// # Errors
    ///
    /// As [`tasks`](Self::tasks); also where the kernel does not let programs read by address.
    pub(crate) fn waits(&self) -> io::Result<Vec<WaitRecord>> {
        let load = || {
            let layout = waits::Layout::of(&self.btf)?;
            let map = |pipes| bpf::hash_map(waits::KEY, waits::VALUE, pipes);
            // Before Linux 5.11 it counts as locked memory, of which little is allowed.
            let walked = map(waits::MAX_PIPES).or_else(|_| map(waits::FEW_PIPES));
            let walked = walked.map_err(|error| Unavailable::Call { call: "bpf(BPF_MAP_CREATE)", error })?;
            let code = waits::assemble(&layout, walked.as_raw_fd(), self.options.cast)?;
            let waits = Iterator::load(c"lspipe_waits", layout.function(), &code, waits::Raw::SIZE)?;
            Ok(waits.within(self.room))
        };
        let mut waits = loaded(&self.waits, load)?.records(WaitRecord::from_bytes)?;
        // A pipe for which the map had no room is walked by each of its descriptors: the first walk counts.
        let mut walks: HashMap<(Address, WaitKind), u32> = HashMap::new();
        waits.retain(|wait| {
            let walk = walks.entry((wait.pipe, wait.how)).or_default();
            *walk += u32::from(wait.place == 0);
            *walk == 1
        });
        Ok(waits)
    }

    fn with_channels(&self) -> io::Result<&Iterator> {
        if self.channels.get().is_none() {
            let loaded = load(&self.layout, Options { channels: true, ..self.options }).map_err(io::Error::other)?;
            // Another thread may have been faster; either will do.
            let _ = self.channels.set(loaded.within(self.room));
        }
        self.channels.get().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A program that is loaded when it is first asked for.
fn loaded(
    program: &OnceLock<Result<Iterator, String>>,
    load: impl FnOnce() -> Result<Iterator, Unavailable>,
) -> io::Result<&Iterator> {
    let load = || load().map_err(|error| error.to_string());
    program.get_or_init(load).as_ref().map_err(|error| io::Error::other(error.clone()))
}

fn load(layout: &files::Layout, options: Options) -> Result<Iterator, Unavailable> {
    let code = files::assemble(layout, options)?;
    Iterator::load(c"lspipe_files", layout.function(), &code, files::Raw::SIZE)
}

/// Reads any bytes as the types of a kernel.
#[cfg(fuzzing)]
pub(crate) fn read_types(bytes: &[u8]) {
    btf::look_up(bytes);
}

#[cfg(test)]
mod stress_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod thread_tests;
