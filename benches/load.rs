//! Loads: numbers of real processes that hold descriptors and do nothing.
//!
//! The benchmark starts itself again for each of them. A load process opens what its arguments say, then stops itself
//! with SIGSTOP, which shows its parent that it is ready, and leaves no descriptor of the benchmark's own in its table.
//! None outlives the benchmark, even one that is killed: the kernel then kills them too.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::process::{self, Child, Command, ExitCode, Stdio};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getpid, getppid, getrlimit, kill_process,
    set_parent_process_death_signal, setrlimit, waitid,
};

use crate::report::Goal;
use crate::sys::close_all_on_exec;

/// The argument that makes this program a load process.
pub(crate) const ROLE: &str = "--hold";

/// Standard input, output and error.
const STANDARD: usize = 3;

/// What a process needs below its limit besides its load: the libraries being loaded, and rounding.
const SPARE: usize = 16;

/// A load to be built, and what is asked of lspipe on it besides its speed.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    processes: usize,
    /// Descriptors of each process that are not pipe ends, with the standard three.
    files: usize,
    /// Pipes of which each process alone holds both ends.
    pipes: usize,
    /// Pipes of which every process has inherited both ends.
    shared: usize,
    /// For the memory that lspipe takes, in MiB.
    pub(crate) peak_goal: Option<Goal>,
    /// For the JSON that it writes, in kB.
    pub(crate) json_goal: Option<Goal>,
}

impl Plan {
    const EMPTY: Self =
        Self { name: "", processes: 1, files: STANDARD, pipes: 0, shared: 0, peak_goal: None, json_goal: None };

    /// Descriptors of each process.
    fn descriptors(&self) -> usize {
        self.files + 2 * (self.pipes + self.shared)
    }

    /// With no more files and pipes than a process may open.
    fn fit(&self, limit: usize) -> Self {
        let wanted = self.descriptors();
        let granted = limit.saturating_sub(SPARE).min(wanted);
        if granted < wanted {
            println!("notice: {granted} descriptors in a process, not {wanted}: RLIMIT_NOFILE is {limit}");
        }
        let [files, pipes] = [self.files, self.pipes].map(|count| count * granted / wanted);
        Self { files: files.max(STANDARD), pipes, ..*self }
    }

    /// Starts one of its processes.
    fn spawn(&self) -> io::Result<Child> {
        Command::new(env::current_exe()?)
            .arg(ROLE)
            .args([process::id().to_string(), self.files.to_string(), self.pipes.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }
}

/// A quarter of the descriptors of `many` and `big` are pipe ends, which is much: a scan must distinguish the rest from them.
pub(crate) const PLANS: [Plan; 4] = [
    Plan { name: "many", processes: 2000, files: 38, pipes: 6, ..Plan::EMPTY },
    Plan { name: "big", files: 14_440, pipes: 2280, ..Plan::EMPTY },
    Plan { name: "shared", processes: 400, shared: 8, json_goal: Some(Goal::AtMost(1000.0)), ..Plan::EMPTY },
    Plan { name: "ends", processes: 27, pipes: 1000, peak_goal: Some(Goal::AtMost(40.0)), ..Plan::EMPTY },
];

/// The processes of a load, which end when this is dropped.
pub(crate) struct Load {
    holders: Vec<Child>,
    descriptors: usize,
}

impl Load {
    /// Returns when all processes are ready. If so many descriptors are not to be had, there are fewer, and this is said.
    pub(crate) fn build(plan: &Plan) -> Result<Self, Box<dyn Error>> {
        let plan = plan.fit(raise_descriptor_limit()?);
        // What the benchmark was itself started with must not stand in each process: a pipe with thousands of ends.
        close_all_on_exec()?;
        let shared = shared_pipes(plan.shared)?;
        let mut load = Self { holders: Vec::with_capacity(plan.processes), descriptors: plan.descriptors() };
        for _ in 0..plan.processes {
            let child = plan.spawn().map_err(|error| {
                let (got, wanted) = (load.holders.len(), plan.processes);
                format!("{}: no more than {got} processes of {wanted}: {error}", plan.name)
            })?;
            load.holders.push(child);
        }
        drop(shared);
        load.holders.iter().try_for_each(await_ready)?;
        Ok(load)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (processes, descriptors) = (self.holders.len(), self.descriptors);
        write!(out, "{processes} processes × {descriptors} descriptors")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // All are killed before the first is waited for: they end side by side. One that is gone already is no error.
        for holder in &mut self.holders {
            let _ = holder.kill();
        }
        for holder in &mut self.holders {
            let _ = holder.wait();
        }
    }
}

/// Raises the soft limit as far as the hard one allows, for this process and its children.
fn raise_descriptor_limit() -> io::Result<usize> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// Pipes that every process started from now on inherits, both ends.
fn shared_pipes(count: usize) -> io::Result<Vec<(PipeReader, PipeWriter)>> {
    let mut pipes = Vec::with_capacity(count);
    for _ in 0..count {
        let (reader, writer) = io::pipe()?;
        fcntl_setfd(&reader, FdFlags::empty())?;
        fcntl_setfd(&writer, FdFlags::empty())?;
        pipes.push((reader, writer));
    }
    Ok(pipes)
}

/// Returns when the process has stopped itself; an error when it ended instead, which its exit status explains.
fn await_ready(holder: &Child) -> io::Result<()> {
    let id = WaitId::Pid(Pid::from_child(holder));
    let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    match waitid(id, options)? {
        Some(status) if status.stopped() => Ok(()),
        status => {
            let code = status.and_then(|status| status.exit_status());
            let cause = code.map_or_else(|| "killed".to_owned(), exit_cause);
            Err(io::Error::other(format!("a load process ended: {cause}")))
        }
    }
}

/// A load process has no standard error to complain on: it exits with its errno.
fn exit_cause(code: i32) -> String {
    io::Error::from_raw_os_error(code).to_string()
}

/// The life of a load process: `--hold PARENT FILES PIPES`. Returns only if it fails.
pub(crate) fn hold(arguments: &[String]) -> ExitCode {
    let Err(error) = try_hold(arguments);
    let errno = error.raw_os_error().and_then(|errno| u8::try_from(errno).ok());
    errno.map_or(ExitCode::FAILURE, ExitCode::from)
}

fn try_hold(arguments: &[String]) -> io::Result<Infallible> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let [parent, files, pipes] = arguments else {
        return Err(Errno::INVAL.into());
    };
    let _files = open_files(count(files)?.saturating_sub(STANDARD))?;
    let _pipes: Vec<_> = (0..count(pipes)?).map(|_| io::pipe()).collect::<Result<_, _>>()?;
    // The parent may have ended before the signal of its death was asked for.
    while getppid().is_some_and(|pid| pid.to_string() == *parent) {
        kill_process(getpid(), Signal::STOP)?;
    }
    Err(Errno::SRCH.into())
}

fn count(argument: &str) -> io::Result<usize> {
    argument.parse().map_err(|_| Errno::INVAL.into())
}

/// Devices and regular files by turns: neither kind may be cheaper to pass over than it is in life.
fn open_files(count: usize) -> io::Result<Vec<File>> {
    let regular = env::current_exe()?;
    (0..count).map(|index| if index % 2 == 0 { File::open("/dev/null") } else { File::open(&regular) }).collect()
}
