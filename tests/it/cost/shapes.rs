//! Machines of one shape and any size: what grows with them is lspipe's cost.

use std::fs;

use crate::support::tree::ProcTree;

/// A machine of so many processes, threads or pipes.
pub(super) type Shape = fn(&ProcTree, u32);

/// The first process, and the first pipe.
pub(super) const FIRST: u32 = 100;
const PIPE: u32 = 5000;

fn pipe(number: u32) -> String {
    format!("pipe:[{}]", PIPE + number)
}

fn sleeps(tree: &ProcTree, pid: u32) {
    tree.blocked(pid, 'S', "230 0x1 0x1 0x7ffc 0x0", "hrtimer_nanosleep");
}

fn reads(tree: &ProcTree, pid: u32, fd: u32) {
    tree.blocked(pid, 'S', &format!("0 {fd:#x} 0x7f00 0x1000 0x0"), "anon_pipe_read");
}

fn writes(tree: &ProcTree, pid: u32, fd: u32) {
    tree.blocked(pid, 'S', &format!("1 {fd:#x} 0x7f00 0x1000 0x0"), "anon_pipe_write");
}

fn waits_for_child(tree: &ProcTree, pid: u32) {
    tree.blocked(pid, 'S', "61 0xffffffff 0x7ffc 0x0 0x0", "do_wait");
}

fn init(tree: &ProcTree) {
    tree.child(1, 0, 0, "init");
    sleeps(tree, 1);
}

/// All hold both ends of one pipe, and read it.
pub(super) fn one_pipe(tree: &ProcTree, count: u32) {
    init(tree);
    for pid in FIRST..FIRST + count {
        tree.child(pid, 1, 0, "cat").fd(pid, 3, pipe(0), "00").fd(pid, 4, pipe(0), "01");
        reads(tree, pid, 3);
    }
}

/// Each reads from a pipe of which no writer is seen, and there are as many sockets with a descriptor in flight.
pub(super) fn in_flight(tree: &ProcTree, count: u32) {
    init(tree);
    tree.child(50, 1, 0, "mail");
    sleeps(tree, 50);
    for number in 0..count {
        let (pid, fd) = (FIRST + number, 3 + number);
        tree.fd(50, fd, format!("socket:[{}]", 900_000 + number), "02");
        let info = "pos:\t0\nflags:\t02\nmnt_id:\t25\nscm_fds: 1\n";
        fs::write(tree.root().join(format!("50/fdinfo/{fd}")), info).expect("write fdinfo");
        tree.child(pid, 1, 0, "cat").fd(pid, 0, pipe(number), "00");
        reads(tree, pid, 0);
    }
}

/// Each reads from the next, and the last from the first.
pub(super) fn ring(tree: &ProcTree, count: u32) {
    init(tree);
    for number in 0..count {
        let pid = FIRST + number;
        tree.child(pid, 1, 0, "cat").fd(pid, 0, pipe(number), "00").fd(pid, 1, pipe((number + 1) % count), "01");
        reads(tree, pid, 0);
    }
}

/// The same, but the first sleeps.
pub(super) fn chain(tree: &ProcTree, count: u32) {
    ring(tree, count);
    sleeps(tree, FIRST);
}

/// Each reads a pipe that many others read, and has the write end of one that many others have.
pub(super) fn grid(tree: &ProcTree, count: u32) {
    init(tree);
    let width = count.isqrt();
    for number in 0..count {
        let pid = FIRST + number;
        tree.child(pid, 1, 0, "cat").fd(pid, 0, pipe(number % width), "00").fd(pid, 4, pipe(number / width), "01");
        reads(tree, pid, 0);
    }
}

/// One process with many threads in one read.
pub(super) fn threads(tree: &ProcTree, count: u32) {
    init(tree);
    tree.child(50, 1, 0, "writer").fd(50, 1, pipe(0), "01");
    sleeps(tree, 50);
    tree.child(FIRST, 1, 0, "cat").fd(FIRST, 0, pipe(0), "00");
    reads(tree, FIRST, 0);
    tree.threads(FIRST, FIRST + 1..FIRST + count);
}

/// Readers of one session, each with a writer of another.
pub(super) fn leaks(tree: &ProcTree, count: u32) {
    init(tree);
    for number in 0..count / 2 {
        let (reader, writer) = (FIRST + 2 * number, FIRST + 2 * number + 1);
        tree.child(reader, 1, 0, "cat").session(reader, 60, 60).fd(reader, 0, pipe(number), "00");
        tree.child(writer, 1, 0, "daemon").fd(writer, 1, pipe(number), "01");
        reads(tree, reader, 0);
        sleeps(tree, writer);
    }
}

/// Filters of a session each, of which each waits for the next, and the last sleeps.
pub(super) fn filters(tree: &ProcTree, count: u32) {
    init(tree);
    for number in 0..count {
        let pid = FIRST + number;
        tree.child(pid, 1, 0, "cat").session(pid, pid, pid).fd(pid, 1, pipe(number), "01");
        if number + 1 < count {
            tree.fd(pid, 0, pipe(number + 1), "00");
            reads(tree, pid, 0);
        } else {
            sleeps(tree, pid);
        }
    }
}

/// The same with one pipe.
pub(super) fn one_leak(tree: &ProcTree, count: u32) {
    init(tree);
    for number in 0..count / 2 {
        let (reader, writer) = (FIRST + 2 * number, FIRST + 2 * number + 1);
        tree.child(reader, 1, 0, "cat").session(reader, 60, 60).fd(reader, 0, pipe(0), "00");
        tree.child(writer, 1, 0, "daemon").fd(writer, 1, pipe(0), "01");
        reads(tree, reader, 0);
        sleeps(tree, writer);
    }
}

/// Each is the child of the one before, and has its ends.
pub(super) fn line(tree: &ProcTree, count: u32) {
    init(tree);
    for pid in FIRST..FIRST + count {
        let parent = if pid == FIRST { 1 } else { pid - 1 };
        let name = if pid % 2 == 0 { "cat" } else { "sh" };
        tree.child(pid, parent, 0, name).session(pid, 60, 60).fd(pid, 0, pipe(0), "00").fd(pid, 5, pipe(0), "01");
        waits_for_child(tree, pid);
    }
}

/// A process that does not read, and a blocked writer for each of its pipes.
pub(super) fn stalled(tree: &ProcTree, count: u32) {
    init(tree);
    tree.child(50, 1, 0, "busy");
    sleeps(tree, 50);
    for number in 0..count {
        let pid = FIRST + number;
        tree.fd(50, 3 + number, pipe(number), "00").child(pid, 1, 0, "cat").fd(pid, 1, pipe(number), "01");
        writes(tree, pid, 1);
    }
}

/// A process with many threads that all wait for any of its many children, which read from it.
pub(super) fn children(tree: &ProcTree, count: u32) {
    init(tree);
    tree.child(50, 1, 0, "make").fd(50, 9, pipe(0), "01");
    waits_for_child(tree, 50);
    tree.threads(50, 1_000_000..1_000_000 + count / 4);
    for pid in FIRST..FIRST + count {
        tree.child(pid, 50, 0, "cat").session(pid, 50, 50).fd(pid, 0, pipe(0), "00");
        reads(tree, pid, 0);
    }
}

/// Processes that each wait for themselves.
pub(super) fn loops(tree: &ProcTree, count: u32) {
    init(tree);
    for number in 0..count {
        let pid = FIRST + number;
        tree.child(pid, 1, 0, "cat").fd(pid, 3, pipe(number), "00").fd(pid, 4, pipe(number), "01");
        reads(tree, pid, 3);
    }
}
