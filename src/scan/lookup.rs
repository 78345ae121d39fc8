//! Which pipe a path leads to, for a PIPE on the command line.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FileType as Type, Statx, StatxFlags};

use super::descriptor::pipe_of;
use super::parse;
use super::root::ProcRoot;
use crate::error::Error;
use crate::model::PipeId;

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
    let name = path.to_string_lossy().into_owned();
    let kind = match follow(place.clone()) {
        Ok(stat) => match pipe_of(&stat, root.real.as_ref()) {
            Some(pipe) => return Ok(pipe),
            None => Type::from_raw_mode(stat.stx_mode.into()),
        },
        Err(source) => return saved_link(&place).ok_or(Error::LookUp { path: name, source }),
    };
    let (what, hint) = name_type(kind);
    Err(Error::NotAPipe {
        path: name,
        what,
        hint,
    })
}

/// Looks at what a path leads to, in a thread of its own: on a dead mount that gives no answer, and nothing can end it.
fn follow(place: PathBuf) -> io::Result<Statx> {
    let (sender, answer) = mpsc::channel();
    std::thread::spawn(move || {
        let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        // If nobody waits any more, nobody wants to know.
        let _ = sender.send(rustix::fs::statx(
            CWD,
            &place,
            flags,
            StatxFlags::TYPE | StatxFlags::INO,
        ));
    });
    let no_answer = |_| {
        io::Error::new(
            io::ErrorKind::TimedOut,
            "no answer, its file system may be dead",
        )
    };
    answer
        .recv_timeout(PATIENCE)
        .map_err(no_answer)?
        .map_err(io::Error::from)
}

/// In a tree of plain files the link of an anonymous pipe leads nowhere, but names it.
fn saved_link(place: &Path) -> Option<PipeId> {
    let link = rustix::fs::readlinkat(CWD, place, Vec::new()).ok()?;
    parse::anonymous_pipe(link.as_bytes())
}

fn name_type(file_type: Type) -> (&'static str, &'static str) {
    match file_type {
        Type::RegularFile => (
            "a plain file",
            "; `lsof FILE` or `fuser -v FILE` tell who has it open",
        ),
        Type::Directory => ("a directory", ""),
        Type::Socket => ("a socket", "; `ss -xp` shows both its ends"),
        Type::CharacterDevice | Type::BlockDevice => ("a device", ""),
        _ => ("something else", ""),
    }
}
