//! Which pipes a path leads to, for a PIPE on the command line.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FileType as Type, Mode, OFlags, Statx, StatxFlags};

use super::root::{ProcRoot, number_name, statx};
use super::work::{self, Work};
use super::{Budget, Error, ScanOptions, devpts, sockets, with_scanner};
use crate::model::{Fd, Pid, PipeId, Tid};
use crate::observe::channel::{self, Channel, Pipefs};
use crate::privilege::without_capabilities;

/// Maximum time to look up a path.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a path leads to.
pub(crate) struct Found {
    pub(crate) pipes: Vec<PipeId>,
    /// The FIFO that it names, open with `O_PATH`.
    pub(crate) fifo: Option<OwnedFd>,
}

/// Finds the pipes that a path leads to, ascending: a FIFO, a bound UNIX socket or a terminal by any of its names, or a descriptor in
/// `/proc/PID/fd`, of the given proc root. A socket or a terminal is several. What is there is opened with `O_PATH` only, which is no end
/// of a FIFO. Fails if there is nothing at the path, or it is something else.
pub(crate) fn pipes_at(proc_root: &Path, path: &Path, budget: &Arc<Budget>) -> Result<Found, Error> {
    let root = ProcRoot::open(proc_root)?;
    // `/proc` means the given proc root.
    let place = match path.strip_prefix("/proc") {
        Ok(below) => proc_root.join(below),
        Err(_) => path.to_owned(),
    };
    // In a directory tree even a descriptor is a link that may lead to any file.
    let descriptor = place.strip_prefix(proc_root).ok().filter(|below| root.is_real() && is_descriptor(below));
    let descriptor = descriptor.map(Path::to_owned);
    let is_real = root.is_real();
    let channel_of = |found: &Statx| match &descriptor {
        Some(below) => of_descriptor(proc_root, below, budget),
        None if is_real => of_file(proc_root, &place, found, budget),
        None => Ok(Vec::new()),
    };
    let name = place.to_string_lossy().into_owned();
    let (below, file) = (descriptor.clone(), place.clone());
    let look = move || match below {
        // From the root that was opened: what its path leads to may be another by now, and our rights are not meant for that.
        Some(below) => match look_up(root.dir(), &below, root.pipefs())? {
            Ok(pipe) => Ok(Ok((pipe, None))),
            Err(other) => Ok(Err(other)),
        },
        None => without_capabilities(|| hold(&file, root.pipefs())),
    };
    match in_time(look) {
        Ok(Ok((pipe, fifo))) => Ok(Found { pipes: vec![pipe], fifo }),
        Ok(Err(found)) => {
            let mut pipes = channel_of(&found)?;
            pipes.sort_unstable();
            pipes.dedup();
            if pipes.is_empty() {
                let (what, hint) = name_type(Type::from_raw_mode(found.stx_mode.into()));
                return Err(Error::NotAPipe { path: name, what, hint });
            }
            Ok(Found { pipes, fifo: None })
        }
        Err(source) => Err(Error::LookUp { path: name, source }),
    }
}

/// The pipes of the socket or terminal that a descriptor is.
fn of_descriptor(proc_root: &Path, below: &Path, budget: &Arc<Budget>) -> Result<Vec<PipeId>, Error> {
    let numbers: Vec<u32> = below.iter().filter_map(|name| number_name(name.as_bytes())).collect();
    let (pid, tid, fd) = match *numbers.as_slice() {
        [pid, fd] => (pid, None, fd),
        [pid, tid, fd] => (pid, Some(Tid(tid)), fd),
        _ => return Ok(Vec::new()),
    };
    let options = ScanOptions { channels: true, ..ScanOptions::default() };
    with_scanner(proc_root, options, budget, |scanner| {
        let results = work::run(scanner, vec![Pid(pid)], Work::Process);
        let ends: Vec<_> =
            results.iter().flat_map(|result| &result.ends).filter(|seen| seen.end.fd == Fd(fd)).collect();
        // A thread uses the table of its process, unless it has one of its own.
        let table = ends.iter().find_map(|seen| seen.end.tid.filter(|own| Some(*own) == tid));
        Ok(ends.into_iter().filter(|seen| seen.end.tid == table).map(|seen| seen.pipe).collect())
    })
}

/// The pipes of the terminal that a file is, or of the connections to a socket that is bound to it.
fn of_file(proc_root: &Path, path: &Path, found: &Statx, budget: &Arc<Budget>) -> Result<Vec<PipeId>, Error> {
    if let Some(terminal) = devpts::slave(found) {
        return Ok(Channel::Pty(terminal).pipes().collect());
    }
    if Type::from_raw_mode(found.stx_mode.into()) != Type::Socket {
        return Ok(Vec::new());
    }
    let options = ScanOptions { channels: true, ..ScanOptions::default() };
    with_scanner(proc_root, options, budget, |scanner| {
        let connections = sockets::bound_to(scanner, found, path);
        Ok(connections.into_iter().flat_map(|connection| Channel::Unix(connection).pipes()).collect())
    })
}

/// Whether a path below the proc root is `PID/fd/N` or `PID/task/TID/fd/N`, which our rights are meant for.
fn is_descriptor(below: &Path) -> bool {
    let names: Vec<&[u8]> = below.iter().map(OsStrExt::as_bytes).collect();
    let numbers: &[&[u8]] = match names.as_slice() {
        [pid, b"fd", fd] => &[pid, fd],
        [pid, b"task", tid, b"fd", fd] => &[pid, tid, fd],
        _ => return false,
    };
    numbers.iter().all(|name| number_name(name).is_some())
}

/// As [`look_up`], and holds the file if it is a FIFO.
fn hold(path: &Path, pipefs: Option<&Pipefs>) -> io::Result<Result<(PipeId, Option<OwnedFd>), Statx>> {
    let file = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
    let found = match &file {
        Some(file) => look_up(file, Path::new(""), pipefs)?,
        None => look_up(CWD, path, pipefs)?,
    };
    Ok(match found {
        Ok(pipe) => Ok((pipe, file)),
        Err(other) => Err(other),
    })
}

/// The pipe that a path leads to, or what else is there.
fn look_up(dir: impl AsFd, place: &Path, pipefs: Option<&Pipefs>) -> io::Result<Result<PipeId, Statx>> {
    match statx(&dir, place, AtFlags::EMPTY_PATH, StatxFlags::TYPE | StatxFlags::INO) {
        Ok(stat) => Ok(channel::by_stat(&stat, pipefs).ok_or(stat)),
        // In a tree of plain files, the link `pipe:[INODE]` leads nowhere.
        Err(errno) => {
            let link = rustix::fs::readlinkat(dir, place, Vec::new()).ok();
            let pipe = link.and_then(|link| channel::by_link(link.as_bytes())?.ok());
            pipe.map(Ok).ok_or(errno.into())
        }
    }
}

/// Looks in a thread of its own: on a dead mount the call never returns, and nothing ends it.
fn in_time<T: Send + 'static>(look: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (sender, answer) = mpsc::channel();
    std::thread::Builder::new().spawn(move || {
        // Fails if the wait is over.
        let _ = sender.send(look());
    })?;
    let no_answer = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer, its file system may be dead");
    answer.recv_timeout(PATIENCE).map_err(no_answer)?
}

fn name_type(file_type: Type) -> (&'static str, &'static str) {
    match file_type {
        Type::RegularFile => ("a plain file", "; `lsof FILE` or `fuser -v FILE` show which processes have it open"),
        Type::Directory => ("a directory", ""),
        Type::Socket => ("a socket", "; `ss -xp` shows both of its ends"),
        Type::CharacterDevice | Type::BlockDevice => ("a device", ""),
        _ => ("something else", ""),
    }
}
