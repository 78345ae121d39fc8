//! Which descriptors the call of a thread that sleeps is about. Pure.

use super::syscall::{Abi, Call, FdSet, decode, fd};
use super::wchan::Place;
use crate::model::Fd;
use crate::observe::channel::WaitPlace;

/// What a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Called {
    /// What is in this set in its memory.
    Set(FdSet),
    /// These, each with whether that is sure.
    Files(Vec<(Fd, bool)>),
}

/// What a call with that number waits for at a place; none where that cannot be told. The kernel may not name the place.
pub(super) fn called(place: Option<Place>, abis: &[Abi], number: i64, arguments: [u64; 6]) -> Option<Called> {
    let shown = place.unwrap_or(Place::Elsewhere);
    let call = abis.iter().filter_map(|abi| decode(*abi, number, arguments)).find(|call| shown.fits(*call));
    let is_anywhere =
        matches!(shown, Place::Elsewhere | Place::FileLock | Place::Stopped | Place::Traced | Place::Frozen);
    let mut files = match (shown, call) {
        (Place::Poll, Some(Call::Poll { set, .. } | Call::Restart { poll: set, .. })) => return Some(Called::Set(set)),
        (
            _,
            Some(Call::Epoll { fd, .. } | Call::Read(fd) | Call::Write(fd) | Call::Vmsplice(fd) | Call::WaitPidfd(fd)),
        ) => vec![(fd, true)],
        (Place::Pipe(WaitPlace::SpliceRead), Some(Call::Move(from, _))) => vec![(from, true)],
        (Place::Pipe(WaitPlace::SpliceWrite), Some(Call::Move(_, to))) => vec![(to, true)],
        (_, Some(Call::Move(from, to))) => vec![(from, true), (to, true)],
        (_, Some(Call::FileLock(fd, _))) => vec![(fd, false)],
        // What the requests of a ring wait for is not told. A poll that sleeps elsewhere is in the middle of a file, or its place has no name.
        (_, Some(Call::IoUring | Call::Poll { .. })) | (Place::Pipe(_) | Place::Poll | Place::Epoll, None) => {
            return None;
        }
        (_, Some(Call::Restart { .. })) if is_anywhere => return None,
        _ => Vec::new(),
    };
    // Any call may sleep there.
    if is_anywhere {
        files.extend(undecoded(abis, number, arguments)?.into_iter().map(|fd| (fd, false)));
    }
    Some(Called::Files(files))
}

/// The descriptors that a call may be about that is not decoded for the usual caller; none where they are not among its arguments.
fn undecoded(abis: &[Abi], number: i64, arguments: [u64; 6]) -> Option<Vec<Fd>> {
    let usual = *abis.first()?;
    if decode(usual, number, arguments).is_some() {
        return Some(Vec::new());
    }
    let mut names = abis.iter().filter_map(|abi| Some((*abi, abi.name(number)?)));
    // That select(2) is the old one, with its arguments in memory.
    let hides = |(abi, name)| match name {
        "select" => abi == Abi::I386,
        "socketcall" | "io_getevents" | "io_pgetevents" | "io_pgetevents_time64" => true,
        _ => false,
    };
    if names.any(hides) {
        return None;
    }
    let [first, _, third, ..] = arguments;
    // A saved tree does not say who the usual caller is.
    let name = usual.name(number).filter(|_| abis != Abi::ALL);
    Some(match name {
        Some(name) if has_none(name) => Vec::new(),
        Some("copy_file_range" | "epoll_ctl") => [first, third].into_iter().filter_map(fd).collect(),
        _ => fd(first).into_iter().collect(),
    })
}

/// Whether the first argument of a call that may sleep for long is a number of something else.
fn has_none(name: &str) -> bool {
    ["futex", "sem", "msg", "exit", "clone", "fork", "vfork"].iter().any(|word| name.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::proc::wchan;

    const X86: &[Abi] = &[Abi::X86_64, Abi::I386];

    fn of(wchan: &str, number: i64, arguments: [u64; 6]) -> Option<Called> {
        called(wchan::place(wchan.as_bytes()), X86, number, arguments)
    }

    fn files<const N: usize>(files: [(u32, bool); N]) -> Option<Called> {
        Some(Called::Files(files.map(|(fd, is_sure)| (Fd(fd), is_sure)).to_vec()))
    }

    #[test]
    fn a_place_without_a_name() {
        let arguments = [5, 0x1000, 7, 0xffff_ffff, 0, 0];
        // read and epoll_wait
        assert_eq!([0, 232].map(|number| of("0", number, arguments)), [files([(5, true)]), files([(5, true)])]);
        // poll, select, ppoll and io_uring_enter
        assert_eq!([7, 23, 271, 426].map(|number| of("0", number, arguments)), [None, None, None, None]);
        // futex, nanosleep, wait4 and pause
        for number in [202, 35, 61, 34] {
            assert_eq!(of("0", number, [0x1000, 0, 0, 0, 0, 0]), files([]), "{number}");
        }
        let set = Some(Called::Set(FdSet::Array(5, 0x1000)));
        assert_eq!(of("poll_schedule_timeout.constprop.0", 7, arguments), set);
    }

    #[test]
    fn calls_that_are_not_decoded() {
        let arguments = [5, 0x1000, 7, 0, 0, 0];
        // flock, fcntl, connect, fsync and ioctl
        for number in [73, 72, 42, 74, 16] {
            assert_eq!(of("locks_lock_inode_wait", number, arguments), files([(5, false)]), "{number}");
        }
        assert_eq!(of("request_wait_answer", 326, arguments), files([(5, false), (7, false)]), "copy_file_range");
        assert_eq!(of("read_events", 208, arguments), None, "io_getevents");
        assert_eq!(of("futex_wait_multiple", 449, arguments), files([]));
        // FUTEX_LOCK_PI
        assert_eq!(of("rt_mutex_schedule", 202, [0x1000, 6, 0, 0, 0, 0]), files([]));
        assert_eq!(of("do_wait", 247, [3, 6, 0, 4, 0, 0]), files([(6, true)]));
        assert_eq!(of("do_wait", 247, [1, 6, 0, 4, 0, 0]), files([]));
    }
}
