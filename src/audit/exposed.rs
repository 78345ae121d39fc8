//! `fifo-exposed`: others may open a FIFO that root, or another user, has open.

use super::Case;
use crate::model::{Class, Doubt, Exposure, Finding, Gid, Pid, Pipe, PipeFile, Risk, Side, Uid};

pub(super) const EXPLAIN: &str = "\
Root has a FIFO open, and others may open its other side: by the mode of the
FIFO, and by the directories above it, seen from whoever holds it.

Error if root reads what everybody may write. Warning if root writes what
everybody may read (a reader takes the data away from those they are for), and
if everybody may put another file in its place, since a directory on the way is
writable to all and not sticky. Info if only the members of its group or of that
of a directory above, or an owner of either who is not root, may; and if the
reader of what everybody may write is not root.

Modes are all that is looked at: access control lists and security modules may
allow more or less, and another hard link may be in another directory. Where
the directories could not be looked at, they may keep others out: that is told
as a doubt, and an error is a warning then. Needs the right to look into the
root directory of the holder.

Harmless where anybody is meant to write, and the reader trusts nothing.

What to do: chmod(1) the FIFO to 600, or to 620 with a group of its own, or
keep it in a directory that others may not search.";

/// The bits of others in the mode of a file; those of its group are three bits further up.
const READ: u16 = 0o4;
const WRITE: u16 = 0o2;

pub(super) fn find(case: &Case<'_>, pipe: &Pipe) -> Option<Finding> {
    let file = pipe.file.filter(|_| pipe.has_name())?;
    let [readers, writers] = Side::BOTH.map(|side| case.graph.users_on(pipe, side));
    let mut exposures = Vec::new();
    for (held, users) in [(Side::Read, &readers), (Side::Write, &writers)] {
        let root = users.contains(&Uid(0));
        // Of what others hold it matters that everybody may tell them something.
        let matters = |by: &Class| root || (held == Side::Read && !users.is_empty() && *by == Class::Others);
        exposures.extend(opener(&file, held).filter(matters).map(|by| Exposure::Opened { held, by, root }));
    }
    if readers.contains(&Uid(0)) || writers.contains(&Uid(0)) {
        exposures.extend(replacer(&file).map(|by| Exposure::Replaced { by }));
    }
    if exposures.is_empty() {
        return None;
    }
    exposures.sort_by_key(|exposure| exposure.severity());
    let doubts = if file.directories.is_none() { vec![Doubt::Directories(pipe.id)] } else { Vec::new() };
    let pids: Vec<Pid> = super::all_on(pipe).into_iter().collect();
    Some(case.finding(Risk::FifoExposed { pipe: pipe.id, exposures }, pids, vec![pipe.id], doubts))
}

/// The widest class that may open the other side of the one that is held, but for root; none if nobody else may.
fn opener(file: &PipeFile, held: Side) -> Option<Class> {
    let bit = match held {
        Side::Read => WRITE,
        Side::Write => READ,
    };
    let PipeFile { owner, group, mode, directories } = *file;
    if mode & bit != 0 && directories.is_none_or(|way| way.others) {
        Some(Class::Others)
    } else if mode >> 3 & bit != 0 && group != Gid(0) && directories.is_none_or(|way| way.group) {
        Some(Class::Group(group))
    } else if owner != Uid(0) && directories.is_none_or(|way| way.owner) {
        // He may change its mode.
        Some(Class::Owner(owner))
    } else {
        directories.and_then(|way| way.owner_passes).filter(|_| mode & bit != 0).map(Class::Above)
    }
}

/// The widest class that may put another file in its place, but for root.
fn replacer(file: &PipeFile) -> Option<Class> {
    let way = file.directories?;
    let owner = way.owner_replaces.map(Class::Above);
    way.replaceable.then_some(Class::Others).or(way.group_replaces.map(Class::Group)).or(owner)
}
