//! Which pipe a path leads to, for a PIPE on the command line.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FileType as Type, StatxFlags};

use super::Error;
use super::root::{ProcRoot, number_name, statx};
use crate::model::PipeId;
use crate::observe::channel::{self, Pipefs};
use crate::privilege::without_capabilities;

/// Maximum time to look up a path.
const PATIENCE: Duration = Duration::from_secs(1);

/// Finds the pipe that a path leads to: a FIFO by any of its names, or a descriptor in `/proc/PID/fd`, of the given proc root.
/// Nothing is opened. Fails if there is nothing at the path, or it is something else.
pub(crate) fn pipe_at(proc_root: &Path, path: &Path) -> Result<PipeId, Error> {
    let root = ProcRoot::open(proc_root)?;
    // `/proc` means the given proc root.
    let place = match path.strip_prefix("/proc") {
        Ok(below) => proc_root.join(below),
        Err(_) => path.to_owned(),
    };
    // In a directory tree even a descriptor is a link that may lead to any file.
    let descriptor = place.strip_prefix(proc_root).ok().filter(|below| root.is_real() && is_descriptor(below));
    let descriptor = descriptor.map(Path::to_owned);
    let name = place.to_string_lossy().into_owned();
    let look = move || match descriptor {
        // From the root that was opened: what its path leads to may be another by now, and our rights are not meant for that.
        Some(below) => look_up(root.dir(), &below, root.pipefs()),
        None => without_capabilities(|| look_up(CWD, &place, root.pipefs())),
    };
    match in_time(look) {
        Ok(Ok(pipe)) => Ok(pipe),
        Ok(Err(file_type)) => {
            let (what, hint) = name_type(file_type);
            Err(Error::NotAPipe { path: name, what, hint })
        }
        Err(source) => Err(Error::LookUp { path: name, source }),
    }
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

/// The pipe that a path leads to, or what else is there.
fn look_up(dir: impl AsFd, place: &Path, pipefs: Option<&Pipefs>) -> io::Result<Result<PipeId, Type>> {
    match statx(&dir, place, AtFlags::empty(), StatxFlags::TYPE | StatxFlags::INO) {
        Ok(stat) => Ok(channel::by_stat(&stat, pipefs).ok_or(Type::from_raw_mode(stat.stx_mode.into()))),
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
