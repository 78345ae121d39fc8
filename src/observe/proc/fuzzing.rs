//! What a fuzz target calls of the pure parts here. Compiled for it only.

use std::collections::BTreeSet;

use super::syscall::{self, Abi, Line};
use super::{addresses, epoll, maps, mounts, parse, polled, sched, sock_diag, wchan};
use crate::model::{Device, SocketFamily};

/// Reads the input as one of the files of /proc, which its first byte selects.
pub(crate) fn files(input: &[u8]) {
    let Some((which, text)) = input.split_first() else { return };
    match which % 23 {
        0 => drop(parse::stat(text)),
        1 => {
            let status = parse::status(text);
            let _ = (status.ns_pid(), status.level());
        }
        2 => drop(parse::fdinfo(text)),
        3 => drop(epoll::watched(text)),
        4 => drop(parse::registered(text)),
        5 => drop(parse::in_flight(text)),
        6 => drop(parse::cgroup(text)),
        7 => drop(parse::fd_limit(text)),
        8 => drop(parse::namespace(text)),
        9 => {
            let _ = sched::sched(text);
        }
        10 => drop(parse::list(text)),
        11 => drop(parse::single(text)),
        12 => drop(parse::boot_time(text)),
        13 => drop(mounts::autofs_pipes(text)),
        14 => drop(mounts::is_hidepid(text, Device { major: 0, minor: 21 })),
        15 => drop(maps::futexes(text, &BTreeSet::from([0, 0x1000, u64::MAX]))),
        16 => drop(maps::mapped(text, &BTreeSet::new())),
        17 => drop(addresses::inet(text, SocketFamily::Tcp)),
        18 => drop(addresses::unix(text)),
        19 => drop(polled::kind(polled::EVENTFD, text)),
        20 => {
            let _ = (parse::tty_index(text), parse::controlling_terminal(text), mounts::devpts(text));
        }
        21 => {
            let _ = sock_diag::sockets(text, &mut Vec::new());
        }
        _ => assert!(text.starts_with(parse::line(text)), "a line is the beginning of its text"),
    }
}

/// Decodes a system call and the place where its thread sleeps, separated by a NUL.
pub(crate) fn thread(input: &[u8]) {
    let mut files = input.splitn(2, |byte| *byte == 0);
    let (line, place) = (files.next().and_then(syscall::line), files.next().and_then(wchan::place));
    if let (Some(Line::Call(number, arguments)), Some(place)) = (line, place) {
        let calls = Abi::ALL.iter().filter_map(|abi| syscall::decode(*abi, number, arguments));
        let _ = (calls.filter(|call| place.fits(*call)).count(), place.is_interruptible());
    }
}
