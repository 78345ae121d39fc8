//! From an errno to a gap: how what could not be read is told, in one place.

use rustix::io::Errno;

use crate::model::{CommandName, Gap, Pid, PossibleEnds, UnreadablePart};

/// Whether the kernel refused to answer, as opposed to having no answer.
pub(super) fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::ACCESS | Errno::PERM)
}

/// A gap of which nothing but the cause is known yet: who it is, the process directory tells.
pub(super) fn gap(pid: Pid, what: UnreadablePart, errno: Errno, may_hold: PossibleEnds) -> Gap {
    Gap {
        pid,
        tid: None,
        command: CommandName::default(),
        uid: None,
        what,
        error: errno_name(errno),
        fds: None,
        mount: None,
        may_hold,
    }
}

/// The name of an errno, as in errno(3).
fn errno_name(errno: Errno) -> String {
    let name = match errno {
        Errno::ACCESS => "EACCES",
        Errno::INVAL => "EINVAL",
        Errno::IO => "EIO",
        Errno::ISDIR => "EISDIR",
        Errno::LOOP => "ELOOP",
        Errno::MFILE => "EMFILE",
        Errno::NAMETOOLONG => "ENAMETOOLONG",
        Errno::NFILE => "ENFILE",
        Errno::NOENT => "ENOENT",
        Errno::NOMEM => "ENOMEM",
        Errno::NOTDIR => "ENOTDIR",
        Errno::PERM => "EPERM",
        Errno::SRCH => "ESRCH",
        Errno::TIMEDOUT => "ETIMEDOUT",
        other => return format!("errno {}", other.raw_os_error()),
    };
    name.to_owned()
}
