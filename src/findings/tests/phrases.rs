//! What a thread is doing, in words: the name of each thing that it waits for.

use std::net::SocketAddr;

use super::testing::{blocked, group, waits_for};
use super::*;
use crate::model::{
    AlternativeWake, EventId, LinkTarget, Operation, OtherFile, PipeWait, PtyFlow, Sleep, SleepOn, Socket,
    SocketFamily, SocketState, Task, TaskState, Tid, Users, WaitTarget,
};

fn said(scene: &Scene, pid: u32) -> String {
    Phrases { graph: &scene.graph, groups: &scene.groups, users: &Users::default() }.process_doing(Pid(pid))
}

fn file(fd: u32, target: &str) -> OtherFile {
    OtherFile { fd: Fd(fd), target: Some(LinkTarget::from(target.as_bytes().to_vec())) }
}

fn sleeps(on: SleepOn, at: Option<OtherFile>) -> TaskState {
    let (fd, target) = at.map(|file| (file.fd, file.target)).unzip();
    TaskState::Sleeps { sleep: Sleep { on, fd, target: target.flatten(), place: "x".to_owned() } }
}

fn socket(family: SocketFamily, state: SocketState, local: &str, peer: Option<&str>) -> Socket {
    let address = |text: &str| text.parse::<SocketAddr>().ok();
    let path = (family == SocketFamily::Unix && !local.is_empty()).then(|| local.into());
    let (local, peer) = (address(local), peer.and_then(address));
    Socket { state: Some(state), local, peer, path, ..Socket::unknown(family) }
}

fn with_sockets(mut scene: Scene) -> Scene {
    use SocketFamily::{Tcp, Udp, Unix};
    use SocketState::{Connecting, Established, Listen};
    scene.graph.waited.sockets = [
        (11, socket(Tcp, Established, "127.0.0.1:42330", Some("127.0.0.1:53191"))),
        (12, socket(Tcp, Listen, "0.0.0.0:80", None)),
        (13, socket(Unix, Established, "/run/x.sock", None)),
        (14, socket(Tcp, Connecting, "[::1]:5", Some("[::1]:6"))),
        (15, socket(Udp, SocketState::Closed, "0.0.0.0:53", None)),
        (16, socket(Unix, Listen, "@odd\u{1b}", None)),
        (17, socket(Unix, Established, "", None)),
    ]
    .into();
    scene
}

/// A chain never ends at "other files" where it is known which: sockets by their addresses, others by what they are.
#[test]
fn files_that_are_no_channel_have_names() {
    let files = [
        ("socket:[11]", "TCP 127.0.0.1:42330 → 127.0.0.1:53191 (fd 5)"),
        ("socket:[12]", "TCP 0.0.0.0:80 (fd 5, listening)"),
        ("socket:[13]", "UNIX /run/x.sock (fd 5)"),
        ("socket:[14]", "TCP [::1]:5 → [::1]:6 (fd 5, connecting)"),
        ("socket:[15]", "UDP 0.0.0.0:53 (fd 5)"),
        ("socket:[16]", r"UNIX '@odd\u{1b}' (fd 5, listening)"),
        ("socket:[17]", "a UNIX socket (fd 5)"),
        ("socket:[99]", "socket:[99] (fd 5)"),
        ("anon_inode:[eventfd]", "an eventfd (fd 5)"),
        ("anon_inode:inotify", "inotify (fd 5)"),
        ("anon_inode:[timerfd]", "a timerfd (fd 5)"),
        ("anon_inode:[signalfd]", "a signalfd (fd 5)"),
        ("/dev/pts/3", "/dev/pts/3 (fd 5)"),
        ("/var/log/x", "/var/log/x (fd 5)"),
    ];
    for (target, name) in files {
        let mut scene = with_sockets(Scene::new([group(2, 1, 1, "app", sleeps(SleepOn::Files, None))], &[]));
        scene.group(2).tasks[0].others = vec![file(5, target), file(6, "/etc/y")];
        let text = said(&scene, 2);
        let escaped = text.replace("\\x1b", r"\u{1b}");
        assert!(
            text == format!("polls {name} and /etc/y (fd 6)") || (target == "socket:[16]" && !text.contains('\u{1b}')),
            "{escaped}"
        );
    }
    // Of many, four places in the sentence.
    let mut scene = Scene::new([group(2, 1, 1, "app", sleeps(SleepOn::Files, None))], &[]);
    scene.group(2).tasks[0].others = (1..=9).map(|fd| file(fd, "/etc/y")).collect();
    assert_eq!(said(&scene, 2), "polls /etc/y (fd 1), /etc/y (fd 2), /etc/y (fd 3) and 6 more");
}

#[test]
fn a_call_on_one_socket_names_it() {
    for (inode, expected) in [
        (11, "is waiting for TCP 127.0.0.1:42330 → 127.0.0.1:53191 (fd 5)"),
        (12, "listens on TCP 0.0.0.0:80 (fd 5)"),
        (99, "is waiting for socket:[99] (fd 5)"),
    ] {
        let at = file(5, &format!("socket:[{inode}]"));
        let scene = with_sockets(Scene::new([group(2, 1, 1, "app", sleeps(SleepOn::Socket, Some(at)))], &[]));
        assert_eq!(said(&scene, 2), expected);
    }
    let mut scene = with_sockets(Scene::new([group(2, 1, 1, "app", sleeps(SleepOn::Files, None))], &[]));
    scene.group(2).tasks[0].others = vec![file(3, "socket:[12]")];
    assert_eq!(said(&scene, 2), "listens on TCP 0.0.0.0:80 (fd 3)");
}

/// A poll beside which another thread is blocked writing is not for data: there is data.
#[test]
fn a_poll_is_said_by_what_it_can_be_for() {
    let polls = |operation, ends: Endpoint| {
        let wait = PipeWait {
            operation,
            access: ends.access,
            fd: Some(ends.fd),
            pipe: Some(ID),
            path: None,
            deleted: false,
            full: false,
        };
        waits_for(WaitTarget::Pipe(wait))
    };
    let is_full = |operation, doing: TaskState| {
        let groups = [group(2, 1, 1, "yes", doing), group(3, 1, 1, "relay", polls(operation, reads(3)))];
        said(&Scene::new(groups, &[(ID, &[writes(2), reads(3)])]), 3)
    };
    let writing = || blocked(Operation::Write, ID, writes(2));
    assert_eq!(is_full(Operation::Poll, TaskState::Runs), "polls pipe:[123] (fd 0) for data or EOF");
    assert_eq!(is_full(Operation::Poll, writing()), "polls pipe:[123] (fd 0), but does not read it");
    assert_eq!(is_full(Operation::Hangup, writing()), "polls pipe:[123] (fd 0) for a hang-up only");
}

#[test]
fn sockets_and_terminals_are_said_in_plain_words() {
    let (socket, device) = (PipeId::unix(7), crate::model::Device { major: 0, minor: 26 });
    let input = PipeId::pty(device, 3, PtyFlow::Input);
    let output = PipeId::pty(device, 3, PtyFlow::Output);
    for (operation, pipe, end, expected) in [
        (Operation::Read, socket, reads(2), "is blocked reading unix:[7] (fd 0, a socket), which is empty"),
        (Operation::Write, socket, writes(2), "is blocked writing to unix:[7] (fd 1, a socket), which is full"),
        (Operation::Read, input, reads(2), "is waiting for input from its terminal /dev/pts/3 (fd 0)"),
        (Operation::Write, output, writes(2), "is blocked writing to its terminal /dev/pts/3 (fd 1), which is full"),
        (
            Operation::Read,
            output,
            reads(2),
            "is blocked reading the terminal /dev/pts/3 (fd 0, its master), which is empty",
        ),
        (
            Operation::Write,
            input,
            writes(2),
            "is blocked writing to the terminal /dev/pts/3 (fd 1, its master), which is full",
        ),
    ] {
        let end = [end];
        let mut scene = Scene::new([group(2, 1, 1, "app", blocked(operation, pipe, end[0]))], &[(pipe, &end)]);
        scene.pipe(pipe).path = pipe.flow().map(|_| "/dev/pts/3".into());
        assert_eq!(said(&scene, 2), expected);
    }
}

/// A thread that ran between the looks, and is blocked again, is not running.
#[test]
fn what_wakes_now_and_then_is_said_as_that() {
    let mut scene = Scene::new([group(2, 1, 1, "app", TaskState::Runs)], &[]);
    assert_eq!(said(&scene, 2), "is running");
    scene.group(2).tasks[0].woke = Some(Box::new(sleeps(SleepOn::Timer, None)));
    assert_eq!(said(&scene, 2), "is sleeping (nanosleep or a timer), and wakes now and then");
    let mut polls = blocked(Operation::Poll, ID, reads(2));
    if let TaskState::Waits { besides, .. } = &mut polls {
        *besides = Some(AlternativeWake::Timeout);
    }
    scene.group(2).tasks[0].woke = Some(Box::new(polls));
    let expected = "polls pipe:[123] (fd 0) for data or EOF, with a timeout, and wakes now and then";
    assert_eq!(said(&scene, 2), expected);
}

#[test]
fn a_process_that_cannot_go_on_is_said_to_be_so() {
    let mut scene = Scene::new([group(2, 1, 1, "app", TaskState::Stopped)], &[]);
    scene.graph.coverage.own_pids = true;
    assert_eq!(said(&scene, 2), "is stopped by a signal; `kill -CONT 2` resumes it");
    scene.group(2).tasks[0].doing = TaskState::Frozen;
    assert_eq!(said(&scene, 2), "is frozen by its cgroup");
    scene.group(2).tasks.clear();
    assert_eq!(said(&scene, 2), "has exited and is not yet reaped");
    scene.groups.clear();
    assert_eq!(said(&scene, 2), "is in a state that could not be read");
}

/// In a process with one thread no other can release a private lock; with several, one can.
#[test]
fn a_lock_is_said_by_which_threads_there_are() {
    let mut scene = Scene::new([group(2, 1, 1, "app", waits_for(WaitTarget::Threads))], &[]);
    assert!(said(&scene, 2).starts_with("is waiting for a lock (futex) that no other thread is left to release:"));
    let another = Task::new(TaskId { pid: Pid(2), tid: Tid(3) }, waits_for(WaitTarget::Threads));
    scene.group(2).tasks.push(another);
    assert_eq!(said(&scene, 2), "has 2 threads, of which 2 is waiting for other threads of its own process");
    let event = EventId(9);
    let mut scene = Scene::new(
        [group(2, 1, 1, "app", waits_for(WaitTarget::Event(event))), group(3, 1, 1, "b", TaskState::Runs)],
        &[],
    );
    assert_eq!(said(&scene, 2), "is waiting for an eventfd");
    scene.graph.waited.events = [(event, [Pid(2), Pid(3)].into())].into();
    assert_eq!(said(&scene, 2), "is waiting for an eventfd, which it shares with b (PID 3)");
    scene.graph.waited.events = [(event, [Pid(2)].into())].into();
    assert_eq!(said(&scene, 2), "is waiting for an eventfd that no other process holds");
}

/// Another user may read who is of which session, and whose parent has ended: more than the fd tables.
#[test]
fn likely_holders_are_of_the_same_job() {
    let unread = |pid: u32| crate::model::Gap {
        pid: Pid(pid),
        tid: None,
        command: "x".into(),
        uid: None,
        what: crate::model::UnreadablePart::FdTable,
        error: "EACCES".to_owned(),
        fds: None,
        mount: None,
        may_hold: crate::model::PossibleEnds::ANYTHING,
    };
    let started = |pid: u32, parent: u32, sid: u32, at: u64| {
        let mut group = group(pid, parent, sid, "x", TaskState::Unknown);
        group.tasks[0].trace.started = Some(at);
        group
    };
    let mut scene = Scene::new(
        [
            started(20, 10, 7, 100),
            started(21, 10, 7, 90),
            // Daemons, of before and of later; and one of another session with a parent.
            started(22, 1, 22, 50),
            started(23, 1, 23, 150),
            started(24, 10, 24, 150),
        ],
        &[],
    );
    let likely = |scene: &Scene| {
        Phrases { graph: &scene.graph, groups: &scene.groups, users: &Users::default() }.likely_holders(Pid(20))
    };
    assert_eq!(likely(&scene), None);
    scene.graph.coverage.gaps = (20..25).map(unread).collect();
    assert_eq!(likely(&scene).as_deref(), Some("the orphan x (PID 23) and x (PID 21)"));
    scene.group(23).tasks.clear();
    assert_eq!(likely(&scene).as_deref(), Some("x (PID 21)"));
}
