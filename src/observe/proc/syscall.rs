//! The system call that a thread is blocked in, from the line of /proc/PID/task/TID/syscall. Pure.
//!
//! A number means one call to a 64-bit caller and another to a 32-bit one, and the line does not say which it is. So each number is
//! decoded for both, and the caller believes the one that fits the place where the thread sleeps ([`Place`](super::wchan::Place)).

use syscalls::{aarch64, arm, x86, x86_64};

use crate::model::{Children, Fd, FileLockKind, Pid};
use crate::observe::kernel::Entry;

/// What the line says; see `proc_pid_syscall(5)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// `running`: on a processor, or ready for one.
    Running,
    /// `-1 SP PC`: blocked, but not in a system call.
    NoCall,
    /// `NR A1 … A6 SP PC`, with the arguments in hexadecimal.
    Call(i64, [u64; 6]),
}

pub(super) fn line(text: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(text).ok()?.trim_ascii();
    if text == "running" {
        return Some(Line::Running);
    }
    let mut words = text.split(' ');
    let number: i64 = words.next()?.parse().ok()?;
    if number < 0 {
        return Some(Line::NoCall);
    }
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    }
    Some(Line::Call(number, arguments))
}

/// The line for a thread that the kernel lists and that sleeps (`proc_pid_syscall` in fs/proc/base.c).
pub(super) fn text(entry: &Entry) -> Vec<u8> {
    let Entry { call, arguments: [a, b, c, d, e, f], stack, instruction } = entry;
    match call {
        Some(call) => format!("{call} {a:#x} {b:#x} {c:#x} {d:#x} {e:#x} {f:#x} {stack:#x} {instruction:#x}\n"),
        None => format!("-1 {stack:#x} {instruction:#x}\n"),
    }
    .into_bytes()
}

/// A system call, by what its caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// read(2) and its variants, also those of sockets.
    Read(Fd),
    /// write(2) and its variants, also those of sockets.
    Write(Fd),
    /// splice(2), tee(2) and sendfile(2): from the first to the second.
    Move(Fd, Fd),
    /// vmsplice(2), to or from the pipe.
    Vmsplice(Fd),
    /// poll(2) and select(2).
    Poll {
        set: FdSet,
        timeout: bool,
    },
    Epoll {
        fd: Fd,
        timeout: bool,
    },
    /// open(2): `dir` is none for the working directory.
    Open {
        dir: Option<Fd>,
        path: u64,
        flags: OpenArgument,
    },
    /// wait4(2) and waitid(2): one child by its number in the PID namespace of the caller.
    Wait(Children),
    /// waitid(2) for the process of a pidfd.
    WaitPidfd(Fd),
    /// futex(2), in an operation that waits.
    Futex {
        address: u64,
        private: bool,
        timeout: bool,
    },
    /// flock(2) and fcntl(2), in an operation that waits for a lock on this file.
    FileLock(Fd, FileLockKind),
    Sleep,
    /// pause(2), sigsuspend(2) and sigtimedwait(2).
    Signal,
    IoUring,
    /// `restart_syscall(2)`, after a stop. If it sleeps in a poll(2), its arguments are those of that call: no other call that polls goes on
    /// in this way (`do_restart_poll` in fs/select.c).
    Restart {
        poll: FdSet,
        timeout: bool,
    },
}

/// Where the descriptors of a poll(2) or select(2) are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FdSet {
    /// The address and length of an array of `struct pollfd`.
    Array(u64, u64),
    /// The number of bits of three sets, and the address of each.
    Bits(u64, [u64; 3]),
}

/// Where the flags of an open(2) are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenArgument {
    /// In the argument itself.
    Flags(u32),
    /// At the beginning of a `struct open_how` at this address.
    OpenHow(u64),
}

/// What the numbers of system calls mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Abi {
    /// Also x32: a 64-bit caller with 32-bit pointers.
    X86_64,
    /// Also on x86-64 (`int 0x80`).
    I386,
    Aarch64,
    /// 32-bit ARM, also on aarch64.
    Arm,
}

/// `__X32_SYSCALL_BIT` of asm/unistd.h.
const X32: i64 = 0x4000_0000;

impl Abi {
    /// What callers on this machine may use, the usual one first.
    pub(super) const fn of_machine() -> &'static [Self] {
        if cfg!(target_arch = "x86_64") {
            &[Self::X86_64, Self::I386]
        } else if cfg!(target_arch = "aarch64") {
            &[Self::Aarch64, Self::Arm]
        } else if cfg!(target_arch = "x86") {
            &[Self::I386]
        } else if cfg!(target_arch = "arm") {
            &[Self::Arm]
        } else {
            &[]
        }
    }

    /// What callers in a saved tree may have used: it does not say which machine it is from.
    pub(super) const ALL: &'static [Self] = &[Self::X86_64, Self::I386, Self::Aarch64, Self::Arm];

    pub(super) fn name(self, number: i64) -> Option<&'static str> {
        let number = usize::try_from(if self == Self::X86_64 { number & !X32 } else { number }).ok()?;
        match self {
            Self::X86_64 => x86_64::Sysno::new(number).map(|call| call.name()),
            Self::I386 => x86::Sysno::new(number).map(|call| call.name()),
            Self::Aarch64 => aarch64::Sysno::new(number).map(|call| call.name()),
            Self::Arm => arm::Sysno::new(number).map(|call| call.name()),
        }
    }
}

/// Whether a caller of any kind on this machine may ask files with that number whether they are ready, which an epoll does under its lock
/// (`ep_item_poll` in fs/eventpoll.c).
pub(super) fn may_poll(number: i64) -> bool {
    let polls = |abi: &Abi| match abi.name(number) {
        // 0 is also read(2) to a 64-bit caller.
        Some("restart_syscall") => number != 0,
        Some("io_uring_enter" | "io_submit" | "_newselect") => true,
        Some(name) => ["epoll_", "poll", "ppoll", "select", "pselect6"].iter().any(|word| name.starts_with(word)),
        None => false,
    };
    Abi::of_machine().iter().any(polls)
}

/// The call of that number; none if it is not known to wait, or its descriptor is none.
pub(super) fn decode(abi: Abi, number: i64, arguments: [u64; 6]) -> Option<Call> {
    let [a1, a2, a3, a4, a5, _] = arguments;
    // A descriptor and a timeout are of the C type int, which leaves the upper half of the register undefined.
    let bounded = |milliseconds: u64| milliseconds & 0x8000_0000 == 0;
    Some(match abi.name(number)? {
        "read" | "readv" | "preadv2" | "recv" | "recvfrom" | "recvmsg" | "recvmmsg" | "recvmmsg_time64" | "accept"
        | "accept4" => Call::Read(fd(a1)?),
        "write" | "writev" | "pwritev2" | "send" | "sendto" | "sendmsg" | "sendmmsg" => Call::Write(fd(a1)?),
        "splice" => Call::Move(fd(a1)?, fd(a3)?),
        "tee" => Call::Move(fd(a1)?, fd(a2)?),
        "sendfile" | "sendfile64" => Call::Move(fd(a2)?, fd(a1)?),
        "vmsplice" => Call::Vmsplice(fd(a1)?),
        "poll" => Call::Poll { set: FdSet::Array(a1, a2), timeout: bounded(a3) },
        "ppoll" | "ppoll_time64" => Call::Poll { set: FdSet::Array(a1, a2), timeout: a3 != 0 },
        // That of i386 by this name is the old one, with one argument: the address of all five.
        "select" if abi == Abi::I386 => return None,
        "select" | "_newselect" | "pselect6" | "pselect6_time64" => {
            Call::Poll { set: FdSet::Bits(a1, [a2, a3, a4]), timeout: a5 != 0 }
        }
        "epoll_wait" | "epoll_pwait" => Call::Epoll { fd: fd(a1)?, timeout: bounded(a4) },
        "epoll_pwait2" => Call::Epoll { fd: fd(a1)?, timeout: a4 != 0 },
        "open" => Call::Open { dir: None, path: a1, flags: OpenArgument::Flags(low(a2)) },
        // AT_FDCWD is negative.
        "openat" => Call::Open { dir: fd(a1), path: a2, flags: OpenArgument::Flags(low(a3)) },
        "openat2" => Call::Open { dir: fd(a1), path: a2, flags: OpenArgument::OpenHow(a3) },
        "wait4" | "waitpid" => Call::Wait(one(a1)),
        "waitid" => match low(a1) {
            // P_PID and P_PIDFD of linux/wait.h
            1 => Call::Wait(one(a2)),
            3 => Call::WaitPidfd(fd(a2)?),
            _ => Call::Wait(Children::All),
        },
        "futex" | "futex_time64" => futex(a1, low(a2), a4)?,
        // LOCK_NB and LOCK_UN of flock(2); then F_SETLKW, F_SETLKW64 of 32-bit callers and F_OFD_SETLKW of fcntl(2).
        "flock" if low(a2) & (4 | 8) == 0 => Call::FileLock(fd(a1)?, FileLockKind::Flock),
        "fcntl" | "fcntl64" if matches!(low(a2), 7 | 14 | 38) => Call::FileLock(fd(a1)?, FileLockKind::Fcntl),
        "nanosleep" | "clock_nanosleep" | "clock_nanosleep_time64" => Call::Sleep,
        "pause" | "rt_sigsuspend" | "rt_sigtimedwait" | "rt_sigtimedwait_time64" => Call::Signal,
        "io_uring_enter" => Call::IoUring,
        "restart_syscall" => Call::Restart { poll: FdSet::Array(a1, a2), timeout: bounded(a3) },
        _ => return None,
    })
}

/// The descriptor that an argument is; a negative one is none.
pub(super) fn fd(argument: u64) -> Option<Fd> {
    Some(low(argument)).filter(|fd| *fd < 1 << 31).map(Fd)
}

fn low(argument: u64) -> u32 {
    u32::try_from(argument & 0xffff_ffff).unwrap_or_default()
}

/// A positive number is one child. Others stand for a process group or for all, and are both taken for all.
fn one(pid: u64) -> Children {
    match low(pid) {
        pid @ 1..=0x7fff_ffff => Children::One(Pid(pid)),
        _ => Children::All,
    }
}

fn futex(address: u64, operation: u32, timeout: u64) -> Option<Call> {
    // FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME of linux/futex.h; then FUTEX_WAIT and FUTEX_WAIT_BITSET.
    let (private, command) = (operation & 128 != 0, operation & !(128 | 256));
    matches!(command, 0 | 9).then_some(Call::Futex { address, private, timeout: timeout != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines that a kernel printed for threads that were made to block so.
    #[test]
    fn lines_of_blocked_threads() {
        let decoded = |text: &str| match line(text.as_bytes()) {
            Some(Line::Call(number, arguments)) => decode(Abi::X86_64, number, arguments),
            other => panic!("{text}: {other:?}"),
        };
        let rest = "0x7fff 0x7f09";
        assert_eq!(decoded(&format!("0 0x3 0x7f09 0x1 0x7f09 0x0 0x0 {rest}")), Some(Call::Read(Fd(3))));
        assert_eq!(decoded(&format!("275 0xd 0x0 0x10 0x0 0x64 0x0 {rest}")), Some(Call::Move(Fd(13), Fd(16))));
        assert_eq!(decoded(&format!("40 0xe 0xf 0x0 0x64 0x3 0x0 {rest}")), Some(Call::Move(Fd(15), Fd(14))));
        let epoll = Call::Epoll { fd: Fd(5), timeout: false };
        assert_eq!(decoded(&format!("232 0x5 0x5631 0x3ff 0xffffffff 0x0 0x0 {rest}")), Some(epoll));
        let select = Call::Poll { set: FdSet::Bits(6, [0x7fff, 0, 0]), timeout: false };
        assert_eq!(decoded(&format!("270 0x6 0x7fff 0x0 0x0 0x0 0x0 {rest}")), Some(select));
        let open = Call::Open { dir: None, path: 0x7f09, flags: OpenArgument::Flags(0o2000000) };
        assert_eq!(decoded(&format!("257 0xffffff9c 0x7f09 0x80000 0x0 0x0 0x0 {rest}")), Some(open));
        assert_eq!(decoded(&format!("61 0xffffffff 0x7fff 0x0 0x0 0x0 0x0 {rest}")), Some(Call::Wait(Children::All)));
        let one = Some(Call::Wait(Children::One(Pid(0x16f9))));
        assert_eq!(decoded(&format!("247 0x1 0x16f9 0x7fff 0x4 0x0 0x0 {rest}")), one);
        let of_pidfd = Some(Call::WaitPidfd(Fd(6)));
        assert_eq!(decoded(&format!("247 0x3 0x6 0x7fff 0x4 0x0 0x0 {rest}")), of_pidfd);
        assert_eq!(decoded(&format!("247 0x0 0x6 0x7fff 0x4 0x0 0x0 {rest}")), Some(Call::Wait(Children::All)));
        let flock = Some(Call::FileLock(Fd(9), FileLockKind::Flock));
        assert_eq!(decoded(&format!("73 0x9 0x2 0x1 0x8 0x0 0x0 {rest}")), flock);
        let fcntl = Some(Call::FileLock(Fd(3), FileLockKind::Fcntl));
        assert_eq!(decoded(&format!("72 0x3 0x7 0x7fff 0x0 0x0 0x0 {rest}")), fcntl);
        // LOCK_EX | LOCK_NB and F_SETLK never wait.
        assert_eq!(decoded(&format!("73 0x9 0x6 0x1 0x8 0x0 0x0 {rest}")), None);
        assert_eq!(decoded(&format!("72 0x3 0x6 0x7fff 0x0 0x0 0x0 {rest}")), None);
        let futex = Call::Futex { address: 0x5631, private: true, timeout: false };
        assert_eq!(decoded(&format!("202 0x5631 0x189 0x0 0x0 0x0 0xffffffff {rest}")), Some(futex));
        // FUTEX_WAKE never waits.
        assert_eq!(decoded(&format!("202 0x5631 0x81 0x1 0x0 0x0 0x0 {rest}")), None);
    }

    #[test]
    fn one_number_for_callers_of_two_kinds() {
        let arguments = [4, 0x1000, 1, 0, 0, 0];
        assert_eq!(decode(Abi::X86_64, 3, arguments), None);
        assert_eq!(decode(Abi::I386, 3, arguments), Some(Call::Read(Fd(4))));
        assert_eq!(decode(Abi::X86_64, X32 | 1, arguments), Some(Call::Write(Fd(4))));
        assert_eq!(decode(Abi::Aarch64, 63, arguments), Some(Call::Read(Fd(4))));
        assert_eq!(decode(Abi::Arm, 4, arguments), Some(Call::Write(Fd(4))));
    }

    #[test]
    fn lines_that_are_no_call() {
        assert_eq!(line(b"running\n"), Some(Line::Running));
        assert_eq!(line(b"-1 0x7ffe 0x7f09\n"), Some(Line::NoCall));
        assert_eq!(line(b"0 0x3 0x7f09\n"), None);
        assert_eq!(line(b""), None);
        assert_eq!(line(b"\xff"), None);
        // A negative descriptor is none.
        assert_eq!(decode(Abi::X86_64, 0, [0xffff_ffff, 0, 0, 0, 0, 0]), None);
    }

    /// The numbers of the kernel's tables, for callers of each kind.
    #[test]
    fn calls_on_sockets_are_known_to_all_abis() {
        let numbers = [
            (Abi::X86_64, [45, 47, 299, 44, 46]),
            (Abi::I386, [371, 372, 337, 369, 370]),
            (Abi::Aarch64, [207, 212, 243, 206, 211]),
            (Abi::Arm, [292, 297, 365, 290, 296]),
        ];
        for (abi, numbers) in numbers {
            let calls = numbers.map(|number| decode(abi, number, [6, 0, 0, 0, 0, 0]));
            let (read, write) = (Some(Call::Read(Fd(6))), Some(Call::Write(Fd(6))));
            assert_eq!(calls, [read, read, read, write, write], "{abi:?}");
        }
    }

    /// 82 is the old select(2), which has its arguments in memory; 142 is the one in use.
    #[test]
    fn old_select_is_not_decoded() {
        let arguments = [6, 0x7fff, 0, 0, 0, 0];
        let select = Some(Call::Poll { set: FdSet::Bits(6, [0x7fff, 0, 0]), timeout: false });
        assert_eq!([82, 142].map(|number| decode(Abi::I386, number, arguments)), [None, select]);
        assert_eq!(decode(Abi::X86_64, 23, arguments), select);
    }
}
