//! What the text of a link in /proc/PID/fd says of the file, without looking at that; see `proc_pid_fd(5)`.

use super::number::decimal;

/// The inode of a socket: 18913 of `socket:[18913]`.
pub(crate) fn socket(link: &[u8]) -> Option<u64> {
    decimal(std::str::from_utf8(link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?).ok()?).ok()
}

/// Whether it is a terminal that programs run in: not the master of one.
pub(crate) fn is_terminal(link: &[u8]) -> bool {
    link.starts_with(b"/dev/pts/") || link.starts_with(b"/dev/tty") || link == b"/dev/console"
}
