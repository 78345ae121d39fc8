//! Which pipe a path leads to, for a PIPE on the command line.

use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType as Type, StatxFlags};
use rustix::io::Errno;

use super::descriptor::pipe_of;
use super::parse;
use super::root::ProcRoot;
use crate::error::Error;
use crate::model::PipeId;

/// Finds the pipe that a path leads to: a FIFO by any of its names, or a descriptor in `/proc/PID/fd`, of whichever proc root
/// is given. Nothing is opened.
///
/// # Errors
///
/// If there is nothing at the path, or it is something else.
pub fn pipe_at(proc_root: &Path, path: &Path) -> Result<PipeId, Error> {
    let root = ProcRoot::open(proc_root)?;
    // `/proc` means the proc that is looked at, also where that is another one.
    let place: PathBuf = match path.strip_prefix("/proc") {
        Ok(below) => proc_root.join(below),
        Err(_) => path.to_owned(),
    };
    let failed = |errno: Errno| Error::LookUp {
        path: path.to_string_lossy().into_owned(),
        source: errno.into(),
    };
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    let stat = match rustix::fs::statx(CWD, &place, flags, StatxFlags::TYPE | StatxFlags::INO) {
        Ok(stat) => stat,
        Err(errno) => return saved_link(&place).ok_or_else(|| failed(errno)),
    };
    pipe_of(&stat, root.real.as_ref()).ok_or_else(|| {
        let (what, hint) = name_type(Type::from_raw_mode(stat.stx_mode.into()));
        Error::NotAPipe {
            path: path.to_string_lossy().into_owned(),
            what,
            hint,
        }
    })
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
