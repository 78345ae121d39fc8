//! Which pipe a path leads to, for a PIPE on the command line.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FileType as Type, Statx, StatxFlags};

use super::descriptor::pipe_of;
use super::root::{ProcRoot, number_name};
use super::{Error, parse};
use crate::model::PipeId;
use crate::privilege::drop_capabilities;

/// How long a path may take to look up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Finds the pipe that a path leads to: a FIFO by any of its names, or a descriptor in `/proc/PID/fd`, of whichever proc root
/// is given. Nothing is opened.
///
/// # Errors
///
/// If there is nothing at the path, or it is something else.
pub fn pipe_at(proc_root: &Path, path: &Path) -> Result<PipeId, Error> {
    let root = ProcRoot::open(proc_root)?;
    // `/proc` means the proc that is looked at, also where that is another one.
    let place = match path.strip_prefix("/proc") {
        Ok(below) => proc_root.join(below),
        Err(_) => path.to_owned(),
    };
    // In a directory tree even a descriptor is a link that may lead to any file.
    let is_descriptor = root.real.is_some() && place.strip_prefix(proc_root).is_ok_and(is_descriptor);
    let name = place.to_string_lossy().into_owned();
    let look = move || {
        if !is_descriptor {
            drop_capabilities();
        }
        seen_at(&place)
    };
    let kind = match in_time(look) {
        Ok(Seen::WaitEdge(pipe)) => return Ok(pipe),
        Ok(Seen::File(stat)) => match pipe_of(&stat, root.real.as_ref()) {
            Some(pipe) => return Ok(pipe),
            None => Type::from_raw_mode(stat.stx_mode.into()),
        },
        Err(source) => return Err(Error::LookUp { path: name, source }),
    };
    let (what, hint) = name_type(kind);
    Err(Error::NotAPipe { path: name, what, hint })
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

/// What is at a path.
enum Seen {
    /// What the path leads to.
    File(Box<Statx>),
    /// In a tree of plain files, the link of an anonymous pipe: it leads nowhere, but names it.
    WaitEdge(PipeId),
}

fn seen_at(place: &Path) -> io::Result<Seen> {
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(CWD, place, flags, StatxFlags::TYPE | StatxFlags::INO)
        .map(|stat| Seen::File(Box::new(stat)))
        .or_else(|errno| {
            let link = rustix::fs::readlinkat(CWD, place, Vec::new()).ok();
            link.and_then(|link| parse::anonymous_pipe(link.as_bytes())).map(Seen::WaitEdge).ok_or(errno.into())
        })
}

/// Looks in a thread of its own: on a dead mount there is no answer, and nothing ends the call.
fn in_time(look: impl FnOnce() -> io::Result<Seen> + Send + 'static) -> io::Result<Seen> {
    let (sender, answer) = mpsc::channel();
    std::thread::Builder::new().spawn(move || {
        // If nobody waits any more, nobody wants to know.
        let _ = sender.send(look());
    })?;
    let no_answer = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer, its file system may be dead");
    answer.recv_timeout(PATIENCE).map_err(no_answer)?
}

fn name_type(file_type: Type) -> (&'static str, &'static str) {
    match file_type {
        Type::RegularFile => ("a plain file", "; `lsof FILE` or `fuser -v FILE` tell who has it open"),
        Type::Directory => ("a directory", ""),
        Type::Socket => ("a socket", "; `ss -xp` shows both its ends"),
        Type::CharacterDevice | Type::BlockDevice => ("a device", ""),
        _ => ("something else", ""),
    }
}
