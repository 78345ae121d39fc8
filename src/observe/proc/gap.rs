//! From an errno to a gap: how what could not be read is reported.

use rustix::io::Errno;

use crate::model::{CommandName, Gap, Pid, PossibleEnds, UnreadablePart};

/// Whether the kernel refused to answer, as opposed to having no answer.
pub(super) fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::ACCESS | Errno::PERM)
}

/// A gap at a process of which nothing else is known; see [`ProcessDir::gap`](super::process::ProcessDir::gap).
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
    let number = errno.raw_os_error();
    syscalls::Errno::new(number).name().map_or_else(|| format!("errno {number}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errnos_have_the_names_of_the_manual() {
        assert_eq!([Errno::ACCESS, Errno::TIMEDOUT].map(errno_name), ["EACCES", "ETIMEDOUT"]);
        assert_eq!([Errno::AGAIN, Errno::OPNOTSUPP].map(errno_name), ["EAGAIN", "EOPNOTSUPP"]);
        assert_eq!(errno_name(Errno::from_raw_os_error(4000)), "errno 4000");
    }
}
