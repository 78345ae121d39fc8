//! The system call that a thread is blocked in, by the line of /proc/PID/task/TID/syscall. Pure.
//!
//! A number means one thing to a 64-bit caller and another to a 32-bit one, and the line does not say which it is: so each number is
//! decoded for both, and the caller believes what fits the place where the thread sleeps ([`Place`](super::wchan::Place)).

use crate::model::{Children, Fd, Pid};

/// What the line says; see `proc_pid_syscall(5)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// `running`: on a processor, or ready for one.
    Running,
    /// `-1 SP PC`: blocked, but not in a system call.
    ViewLimit,
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
        return Some(Line::ViewLimit);
    }
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    }
    Some(Line::Call(number, arguments))
}

/// A system call that says what its caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// read(2) and its kin, also those of sockets.
    Read(Fd),
    /// write(2) and its kin.
    Write(Fd),
    /// splice(2), tee(2) and sendfile(2): from the first to the second.
    Move(Fd, Fd),
    /// vmsplice(2), to or from the pipe.
    Vmsplice(Fd),
    /// poll(2): an array of `struct pollfd`.
    Poll { array: u64, count: u64, timeout: bool },
    /// select(2): three sets of as many bits.
    Select { bits: u64, sets: [u64; 3], timeout: bool },
    /// `epoll_wait(2)`.
    Epoll { fd: Fd, timeout: bool },
    /// open(2): relative to a descriptor, or to the working directory.
    Open { dir: Option<Fd>, path: u64, flags: OpenArgument },
    /// wait4(2) and waitid(2): one child by its number in the PID namespace of the caller.
    Wait(Children),
    /// futex(2) in an operation that waits.
    Futex { address: u64, private: bool, timeout: bool },
    /// A sleep, which ends by itself.
    Sleep,
    /// pause(2) and its kin.
    Signal,
    /// `io_uring_enter(2)`.
    IoUring,
    /// `restart_syscall(2)`, after a stop, with the arguments of the call that goes on.
    Restart([u64; 6]),
}

/// Where the flags of an open(2) are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenArgument {
    /// In the argument itself.
    Flags(u32),
    /// At the beginning of a `struct open_how` at this address.
    How(u64),
}

/// What the numbers of system calls mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Abi {
    /// x86-64.
    X86,
    /// i386, also on x86-64 (`int 0x80`).
    X86Compat,
    /// aarch64.
    Arm,
    /// 32-bit ARM, also on aarch64.
    ArmCompat,
}

impl Abi {
    /// What callers on this machine may use, the usual one first.
    pub(super) const fn of_machine() -> &'static [Self] {
        if cfg!(target_arch = "x86_64") {
            &[Self::X86, Self::X86Compat]
        } else if cfg!(target_arch = "aarch64") {
            &[Self::Arm, Self::ArmCompat]
        } else if cfg!(target_arch = "x86") {
            &[Self::X86Compat]
        } else if cfg!(target_arch = "arm") {
            &[Self::ArmCompat]
        } else {
            &[]
        }
    }

    /// What callers in a saved tree may have used: it does not say which machine it is of.
    pub(super) const ALL: &'static [Self] = &[Self::X86, Self::X86Compat, Self::Arm, Self::ArmCompat];

    const fn numbers(self) -> &'static [(i64, Name)] {
        match self {
            Self::X86 => X86,
            Self::X86Compat => X86_COMPAT,
            Self::Arm => ARM,
            Self::ArmCompat => ARM_COMPAT,
        }
    }
}

/// The calls by name: those of one name take the same arguments.
#[derive(Debug, Clone, Copy)]
enum Name {
    Read,
    Write,
    Splice,
    Tee,
    Sendfile,
    Vmsplice,
    Poll,
    Ppoll,
    Select,
    Epoll,
    EpollPwait2,
    Open,
    Openat,
    Openat2,
    Wait4,
    Waitid,
    Futex,
    Sleep,
    Signal,
    IoUring,
    Restart,
}

/// `arch/x86/entry/syscalls/syscall_64.tbl`
const X86: &[(i64, Name)] = &[
    (0, Name::Read),
    (1, Name::Write),
    (2, Name::Open),
    (7, Name::Poll),
    (19, Name::Read),
    (20, Name::Write),
    (23, Name::Select),
    (34, Name::Signal),
    (35, Name::Sleep),
    (40, Name::Sendfile),
    (43, Name::Read),
    (44, Name::Write),
    (45, Name::Read),
    (46, Name::Write),
    (47, Name::Read),
    (61, Name::Wait4),
    (128, Name::Signal),
    (130, Name::Signal),
    (202, Name::Futex),
    (219, Name::Restart),
    (230, Name::Sleep),
    (232, Name::Epoll),
    (247, Name::Waitid),
    (257, Name::Openat),
    (270, Name::Select),
    (271, Name::Ppoll),
    (275, Name::Splice),
    (276, Name::Tee),
    (278, Name::Vmsplice),
    (281, Name::Epoll),
    (288, Name::Read),
    (299, Name::Read),
    (327, Name::Read),
    (328, Name::Write),
    (426, Name::IoUring),
    (437, Name::Openat2),
    (441, Name::EpollPwait2),
];

/// `arch/x86/entry/syscalls/syscall_32.tbl`
const X86_COMPAT: &[(i64, Name)] = &[
    (0, Name::Restart),
    (3, Name::Read),
    (4, Name::Write),
    (5, Name::Open),
    (7, Name::Wait4),
    (29, Name::Signal),
    (114, Name::Wait4),
    (142, Name::Select),
    (145, Name::Read),
    (146, Name::Write),
    (162, Name::Sleep),
    (168, Name::Poll),
    (177, Name::Signal),
    (179, Name::Signal),
    (187, Name::Sendfile),
    (239, Name::Sendfile),
    (240, Name::Futex),
    (256, Name::Epoll),
    (267, Name::Sleep),
    (284, Name::Waitid),
    (295, Name::Openat),
    (308, Name::Select),
    (309, Name::Ppoll),
    (313, Name::Splice),
    (315, Name::Tee),
    (316, Name::Vmsplice),
    (319, Name::Epoll),
    (364, Name::Read),
    (371, Name::Read),
    (372, Name::Read),
    (378, Name::Read),
    (379, Name::Write),
    (407, Name::Sleep),
    (413, Name::Select),
    (414, Name::Ppoll),
    (421, Name::Signal),
    (422, Name::Futex),
    (426, Name::IoUring),
    (437, Name::Openat2),
    (441, Name::EpollPwait2),
];

/// include/uapi/asm-generic/unistd.h
const ARM: &[(i64, Name)] = &[
    (22, Name::Epoll),
    (56, Name::Openat),
    (63, Name::Read),
    (64, Name::Write),
    (65, Name::Read),
    (66, Name::Write),
    (71, Name::Sendfile),
    (72, Name::Select),
    (73, Name::Ppoll),
    (75, Name::Vmsplice),
    (76, Name::Splice),
    (77, Name::Tee),
    (95, Name::Waitid),
    (98, Name::Futex),
    (101, Name::Sleep),
    (115, Name::Sleep),
    (128, Name::Restart),
    (133, Name::Signal),
    (137, Name::Signal),
    (202, Name::Read),
    (206, Name::Write),
    (207, Name::Read),
    (211, Name::Write),
    (212, Name::Read),
    (242, Name::Read),
    (243, Name::Read),
    (260, Name::Wait4),
    (286, Name::Read),
    (287, Name::Write),
    (426, Name::IoUring),
    (437, Name::Openat2),
    (441, Name::EpollPwait2),
];

/// arch/arm/tools/syscall.tbl
const ARM_COMPAT: &[(i64, Name)] = &[
    (0, Name::Restart),
    (3, Name::Read),
    (4, Name::Write),
    (5, Name::Open),
    (29, Name::Signal),
    (114, Name::Wait4),
    (142, Name::Select),
    (145, Name::Read),
    (146, Name::Write),
    (162, Name::Sleep),
    (168, Name::Poll),
    (177, Name::Signal),
    (179, Name::Signal),
    (187, Name::Sendfile),
    (239, Name::Sendfile),
    (240, Name::Futex),
    (252, Name::Epoll),
    (265, Name::Sleep),
    (280, Name::Waitid),
    (285, Name::Read),
    (291, Name::Read),
    (292, Name::Read),
    (297, Name::Read),
    (322, Name::Openat),
    (335, Name::Select),
    (336, Name::Ppoll),
    (340, Name::Splice),
    (342, Name::Tee),
    (343, Name::Vmsplice),
    (346, Name::Epoll),
    (392, Name::Read),
    (393, Name::Write),
    (407, Name::Sleep),
    (413, Name::Select),
    (414, Name::Ppoll),
    (421, Name::Signal),
    (422, Name::Futex),
    (426, Name::IoUring),
    (437, Name::Openat2),
    (441, Name::EpollPwait2),
];

/// `__X32_SYSCALL_BIT` of asm/unistd.h: a 64-bit caller with 32-bit pointers.
const X32: i64 = 0x4000_0000;

/// The call of that number; none if it is none of those that are known here.
pub(super) fn decode(abi: Abi, number: i64, arguments: [u64; 6]) -> Option<Call> {
    let number = if abi == Abi::X86 { number & !X32 } else { number };
    let (_, name) = abi.numbers().iter().find(|(known, _)| *known == number)?;
    let [a1, a2, a3, a4, a5, _] = arguments;
    // A descriptor and a timeout are the C type int, of which the upper half of the register tells nothing.
    let fd = |argument: u64| u32::try_from(argument & 0xffff_ffff).ok().filter(|fd| *fd < 1 << 31).map(Fd);
    let bounded = |milliseconds: u64| milliseconds & 0x8000_0000 == 0;
    Some(match name {
        Name::Read => Call::Read(fd(a1)?),
        Name::Write => Call::Write(fd(a1)?),
        Name::Splice => Call::Move(fd(a1)?, fd(a3)?),
        Name::Tee => Call::Move(fd(a1)?, fd(a2)?),
        Name::Sendfile => Call::Move(fd(a2)?, fd(a1)?),
        Name::Vmsplice => Call::Vmsplice(fd(a1)?),
        Name::Poll => Call::Poll { array: a1, count: a2, timeout: bounded(a3) },
        Name::Ppoll => Call::Poll { array: a1, count: a2, timeout: a3 != 0 },
        Name::Select => Call::Select { bits: a1, sets: [a2, a3, a4], timeout: a5 != 0 },
        Name::Epoll => Call::Epoll { fd: fd(a1)?, timeout: bounded(a4) },
        Name::EpollPwait2 => Call::Epoll { fd: fd(a1)?, timeout: a4 != 0 },
        Name::Open => Call::Open { dir: None, path: a1, flags: OpenArgument::Flags(low(a2)) },
        // AT_FDCWD is negative.
        Name::Openat => Call::Open { dir: fd(a1), path: a2, flags: OpenArgument::Flags(low(a3)) },
        Name::Openat2 => Call::Open { dir: fd(a1), path: a2, flags: OpenArgument::How(a3) },
        Name::Wait4 => Call::Wait(one(a1)),
        // P_PID of linux/wait.h
        Name::Waitid => Call::Wait(if low(a1) == 1 { one(a2) } else { Children::All }),
        Name::Futex => futex(a1, low(a2), a4)?,
        Name::Sleep => Call::Sleep,
        Name::Signal => Call::Signal,
        Name::IoUring => Call::IoUring,
        Name::Restart => Call::Restart(arguments),
    })
}

fn low(argument: u64) -> u32 {
    u32::try_from(argument & 0xffff_ffff).unwrap_or_default()
}

/// A positive number is one child; others name groups or all, and are taken for all.
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
            Some(Line::Call(number, arguments)) => decode(Abi::X86, number, arguments),
            other => panic!("{text}: {other:?}"),
        };
        let rest = "0x7fff 0x7f09";
        assert_eq!(decoded(&format!("0 0x3 0x7f09 0x1 0x7f09 0x0 0x0 {rest}")), Some(Call::Read(Fd(3))));
        assert_eq!(decoded(&format!("275 0xd 0x0 0x10 0x0 0x64 0x0 {rest}")), Some(Call::Move(Fd(13), Fd(16))));
        assert_eq!(decoded(&format!("40 0xe 0xf 0x0 0x64 0x3 0x0 {rest}")), Some(Call::Move(Fd(15), Fd(14))));
        let epoll = Call::Epoll { fd: Fd(5), timeout: false };
        assert_eq!(decoded(&format!("232 0x5 0x5631 0x3ff 0xffffffff 0x0 0x0 {rest}")), Some(epoll));
        let select = Call::Select { bits: 6, sets: [0x7fff, 0, 0], timeout: false };
        assert_eq!(decoded(&format!("270 0x6 0x7fff 0x0 0x0 0x0 0x0 {rest}")), Some(select));
        let open = Call::Open { dir: None, path: 0x7f09, flags: OpenArgument::Flags(0o2000000) };
        assert_eq!(decoded(&format!("257 0xffffff9c 0x7f09 0x80000 0x0 0x0 0x0 {rest}")), Some(open));
        assert_eq!(decoded(&format!("61 0xffffffff 0x7fff 0x0 0x0 0x0 0x0 {rest}")), Some(Call::Wait(Children::All)));
        let one = Some(Call::Wait(Children::One(Pid(0x16f9))));
        assert_eq!(decoded(&format!("247 0x1 0x16f9 0x7fff 0x4 0x0 0x0 {rest}")), one);
        let futex = Call::Futex { address: 0x5631, private: true, timeout: false };
        assert_eq!(decoded(&format!("202 0x5631 0x189 0x0 0x0 0x0 0xffffffff {rest}")), Some(futex));
        // FUTEX_WAKE never waits.
        assert_eq!(decoded(&format!("202 0x5631 0x81 0x1 0x0 0x0 0x0 {rest}")), None);
    }

    #[test]
    fn one_number_for_callers_of_two_kinds() {
        let arguments = [4, 0x1000, 1, 0, 0, 0];
        assert_eq!(decode(Abi::X86, 3, arguments), None);
        assert_eq!(decode(Abi::X86Compat, 3, arguments), Some(Call::Read(Fd(4))));
        assert_eq!(decode(Abi::X86, X32 | 1, arguments), Some(Call::Write(Fd(4))));
        assert_eq!(decode(Abi::Arm, 63, arguments), Some(Call::Read(Fd(4))));
        assert_eq!(decode(Abi::ArmCompat, 4, arguments), Some(Call::Write(Fd(4))));
    }

    #[test]
    fn lines_that_are_no_call() {
        assert_eq!(line(b"running\n"), Some(Line::Running));
        assert_eq!(line(b"-1 0x7ffe 0x7f09\n"), Some(Line::ViewLimit));
        assert_eq!(line(b"0 0x3 0x7f09\n"), None);
        assert_eq!(line(b""), None);
        assert_eq!(line(b"\xff"), None);
        // A negative descriptor is none.
        assert_eq!(decode(Abi::X86, 0, [0xffff_ffff, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn no_number_stands_twice_in_a_table() {
        for abi in Abi::ALL {
            assert!(abi.numbers().is_sorted_by(|(a, _), (b, _)| a < b), "{abi:?}");
        }
    }
}
