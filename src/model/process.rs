//! What is known of a process.

use jiff::Timestamp;

use super::{Pid, Uid};

/// Facts about a process that holds an end. A fact is none where its file could not be read, or was not asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The process ID.
    pub pid: Pid,
    /// The parent.
    pub ppid: Option<u32>,
    /// The process group.
    pub pgid: Option<u32>,
    /// The session.
    pub sid: Option<u32>,
    /// The effective user ID.
    pub uid: Option<Uid>,
    /// The command name (comm), at most 15 bytes.
    pub command: Vec<u8>,
    /// The command line; empty for a kernel thread or a zombie.
    pub cmdline: Option<Vec<Vec<u8>>>,
    /// The state letter of `proc_pid_stat(5)`, for example `S`.
    pub state: Option<char>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// Its PID in its own, innermost PID namespace, where that is another than the scanned one.
    pub ns_pid: Option<u32>,
    /// The container, from its cgroup: an ID in hexadecimal, or the name of an LXC container or a machine.
    pub container: Option<String>,
    /// The systemd unit, from its cgroup.
    pub unit: Option<String>,
}
