//! The directories above a FIFO: which users they let through to it, seen from its holder. Looked up one by one, and no symbolic
//! link is followed. Asks file systems, so that it must run as a step of a [`Heartbeat`](super::heartbeat::Heartbeat).

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, OFlags, Statx};

use super::beneath::{open_dir, read_link};
use super::fd_dir::OWNER;
use super::hung::HungCalls;
use super::opener::{SEARCH, WRITE};
use super::process::ProcessDir;
use super::root::statx;
use super::scanner::Scanner;
use crate::model::{Class, Directories, Gid, PipeFile, PipeId, Uid};
use crate::observe::channel::{self, Pipefs};

/// `S_ISVTX`: only the owner of an entry, or of the directory, may rename or remove it.
const STICKY: u16 = 0o1000;

/// What the directories on the way to a FIFO allow. None if one could not be looked at, or another file is at its end by now.
///
/// The kernel gives the path from our own root directory on, if it leads there, and else from the root of the mount namespace of the
/// holder (`d_path` in `fs/d_path.c`). The holder's root is another in a container, and below that in a chroot(2): the file at the end
/// shows which it was.
pub(super) fn directories(
    scanner: &Scanner,
    process: &ProcessDir,
    path: &[u8],
    pipe: PipeId,
    file: &PipeFile,
) -> Option<Directories> {
    let pipefs = scanner.root.pipefs();
    let from = |root: OwnedFd, path| walk(root, path, pipe, file, pipefs, &scanner.budget.hung);
    let holders = || pipefs.and_then(|_| open_dir(process.dir(), c"root").ok());
    let jailed = || {
        let jail = read_link(process.dir(), "root").ok()?;
        from(holders()?, path.strip_prefix(jail.as_slice())?)
    };
    let whole = holders().and_then(|root| from(root, path));
    whole.or_else(jailed).or_else(|| from(open_dir(CWD, c"/").ok()?, path))
}

fn walk(
    root: OwnedFd,
    path: &[u8],
    pipe: PipeId,
    file: &PipeFile,
    pipefs: Option<&Pipefs>,
    hung: &HungCalls,
) -> Option<Directories> {
    let (above, name) = split(path.strip_prefix(b"/")?);
    let mut dir = root;
    let mut way = vec![look(&dir, b"", AtFlags::EMPTY_PATH)?];
    for part in above.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        dir = hung.look_up(&dir, part, OFlags::DIRECTORY).ok()?;
        way.push(look(&dir, b"", AtFlags::EMPTY_PATH)?);
    }
    let found = look(hung.look_up(&dir, name, OFlags::empty()).ok()?, b"", AtFlags::EMPTY_PATH)?;
    (channel::by_stat(&found, pipefs) == Some(pipe)).then(|| allowed(&way, file))
}

/// The directories of a path, and the name in the last of them.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(end) => (&path[..end], &path[end + 1..]),
        None => (b"", path),
    }
}

/// Which users the directories of a path, from the root on, let through, and which they let replace the file.
fn allowed(way: &[Statx], file: &PipeFile) -> Directories {
    let passes = |class: Class| way.iter().all(|dir| may(class, dir, SEARCH));
    let replaces =
        |class: &Class| way.iter().take_while(|dir| may(*class, dir, SEARCH)).any(|dir| may_replace(*class, dir));
    let owners = || way.iter().map(|dir| Uid(dir.stx_uid)).filter(|owner| *owner != Uid(0));
    let groups = || way.iter().map(|dir| Gid(dir.stx_gid)).filter(|group| *group != Gid(0));
    let (owner, group) = (Class::Owner(file.owner), Class::Group(file.group));
    Directories {
        // The owner is usually a member of the group.
        owner: way.iter().all(|dir| may(owner, dir, SEARCH) || may(group, dir, SEARCH)),
        group: passes(group),
        others: passes(Class::Others),
        replaceable: replaces(&Class::Others),
        group_replaces: groups().find(|group| replaces(&Class::Group(*group))),
        // The owner needs no directory to replace the file.
        owner_replaces: owners().find(|owner| *owner != file.owner && replaces(&Class::Above(*owner))),
        owner_passes: owners().find(|owner| passes(Class::Above(*owner))),
    }
}

/// Whether a directory grants that. Its owner may change its mode, and so may do anything.
fn may(class: Class, dir: &Statx, what: u16) -> bool {
    let mode = match class {
        Class::Owner(owner) | Class::Above(owner) if owner.0 == dir.stx_uid => return true,
        Class::Group(group) if group.0 == dir.stx_gid => dir.stx_mode >> 3,
        _ => dir.stx_mode,
    };
    mode & what != 0
}

fn may_replace(class: Class, dir: &Statx) -> bool {
    let is_own = matches!(class, Class::Above(owner) if owner.0 == dir.stx_uid);
    is_own || (may(class, dir, WRITE) && dir.stx_mode & STICKY == 0)
}

fn look(dir: impl AsFd, name: &[u8], how: AtFlags) -> Option<Statx> {
    statx(dir, name, how, OWNER).ok().filter(|stat| stat.stx_mask & OWNER.bits() == OWNER.bits())
}
