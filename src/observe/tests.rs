//! That an observation passes whole from one process to another.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::*;
use crate::model::{
    self, AccessMode, Activity, AlternativeWake, Backend, Children, CommandLine, CommandName, Coverage, Descriptor,
    Device, Directories, Endpoint, Fd, FileLock, FileLockKind, FileLockWait, FileType, Fingerprint, Gap, Gid, Hidden,
    HiddenVia, HolderFd, Host, LockHolders, OpenFlags, Opener, Operation, OtherFile, Pipe, PipeFile, PipeLimits,
    PipeWait, PossibleEnds, PossibleHolder, Probed, Process, References, Sleep, SleepOn, Task, TaskId, TaskState,
    ThreadGroup, Tid, Time, Uid, UnionOfGaps, UnreadablePart, Unseen, UserPages, ViewLimit, WaitTarget, WaitedFiles,
    Waker,
};

const LOCK: FileLock = FileLock { kind: FileLockKind::Fcntl, device: Device { major: 8, minor: 1 }, inode: u64::MAX };
const PIPE: PipeId = PipeId::anonymous(7);
const FIFO: PipeId = PipeId::fifo(Device { major: 0, minor: 26 }, u64::MAX);

fn name() -> CommandName {
    CommandName(b"caf\xe9".to_vec())
}

fn gap() -> Gap {
    Gap {
        pid: Pid(9),
        tid: Some(Tid(10)),
        command: name(),
        uid: Some(Uid(1000)),
        what: UnreadablePart::Fd { fd: Fd(3) },
        error: "ETIMEDOUT".to_owned(),
        fds: Some(2),
        mount: Some("/net".into()),
        may_hold: PossibleEnds {
            anonymous: false,
            device: Some(Device { major: 0, minor: 45 }),
            ..PossibleEnds::ANYTHING
        },
    }
}

fn pipes() -> Vec<Pipe> {
    let flags = OpenFlags(libc::O_CLOEXEC.cast_unsigned());
    let end =
        Endpoint { pid: Pid(5), tid: None, fd: Fd(0), access: AccessMode::Read, flags: Some(flags), description: None };
    let other = Endpoint { tid: Some(Tid(6)), access: AccessMode::ReadWrite, flags: None, description: Some(4), ..end };
    let directories = Directories {
        owner: true,
        group: true,
        others: false,
        replaceable: false,
        group_replaces: Some(Gid(4)),
        owner_replaces: None,
        owner_passes: Some(Uid(5)),
    };
    let file = PipeFile { owner: Uid(1), group: Gid(2), mode: 0o4640, directories: Some(directories) };
    let task = TaskId { pid: Pid(5), tid: Tid(6) };
    let fifo = Pipe {
        path: Some(b"/run/\xff".to_vec().into()),
        deleted: true,
        ends: vec![other],
        openers: vec![Opener { task, access: AccessMode::Write, command: name() }],
        file: Some(file),
        ..Pipe::unknown(FIFO)
    };
    vec![Pipe { ends: vec![end, other], ..Pipe::unknown(PIPE) }, fifo]
}

fn graph() -> PipeGraph {
    let holder = HolderFd { pid: Pid(5), fd: Fd(8), command: name() };
    let process = Process {
        ppid: Some(1),
        uid: Some(Uid(1000)),
        command: name(),
        cmdline: Some(CommandLine { text: b"caf\xe9\0\0-x\0"[..].into(), cut: true }),
        state: Some('S'),
        started_at: Some(Time::at(1_700_000_000)),
        container: Some("0123".to_owned()),
        fd_limit: Some(u64::MAX),
        ..Process::unknown(Pid(5))
    };
    PipeGraph {
        host: Host { hostname: Some("host".to_owned()), booted_at: Some(Time::EPOCH), ..Host::default() },
        taken_at: Time::at(1_800_000_000),
        coverage: Coverage {
            proc_root: OsString::from_vec(b"/\xff".to_vec()).into(),
            backend: Backend::Bpf,
            processes: 3,
            vanished: 1,
            gaps: vec![gap()],
            union: UnionOfGaps::default(),
            outside: Some(ViewLimit::Hidepid),
            privileged: true,
            own_pids: true,
            scanner: Some(Pid(77)),
        },
        pipefs: Some(Device { major: 0, minor: 14 }),
        parents: BTreeMap::from([(Pid(5), Some(Pid(1))), (Pid(9), None)]),
        processes: BTreeMap::from([(Pid(5), process)]),
        pipes: pipes(),
        descriptors: vec![Descriptor {
            pid: Pid(5),
            tid: None,
            fd: Fd(0),
            access: None,
            flags: None,
            file_type: Some(FileType::Fifo),
            target: Some(b"pipe:[7]".to_vec().into()),
            pipe: Some(PIPE),
            details: Some(model::FileDetails::Socket(model::Socket {
                family: model::SocketFamily::Unix,
                socket_type: Some(model::SocketType::Stream),
                state: Some(model::SocketState::Listen),
                local: None,
                peer: None,
                path: Some(b"/\xff".to_vec().into()),
                unix_peer: Some(model::UnixPeer { inode: 7, path: None }),
            })),
            polled: Some(true),
        }],
        probed: BTreeMap::from([
            (
                PIPE,
                Probed {
                    queued: Some(1),
                    full: Some(true),
                    reader: Some(true),
                    readers: Some(2),
                    unseen_readers: Some(Unseen { descriptions: 1, references: 3 }),
                    references: vec![References {
                        end: (Pid(5), Some(Tid(6)), Fd(0)),
                        access: AccessMode::Read,
                        count: Some(3),
                    }],
                    unanswered: true,
                    ..Probed::default()
                },
            ),
            (FIFO, Probed::default()),
        ]),
        hidden: Hidden {
            in_flight: vec![holder.clone()],
            registered: vec![(PIPE, holder)],
            rings: vec![Pid(5)],
            unread_rings: vec![(Pid(6), Some(Fd(4)), name()), (Pid(6), None, name())],
            exiting: vec![(Pid(8), name())],
            autofs: vec![PIPE],
            gaps: vec![gap()],
            told: BTreeMap::from([(FIFO, std::iter::once(PossibleHolder::nobody(HiddenVia::Outside)).collect())]),
        },
        beside: BTreeMap::new(),
        polled: BTreeMap::from([((Pid(5), Some(Tid(6)), Fd(0)), true)]),
        waited: WaitedFiles {
            file_locks: BTreeMap::from([(
                LOCK,
                LockHolders { seen: [Waker { pid: Pid(5), tid: None, fd: Some(Fd(3)) }].into(), are_all: true },
            )]),
            ..WaitedFiles::default()
        },
        selected: true,
        limits: PipeLimits { user_pages_soft: Some(16384), user_pages_hard: None, page_size: Some(4096) },
        user_pages: vec![UserPages { uid: Uid(7), pages: 128 }],
    }
}

fn threads() -> Threads {
    let wait = PipeWait {
        operation: Operation::Read,
        access: AccessMode::Read,
        fd: Some(Fd(0)),
        pipe: Some(PIPE),
        path: None,
        deleted: false,
        full: false,
    };
    let causes = vec![
        WaitTarget::Pipe(wait.clone()),
        WaitTarget::Pipe(PipeWait {
            operation: Operation::Open,
            fd: None,
            pipe: None,
            path: Some(b"/run/\xff".to_vec().into()),
            deleted: true,
            ..wait
        }),
        WaitTarget::Children(Children::One(Pid(6))),
        WaitTarget::Children(Children::All),
        WaitTarget::Threads,
        WaitTarget::FileLock(FileLockWait {
            fd: Some(Fd(9)),
            path: Some(b"/run/\xff".to_vec().into()),
            lock: Some(LOCK),
        }),
        WaitTarget::FileLock(FileLockWait { fd: None, path: None, lock: None }),
    ];
    let sleep =
        |on| TaskState::Sleeps { sleep: Sleep { on, fd: Some(Fd(4)), target: None, place: "ep_poll".to_owned() } };
    let states = [
        TaskState::Runs,
        TaskState::Waits { causes, besides: Some(AlternativeWake::Lock) },
        TaskState::Stopped,
        TaskState::Exits,
        sleep(SleepOn::FileInPipe { pipe: FIFO }),
        sleep(SleepOn::IoUring),
        TaskState::Unknown,
    ];
    let task = |(tid, doing)| Task {
        idle: Some(Duration::from_millis(1234)),
        others: vec![OtherFile { fd: Fd(3), target: Some(b"socket:[7]".to_vec().into()) }],
        woke: Some(Box::new(TaskState::Stopped)),
        trace: Fingerprint { started: Some(9), syscall: b"0 0x0".to_vec(), wchan: b"\xff".to_vec(), switches: Some(2) },
        ..Task::new(TaskId { pid: Pid(5), tid: Tid(tid) }, doing)
    };
    let group = ThreadGroup {
        pid: Pid(5),
        parent: Some(Pid(1)),
        pgid: Some(5),
        sid: Some(0),
        command: name(),
        tracer: Some(Pid(2)),
        catches: u64::MAX,
        ignores: 1 << 12,
        blocks: 0,
        adopts: Some(vec![Pid(6)]),
        activity: Some(Activity { over: 300, cpu: 10, read: Some(4096), written: None }),
        tasks: (5..).zip(states).map(task).collect(),
    };
    Threads::from([(Pid(5), group)])
}

#[test]
fn an_observation_comes_back_whole() {
    let unsupported = [
        Unsupported::Tree,
        Unsupported::OtherPids,
        Unsupported::NoHelper,
        Unsupported::HelperFailed("no such file".to_owned()),
    ];
    let answers = Answers { refused: 3, user_pages_soft: Some(0) };
    let outcomes = unsupported.map(Err).into_iter().chain([Ok(answers)]).map(Some).chain([None]);
    for probe in outcomes {
        let first = probe.is_some().then(graph);
        let seen = Observation { graph: graph(), threads: threads(), first, probe };
        let json = serde_json::to_vec(&seen).unwrap();
        assert_eq!(serde_json::from_slice::<Observation>(&json).unwrap(), seen);
    }
}
