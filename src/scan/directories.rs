//! The directories above a FIFO: whom they let through to it, seen from whoever holds it. Looked up one by one, and no symbolic
//! link is followed. Asks file systems, so that it belongs under the watch.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Statx, StatxFlags};

use super::Scanner;
use super::descriptor::pipe_of;
use super::process::ProcessDir;
use super::root::{Real, open_dir};
use crate::model::{Directories, PipeFile, PipeId};

/// `S_IXOTH` and `S_IWOTH` of inode(7); those of the group and the owner are three and six bits further up.
const SEARCH: u16 = 0o1;
const WRITE: u16 = 0o2;

/// `S_ISVTX`: only the owner of an entry, or of the directory, may rename or remove it.
const STICKY: u16 = 0o1000;

/// What the directories on the way to a FIFO allow. None if one could not be looked at, or another file is at its end by now.
///
/// The kernel tells the path from our own root directory on, if it leads there, and else from the root of the mount namespace of whoever
/// holds it (`d_path` in `fs/d_path.c`). Its root is another in a container and in a chroot(2), so both are tried: what is at the end tells
/// whether it was the right one.
pub(super) fn directories(
    scanner: &Scanner,
    process: &ProcessDir,
    path: &[u8],
    pipe: PipeId,
    file: &PipeFile,
) -> Option<Directories> {
    let real = scanner.root.real.as_ref();
    let below = |root: OwnedFd| walk(root, path, pipe, file, real);
    let holders = real.and_then(|_| open_dir(process.dir(), c"root").ok()).and_then(below);
    holders.or_else(|| open_dir(CWD, c"/").ok().and_then(below))
}

fn walk(root: OwnedFd, path: &[u8], pipe: PipeId, file: &PipeFile, real: Option<&Real>) -> Option<Directories> {
    let (above, name) = split(path.strip_prefix(b"/")?);
    let mut dir = root;
    let mut all = Directories { owner: true, group: true, others: true, replaceable: false };
    pass(&mut all, &look(&dir, b"", AtFlags::EMPTY_PATH)?, file);
    for part in above.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        dir = rustix::fs::openat(&dir, part, flags, Mode::empty()).ok()?;
        pass(&mut all, &look(&dir, b"", AtFlags::EMPTY_PATH)?, file);
    }
    let found = look(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    (pipe_of(&found, real) == Some(pipe)).then_some(all)
}

/// The directories of a path, and the name in the last of them.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(end) => (&path[..end], &path[end + 1..]),
        None => (b"", path),
    }
}

/// What is left of the way after one more directory.
fn pass(all: &mut Directories, dir: &Statx, file: &PipeFile) {
    let mode = dir.stx_mode;
    let of_group = if dir.stx_gid == file.group.0 { mode >> 3 } else { mode };
    let of_owner = if dir.stx_uid == file.owner.0 { mode >> 6 } else { of_group };
    all.owner &= of_owner & SEARCH != 0;
    all.group &= of_group & SEARCH != 0;
    all.others &= mode & SEARCH != 0;
    all.replaceable |= all.others && mode & WRITE != 0 && mode & STICKY == 0;
}

fn look(dir: impl AsFd, name: &[u8], how: AtFlags) -> Option<Statx> {
    let flags = how | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    let mask = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::MODE | StatxFlags::UID | StatxFlags::GID;
    let stat = rustix::fs::statx(dir, name, flags, mask).ok()?;
    (stat.stx_mask & mask.bits() == mask.bits()).then_some(stat)
}
