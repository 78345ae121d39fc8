use super::*;
use crate::model::{Device, Fingerprint, PipeWait, Sleep, SleepOn, TaskId, ThreadGroup, Tid, Unseen, WaitTarget};

const PIPE: PipeId = PipeId::anonymous(7);
const FIFO: PipeId = PipeId::fifo(Device { major: 0, minor: 26 }, 7);
const READ: AccessMode = AccessMode::Read;
const WRITE: AccessMode = AccessMode::Write;
const BOTH: AccessMode = AccessMode::ReadWrite;

fn end(pid: u32, fd: u32, access: AccessMode, description: u32) -> Endpoint {
    Endpoint { pid: Pid(pid), tid: None, fd: Fd(fd), access, flags: None, description: Some(description) }
}

/// A thread in a call on these descriptors of a pipe.
fn thread(pid: u32, tid: u32, number: i64, wchan: &str, on: &[(u32, AccessMode)]) -> Task {
    let operation = match number {
        libc::SYS_read => Operation::Read,
        libc::SYS_write => Operation::Write,
        _ => Operation::Poll,
    };
    let cause = |(fd, access): &(u32, AccessMode)| {
        let (fd, pipe) = (Some(Fd(*fd)), Some(PIPE));
        WaitTarget::Pipe(PipeWait { operation, access: *access, fd, pipe, path: None, deleted: false, full: false })
    };
    let fd = on.first().map_or(0, |(fd, _)| *fd);
    let syscall = format!("{number} {fd:#x} 0x0 0x0 0x0 0x0 0x0 0x7fff 0x7f09").into_bytes();
    let trace = Fingerprint { syscall, wchan: wchan.as_bytes().to_vec(), ..Fingerprint::default() };
    let doing = TaskState::Waits { causes: on.iter().map(cause).collect(), besides: None };
    Task { trace, ..Task::new(TaskId { pid: Pid(pid), tid: Tid(tid) }, doing) }
}

fn polls(pid: u32, tid: u32, on: &[(u32, AccessMode)]) -> Task {
    thread(pid, tid, libc::SYS_ppoll, "poll_schedule_timeout", on)
}

fn reads(pid: u32, tid: u32, fd: u32) -> Task {
    thread(pid, tid, libc::SYS_read, "anon_pipe_read", &[(fd, READ)])
}

fn sleeps(pid: u32, tid: u32) -> Task {
    let sleep = Sleep { on: SleepOn::Timer, fd: None, target: None, place: String::new() };
    Task::new(TaskId { pid: Pid(pid), tid: Tid(tid) }, TaskState::Sleeps { sleep })
}

/// What is left of references besides descriptors, of readers and of writers, where processes have these threads.
fn left(ends: &[Endpoint], counts: &[(u32, Option<u64>)], groups: &[&[Task]]) -> [u64; 2] {
    let mut graph = PipeGraph::empty();
    let mut sorted = ends.to_vec();
    sorted.sort_by_key(Endpoint::key);
    graph.pipes = vec![Pipe { ends: sorted, ..Pipe::unknown(PIPE) }];
    let of = |(description, count): &(u32, Option<u64>)| {
        let first = ends.iter().find(|end| end.description == Some(*description)).unwrap();
        References { end: first.key(), access: first.access, count: *count }
    };
    let references: Vec<References> = counts.iter().map(of).collect();
    let unseen = |side| Some(Unseen { descriptions: 0, references: References::on(&references, side) });
    let (unseen_readers, unseen_writers) = (unseen(Side::Read), unseen(Side::Write));
    graph.probed.insert(PIPE, Probed { unseen_readers, unseen_writers, references, ..Probed::default() });
    let group = |tasks: &&[Task]| {
        let pid = tasks[0].id.pid;
        (pid, ThreadGroup { tasks: tasks.to_vec(), ..ThreadGroup::unknown(pid) })
    };
    explain_references(&mut graph, &groups.iter().map(group).collect());
    Side::BOTH.map(|side| graph.unseen(PIPE, side).unwrap().references)
}

#[test]
fn a_poll_holds_what_it_polls() {
    let ends = [end(5, 3, READ, 1), end(6, 9, READ, 1), end(5, 4, WRITE, 2)];
    let poll = |pid, fd| vec![polls(pid, pid, &[(fd, READ)])];
    assert_eq!(left(&ends, &[(1, Some(1))], &[&poll(5, 3)]), [0, 0]);
    assert_eq!(left(&ends, &[(1, Some(2))], &[&poll(5, 3), &poll(6, 9)]), [0, 0], "by a descriptor that it inherited");
    // Another descriptor, another number, and the other side.
    assert_eq!(left(&ends, &[(1, Some(1))], &[&poll(5, 4)]), [1, 0]);
    assert_eq!(left(&ends, &[(1, Some(2))], &[&poll(5, 3)]), [2, 0]);
    assert_eq!(left(&ends, &[(1, Some(1))], &[&poll(5, 3), &poll(6, 9)]), [1, 0]);
    assert_eq!(left(&ends, &[(1, Some(1)), (2, Some(1))], &[&poll(5, 3)]), [0, 1]);
    assert_eq!(left(&ends, &[(1, None)], &[&poll(5, 3)]), [1, 0], "it changed meanwhile");
    // It sleeps in both queues of an end that is open for both, whatever it asks for.
    let both = [end(5, 3, BOTH, 1)];
    assert_eq!(left(&both, &[(1, Some(2))], &[&poll(5, 3)]), [0, 0]);
    assert_eq!(left(&both, &[(1, Some(1))], &[&poll(5, 3)]), [1, 1]);
    let twice = vec![polls(5, 5, &[(3, READ), (3, WRITE)])];
    assert_eq!(left(&both, &[(1, Some(2))], &[&twice]), [0, 0], "one descriptor");
}

#[test]
fn a_thread_that_may_have_moved_explains_nothing() {
    let ends = [end(5, 3, READ, 1)];
    let moved = Task { doing: TaskState::Runs, ..polls(5, 5, &[(3, READ)]) };
    assert_eq!(left(&ends, &[(1, Some(1))], &[&[moved]]), [1, 0]);
    let unread = Task { trace: Fingerprint::default(), ..polls(5, 5, &[(3, READ)]) };
    assert_eq!(left(&ends, &[(1, Some(1))], &[&[unread]]), [1, 0]);
}

#[test]
fn an_epoll_holds_nothing() {
    let epoll = thread(5, 5, libc::SYS_epoll_pwait, "do_epoll_wait", &[(3, READ)]);
    assert_eq!(left(&[end(5, 3, READ, 1)], &[(1, Some(1))], &[&[epoll]]), [1, 0]);
}

/// Of one thread alone, the table is not shared.
#[test]
fn a_transfer_holds_its_file_where_threads_share_the_table() {
    let ends = [end(5, 3, READ, 1), end(5, 4, WRITE, 2)];
    let (alone, other) = ([reads(5, 5, 3)], [reads(5, 5, 3), sleeps(5, 6)]);
    assert_eq!(left(&ends, &[(1, Some(1))], &[&alone]), [1, 0]);
    assert_eq!(left(&ends, &[(1, Some(1))], &[&other]), [0, 0]);
    let two = [reads(5, 5, 3), reads(5, 6, 3)];
    assert_eq!(left(&ends, &[(1, Some(2))], &[&two]), [0, 0]);
    assert_eq!(left(&ends, &[(1, Some(1))], &[&two]), [1, 0]);
    // One of them has a table of its own, so that each may be alone with its own.
    let own = Endpoint { tid: Some(Tid(6)), ..end(5, 8, WRITE, 2) };
    let with_own = [ends[0], ends[1], own];
    assert_eq!(left(&with_own, &[(1, Some(1))], &[&other]), [1, 0]);
    let writes = [thread(5, 5, libc::SYS_write, "anon_pipe_write", &[(4, WRITE)]), sleeps(5, 6)];
    assert_eq!(left(&ends, &[(2, Some(1))], &[&writes]), [0, 0]);
}

/// The kernel counts a thread that is blocked in opening a FIFO, and it has no descriptor yet.
#[test]
fn an_open_is_what_the_kernel_counts() {
    let of = |openers: u32, descriptions| {
        let mut graph = PipeGraph::empty();
        graph.pipes = vec![Pipe { ends: vec![end(5, 3, READ, 1)], ..Pipe::unknown(FIFO) }];
        let unseen_readers = Some(Unseen { descriptions, references: 0 });
        graph.probed.insert(FIFO, Probed { unseen_readers, ..Probed::default() });
        let wait = PipeWait {
            operation: Operation::Open,
            access: READ,
            fd: None,
            pipe: Some(FIFO),
            path: None,
            deleted: false,
            full: false,
        };
        let doing = TaskState::Waits { causes: vec![WaitTarget::Pipe(wait)], besides: None };
        let opener = |pid| {
            let tasks = vec![Task::new(TaskId { pid: Pid(pid), tid: Tid(pid) }, doing.clone())];
            (Pid(pid), ThreadGroup { tasks, ..ThreadGroup::unknown(Pid(pid)) })
        };
        explain_references(&mut graph, &(20..20 + openers).map(opener).collect());
        assert_eq!(graph.unseen(FIFO, Side::Write), None);
        graph.unseen(FIFO, Side::Read).unwrap().descriptions
    };
    assert_eq!([of(0, 2), of(1, 1), of(1, 2), of(2, 1)], [2, 0, 1, 0]);
}
