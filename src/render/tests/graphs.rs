//! Graphs of any shape: names of any bytes, gaps of every kind, ends that are hidden, and all that may be told of a pipe.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::model::{
    AccessMode, Backend, CommandLine, Coverage, Descriptor, Device, Directories, Endpoint, Fd, FileType, Gap, Gid,
    Hidden, HolderFd, Host, OpenFlags, Opener, Pid, Pipe, PipeFile, PipeGraph, PipeId, PipeLimits, PossibleEnds,
    Probed, Process, TaskId, Tid, Uid, UnionOfGaps, UnreadablePart, Unseen, UserPages, ViewLimit, WaitedFiles,
};

pub(super) fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..16),
        any::<String>().prop_map(String::into_bytes),
        Just(b"tmux: server".to_vec()),
        Just(b"\x1b]0;owned\x07\n".to_vec()),
    ]
}

/// To the millisecond, as reports tell it.
fn time() -> impl Strategy<Value = Timestamp> {
    (-1_000_000_000_000_i64..4_000_000_000_000).prop_map(|at| Timestamp::from_millisecond(at).unwrap())
}

fn process(pid: u32) -> impl Strategy<Value = Process> {
    // A NUL ends an argument, so there is none in it.
    let arguments = option::of(vec(name(), 0..4)).prop_map(|arguments| {
        let ended = |argument: Vec<u8>| argument.into_iter().filter(|byte| *byte != 0).chain([0]);
        arguments.map(|arguments| CommandLine::from(arguments.into_iter().flat_map(ended).collect::<Vec<u8>>()))
    });
    let numbers = any::<[Option<u32>; 5]>();
    let facts = any::<[Option<u64>; 3]>();
    let texts = (option::of(any::<String>()), option::of("[a-z:]{0,9}"));
    (name(), arguments, numbers, facts, texts, any::<Option<char>>(), option::of(time())).prop_map(
        move |(command, cmdline, numbers, facts, (container, unit), state, started_at)| Process {
            pid: Pid(pid),
            ppid: numbers[0],
            pgid: numbers[1],
            sid: numbers[2],
            uid: numbers[3].map(|uid| Uid(uid % 4)),
            command: command.into(),
            cmdline,
            state,
            started_at: started_at.map(Into::into),
            ns_pid: numbers[4],
            container,
            unit,
            // Few, so that there is what an audit finds.
            fd_limit: facts[0].map(|limit| limit % 9),
            fds: facts[1],
            pid_namespace: facts[2].map(|namespace| namespace % 3),
        },
    )
}

fn access() -> impl Strategy<Value = AccessMode> {
    prop_oneof![Just(AccessMode::Read), Just(AccessMode::Write), Just(AccessMode::ReadWrite)]
}

fn flags() -> impl Strategy<Value = Option<OpenFlags>> {
    any::<Option<u32>>().prop_map(|flags| flags.map(OpenFlags))
}

fn end() -> impl Strategy<Value = Endpoint> {
    let file = option::of(1..4_u32);
    let of = (1..5_u32, option::of(9..11_u32), 0..9_u32, access(), flags(), file);
    of.prop_map(|(pid, tid, fd, access, flags, description)| Endpoint {
        pid: Pid(pid),
        tid: tid.map(Tid),
        fd: Fd(fd),
        access,
        flags,
        description,
    })
}

fn id() -> impl Strategy<Value = PipeId> {
    prop_oneof![
        any::<u64>().prop_map(PipeId::anonymous),
        (any::<u32>(), any::<u32>(), any::<u64>())
            .prop_map(|(major, minor, inode)| PipeId::fifo(Device { major, minor }, inode)),
    ]
}

fn file() -> impl Strategy<Value = PipeFile> {
    let some = (option::of(0..3_u32), option::of(0..3_u32), option::of(0..3_u32));
    let directories =
        (any::<[bool; 4]>(), some).prop_map(|([owner, group, others, replaceable], (members, moves, passes))| {
            Directories {
                owner,
                group,
                others,
                replaceable,
                group_replaces: members.map(Gid),
                owner_replaces: moves.map(Uid),
                owner_passes: passes.map(Uid),
            }
        });
    (0..3_u32, 0..3_u32, 0..0o10000_u16, option::of(directories)).prop_map(|(owner, group, mode, directories)| {
        PipeFile { owner: Uid(owner), group: Gid(group), mode, directories }
    })
}

fn pipe() -> impl Strategy<Value = Pipe> {
    let opener = (1..5_u32, 1..5_u32, access(), name()).prop_map(|(pid, tid, access, command)| Opener {
        task: TaskId { pid: Pid(pid), tid: Tid(tid) },
        access,
        command: command.into(),
    });
    let openers = prop_oneof![4 => Just(Vec::new()), 1 => vec(opener, 1..4)];
    (id(), option::of(name()), any::<bool>(), vec(end(), 1..60), openers, option::of(file())).prop_map(
        |(id, path, deleted, mut ends, openers, file)| {
            ends.sort_by_key(Endpoint::key);
            ends.dedup_by_key(|end| end.key());
            Pipe { id, path: path.map(Into::into), deleted, file, ends, openers }
        },
    )
}

fn probed() -> impl Strategy<Value = Probed> {
    let known = || option::of(any::<bool>());
    let bytes = || option::of(prop_oneof![4 => 0..2_000_000_u64, 1 => any::<u64>()]);
    let unseen = || {
        let some = (0..3_u32, 0..3_u64).prop_map(|(descriptions, references)| Unseen { descriptions, references });
        option::of(some)
    };
    let counts = (option::of(0..5_u32), option::of(0..5_u32), unseen(), unseen());
    (bytes(), bytes(), known(), known(), known(), any::<bool>(), counts).prop_map(
        |(queued, capacity, full, reader, writer, unanswered, counts)| Probed {
            queued,
            capacity,
            full,
            reader,
            writer,
            unanswered,
            readers: counts.0,
            writers: counts.1,
            unseen_readers: counts.2,
            unseen_writers: counts.3,
            references: Vec::new(),
        },
    )
}

fn gap() -> impl Strategy<Value = Gap> {
    let what = prop_oneof![
        Just(UnreadablePart::FdTable),
        Just(UnreadablePart::FdLinks),
        Just(UnreadablePart::Tasks),
        any::<u32>().prop_map(|fd| UnreadablePart::Fd { fd: Fd(fd) }),
        Just(UnreadablePart::Cmdline),
    ];
    let device = option::of((0..2_u32).prop_map(|minor| Device { major: 0, minor }));
    let may_hold = (any::<[bool; 3]>(), device).prop_map(|([read, write, anonymous], device)| PossibleEnds {
        read,
        write,
        anonymous,
        device,
    });
    let error = prop_oneof![Just("EACCES"), Just("ETIMEDOUT"), Just("errno 95")];
    let mount = option::of(prop_oneof![Just("/mnt/dead"), Just("/mnt/\u{1b}[31m\n")]);
    (77..80_u32, any::<[Option<u32>; 2]>(), name(), what, error, any::<Option<u64>>(), mount, may_hold).prop_map(
        |(pid, [tid, uid], command, what, error, fds, mount, may_hold)| Gap {
            pid: Pid(pid),
            tid: tid.map(Tid),
            command: command.into(),
            uid: uid.map(Uid),
            what,
            error: error.to_owned(),
            fds,
            mount: mount.map(Into::into),
            may_hold,
        },
    )
}

/// Mostly few: with one of them nearly every missing end may be there.
fn gaps() -> impl Strategy<Value = Vec<Gap>> {
    prop_oneof![2 => Just(Vec::new()), 2 => vec(gap(), 1..2), 1 => vec(gap(), 2..6)].prop_map(|mut gaps| {
        gaps.sort_by_key(|gap| gap.pid);
        gaps
    })
}

fn hidden() -> impl Strategy<Value = Hidden> {
    let holding = || {
        (8..10_u32, 0..9_u32, name()).prop_map(|(pid, fd, command)| HolderFd {
            pid: Pid(pid),
            fd: Fd(fd),
            command: command.into(),
        })
    };
    (vec(holding(), 0..3), vec((8..10_u32, name()), 0..2), gaps()).prop_map(|(mut in_flight, exiting, gaps)| {
        in_flight.sort();
        let exiting = exiting.into_iter().map(|(pid, command)| (Pid(pid), command.into())).collect();
        Hidden { in_flight, exiting, gaps, ..Hidden::default() }
    })
}

fn descriptor() -> impl Strategy<Value = Descriptor> {
    let file_type = prop_oneof![
        Just(FileType::Regular),
        Just(FileType::Fifo),
        Just(FileType::Socket),
        Just(FileType::AnonymousInode)
    ];
    let key = (1..5_u32, option::of(9..11_u32), 0..9_u32);
    (key, option::of(access()), flags(), option::of(file_type), option::of(name()), option::of(id())).prop_map(
        |((pid, tid, fd), access, flags, file_type, target, pipe)| Descriptor {
            pid: Pid(pid),
            tid: tid.map(Tid),
            fd: Fd(fd),
            access,
            flags,
            file_type,
            target: target.map(Into::into),
            pipe,
            details: None,
            polled: None,
        },
    )
}

fn coverage() -> impl Strategy<Value = Coverage> {
    let outside = prop_oneof![
        6 => Just(None),
        1 => Just(Some(ViewLimit::PidNamespace)),
        1 => Just(Some(ViewLimit::Hidepid)),
    ];
    (gaps(), outside, any::<u16>(), any::<bool>()).prop_map(|(gaps, outside, count, privileged)| Coverage {
        proc_root: "/proc".into(),
        backend: if privileged { Backend::Bpf } else { Backend::Proc },
        processes: count.into(),
        vanished: usize::from(count) / 2,
        gaps,
        union: UnionOfGaps::default(),
        outside,
        privileged,
        own_pids: true,
        scanner: None,
    })
}

fn host() -> impl Strategy<Value = Host> {
    let booted_at = option::of(time());
    (any::<[Option<String>; 3]>(), booted_at).prop_map(|([hostname, kernel, boot_id], booted_at)| Host {
        hostname,
        kernel,
        boot_id,
        booted_at: booted_at.map(Into::into),
    })
}

pub(super) fn graph() -> impl Strategy<Value = PipeGraph> {
    let pipes = vec((pipe(), option::of(probed())), 0..5);
    let processes = (process(1), process(2), process(3));
    let limits = any::<[Option<u64>; 3]>().prop_map(|[soft, hard, page_size]| PipeLimits {
        user_pages_soft: soft.map(|pages| pages % 60),
        user_pages_hard: hard.map(|pages| pages % 99),
        page_size,
    });
    let descriptors = prop_oneof![3 => Just(Vec::new()), 1 => vec(descriptor(), 1..9)];
    (pipes, processes, coverage(), (hidden(), descriptors), (host(), time(), limits, any::<bool>())).prop_map(
        |(pipes, (a, b, c), coverage, (hidden, mut descriptors), (host, taken_at, limits, selected))| {
            let pipes: BTreeMap<PipeId, (Pipe, Option<Probed>)> =
                pipes.into_iter().map(|(pipe, probed)| (pipe.id, (pipe, probed))).collect();
            descriptors.sort_by_key(Descriptor::key);
            descriptors.dedup_by_key(|descriptor| descriptor.key());
            PipeGraph {
                host,
                taken_at: taken_at.into(),
                coverage,
                pipefs: Some(Device { major: 0, minor: 15 }),
                parents: [77, 78].into_iter().map(|pid| (Pid(pid), None)).collect(),
                // Process 4 is not there: its facts could not be read.
                processes: [a, b, c].into_iter().map(|process| (process.pid, process)).collect(),
                probed: pipes.iter().filter_map(|(id, (_, probed))| Some((*id, probed.clone()?))).collect(),
                pipes: pipes.into_values().map(|(pipe, _)| pipe).collect(),
                descriptors,
                hidden,
                beside: BTreeMap::new(),
                waited: WaitedFiles::default(),
                polled: BTreeMap::new(),
                selected,
                limits,
                user_pages: limits.user_pages_hard.map(|pages| UserPages { uid: Uid(7), pages }).into_iter().collect(),
            }
        },
    )
}

/// Names for some of the users.
pub(super) fn users() -> impl Strategy<Value = BTreeMap<Uid, String>> {
    btree_map((0..4_u32).prop_map(Uid), any::<String>(), 0..4)
}
