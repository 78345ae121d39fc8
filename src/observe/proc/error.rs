//! Why a proc root cannot be looked at, or why a path does not lead to a pipe. What cannot be read of a process is no error but data, a
//! [`Gap`](crate::model::Gap).

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use thiserror::Error;

use crate::escape::quote_name;
use crate::sys::reason;

/// Its text is one line, and says what to do where that is not obvious.
#[derive(Debug, Error)]
pub enum Error {
    /// The proc root cannot be opened or listed.
    #[error("{}: cannot open the proc root: {}", quote_name(path.as_os_str().as_bytes()), reason(source))]
    OpenRoot {
        /// As it was given.
        path: PathBuf,
        /// From open(2), getdents(2) or the start of a thread.
        source: io::Error,
    },
    /// The proc root holds no process.
    #[error("{}: not a proc file system, nor a copy of one: it has no directory named by a PID", quote_name(.0.as_os_str().as_bytes()))]
    NotProc(PathBuf),
    /// A directory of a proc file system that is not its root.
    #[error("{}: a directory inside a proc file system: give its mount point, such as /proc", quote_name(.0.as_os_str().as_bytes()))]
    InsideProc(PathBuf),
    /// A proc file system that lists no process, and is not mounted with `hidepid`.
    #[error("{}: lists no process, since its PID namespace has ended: give another proc, such as /proc", quote_name(.0.as_os_str().as_bytes()))]
    EndedNamespace(PathBuf),
    /// The device of pipefs cannot be learned from a pipe of our own.
    #[error("cannot determine the device of pipes: {call} failed: {}{}", reason(source), seccomp_hint(source))]
    Pipefs {
        /// The system call that failed, with its manual section.
        call: &'static str,
        /// From that call.
        source: io::Error,
    },
    /// The kernel's own view was asked for by name, and is not to be had.
    #[error("the backend bpf cannot be used: {0}")]
    NoKernelView(#[from] NoKernelView),
    /// Not even lspipe's own files could be opened, so that what it saw says nothing.
    #[error(
        "lspipe may not open enough files to look at all processes: raise its limit, for example with `ulimit -n 1024`"
    )]
    TooFewFiles,
    /// A path given as PIPE cannot be looked up.
    #[error("{}: {}{}", quote_name(path.as_bytes()), reason(source), path_hint(source))]
    LookUp {
        /// Lossily, if it is not UTF-8.
        path: String,
        /// From statx(2); `TimedOut` where the file system did not answer.
        source: io::Error,
    },
    /// A path given as PIPE leads to something else.
    #[error("{}: this is {what}, not a pipe or FIFO{hint}", quote_name(path.as_bytes()))]
    NotAPipe {
        /// Lossily, if it is not UTF-8.
        path: String,
        /// The type of the file, with its article.
        what: &'static str,
        /// What to do instead; empty, or it begins with `; `.
        hint: &'static str,
    },
}

/// Why the kernel does not list its open files.
#[derive(Debug, Error)]
pub enum NoKernelView {
    /// A capability is missing.
    #[error("it takes the capabilities cap_bpf and cap_perfmon, or cap_sys_admin, see PERMISSIONS in lspipe(1)")]
    Privileges,
    /// The programs are open files, for which there is no room.
    #[error("lspipe may not open enough files: raise its limit, for example with `ulimit -n 1024`")]
    TooFewFiles,
    /// The PIDs are those of another PID namespace, or of none.
    #[error("{} does not show the PIDs of the PID namespace of lspipe", quote_name(.0.as_os_str().as_bytes()))]
    OtherPids(PathBuf),
    /// The kernel does not load or start the programs: why not.
    #[error("{0}")]
    Refused(String),
    /// The list cannot be read to its end.
    #[error("reading the list of open files from the kernel failed: {}", reason(.0))]
    Read(io::Error),
    /// The list does not come in time.
    #[error("reading the list of open files from the kernel did not end in time")]
    TimedOut,
    /// The list is longer than the size of `--budget`.
    #[error("the list of open files is larger than the size of --budget")]
    NoRoom,
}

fn seccomp_hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EPERM | libc::EACCES) => {
            "; a seccomp profile may forbid it, such as that of a container runtime older than the call"
        }
        _ => "",
    }
}

fn path_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "; a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE], an inode number, the path of a FIFO, socket or terminal, or /proc/PID/fd/N"
        }
        io::ErrorKind::PermissionDenied => "; run as root, or see PERMISSIONS in lspipe(1)",
        _ => "",
    }
}
