//! Parsers against lines of real machines, and against anything at all.

use proptest::prelude::*;

use super::*;
use crate::model::{FileLockKind, PipeId, PossibleEnds};
use crate::observe::channel;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn group(text: &str) -> (Option<String>, Option<String>) {
    let Group { container, unit } = cgroup(text.as_bytes());
    (container, unit)
}

#[test]
fn terminals() {
    assert_eq!(tty_index(b"pos:\t0\nflags:\t02100002\nmnt_id:\t24\nino:\t91\ntty-index:\t3\n"), Some(3));
    assert_eq!(tty_index(b"pos:\t0\nflags:\t02\n"), None);
    let of = |number: i64| controlling_terminal(format!("252 (a) b) S 251 251 60 {number} -1 4194304").as_bytes());
    // 136:3 and 136:300, as /proc/PID/stat shows them.
    assert_eq!([34819, 1_083_436, 0].map(of), [Some((136, 3)), Some((136, 300)), None]);
    assert_eq!(controlling_terminal(b"252 (a) S 251"), None);
}

#[test]
fn cgroup_names_containers_and_units() {
    let id = Some(ID.to_owned());
    let unit = |name: &str| Some(name.to_owned());
    let scope = |prefix: &str| format!("{prefix}-{ID}.scope");
    let cases = [
        (format!("0::/system.slice/docker-{ID}.scope\n"), id.clone(), Some(scope("docker"))),
        (format!("0::/docker/{ID}\n"), id.clone(), None),
        (format!("0::/kubepods-burstable-pod7e.slice:cri-containerd:{ID}"), id.clone(), None),
        (format!("12:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n"), id.clone(), None),
        (
            format!("0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-{ID}.scope"),
            id.clone(),
            Some(scope("cri-containerd")),
        ),
        (format!("0::/kubepods/besteffort/pod7e1f/{ID}"), id.clone(), None),
        (format!("0::/machine.slice/libpod-{ID}.scope/container"), id.clone(), Some(scope("libpod"))),
        (format!("0::/machine.slice/libpod-conmon-{ID}.scope"), None, Some(scope("libpod-conmon"))),
        (format!("0::/system.slice/crio-conmon-{ID}.scope"), None, Some(scope("crio-conmon"))),
        (format!("0::/../../system.slice/crio-{ID}.scope"), id, Some(scope("crio"))),
        (
            "0::/ecs/a1b2/0123456789abcdef0123456789abcdef-42".to_owned(),
            unit("0123456789abcdef0123456789abcdef-42"),
            None,
        ),
        ("0::/lxc.payload.web/system.slice/nginx.service".to_owned(), unit("web"), unit("nginx.service")),
        ("0::/machine.slice/machine-deb\\x2d12.scope".to_owned(), unit("deb-12"), unit("machine-deb\\x2d12.scope")),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/mako.service".to_owned(),
            None,
            unit("user@1000.service"),
        ),
        // Below its user manager, a user may give control groups any name.
        ("0::/user.slice/user-1000.slice/user@1000.service/sshd.service".to_owned(), None, unit("user@1000.service")),
        (
            format!("0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container"),
            Some(format!("user@1000/{ID}")),
            unit("user@1000.service"),
        ),
        (
            format!("0::/user.slice/user-1000.slice/user@1000.service/user@0.service/docker-{ID}.scope"),
            Some(format!("user@1000/{ID}")),
            unit("user@1000.service"),
        ),
        // So may what runs in a container.
        (
            format!("0::/system.slice/docker-{ID}.scope/docker/{}/sshd.service", ID.replace('0', "1")),
            Some(ID.to_owned()),
            Some(scope("docker")),
        ),
        ("0::/user.slice/user-1000.slice/session-3.scope".to_owned(), None, unit("session-3.scope")),
        // The hierarchy that systemd named comes before the others, whatever their order.
        ("4:memory:/other.service\n1:name=systemd:/system.slice/cron.service\n".to_owned(), None, unit("cron.service")),
        ("0::/\n".to_owned(), None, None),
        (String::new(), None, None),
    ];
    for (text, container, unit) in cases {
        assert_eq!(group(&text), (container, unit), "{text}");
    }
}

#[test]
fn stat_takes_a_command_with_parentheses_and_spaces() {
    let text = b"1058 (a) S (b\n) R 7 8 9 34816 1058 4194304 105 0 0 0 3 4 0 0 20 0 2 0 98765 8192 1 2 3 4 5 6 7 8 9 10 11 12 13 14 17 61 0 0 \n";
    let expected = Stat {
        command: b"a) S (b\n".to_vec(),
        state: Some('R'),
        ppid: Some(7),
        pgid: Some(8),
        sid: Some(9),
        flags: Some(4_194_304),
        cpu: Some(7),
        start_time: Some(98765),
        processor: Some(61),
    };
    assert_eq!(stat(text), expected);
}

#[test]
fn what_is_cut_short_still_counts() {
    let expected = Stat { command: b"ls".to_vec(), state: Some('S'), ppid: Some(60), ..Stat::default() };
    assert_eq!(stat(b"251 (ls) S 60"), expected);
    assert_eq!(stat(b"251 (ls"), Stat::default());
    assert_eq!(stat(b")("), Stat::default());
    assert_eq!(status(b"Name:\tls\nUid:\t1000"), Status::default());
    assert_eq!(fdinfo(b"pos:\t0\nflags:\t01\nmnt"), FdInfo { flags: Some(OpenFlags(1)), mnt_id: None, ino: None });
}

#[test]
fn status_gives_the_effective_user_and_the_innermost_pid() {
    let text = b"Name:\tx\nUid:\t1000\t1001\t1002\t1003\nNSpid:\t1058\t11\t1\n";
    let expected = Status { uid: Some(Uid(1001)), ns_pids: vec![1058, 11, 1], ..Status::default() };
    assert_eq!((expected.ns_pid(), expected.level()), (Some(1), 2));
    assert_eq!(status(text), expected);
    // In one namespace only, there is no other number; nor is there before Linux 4.1.
    for text in [&b"NSpid:\t1058\n"[..], b"Name:\tx\n"] {
        assert_eq!((status(text).ns_pid(), status(text).level()), (None, 0));
    }
}

#[test]
fn flags_are_octal_and_in_range() {
    assert_eq!(fdinfo(b"flags:\t02000001\n").flags, Some(OpenFlags(0o2_000_001)));
    for wrong in ["flags:\t9", "flags:\t777777777777777777", "flags:", "flags:\t-1"] {
        assert_eq!(fdinfo(wrong.as_bytes()).flags, None, "{wrong}");
    }
}

#[test]
fn locks_that_an_open_file_has() {
    let head = "pos:\t0\nflags:\t0100001\nmnt_id:\t29\nino:\t10018986\n";
    let of = |rest: &str| locks(format!("{head}{rest}").as_bytes()).collect::<Vec<_>>();
    assert_eq!(of("lock:\t1: FLOCK  ADVISORY  WRITE 0 fe:00:10018986 0 EOF\n"), [FileLockKind::Flock]);
    let both = "lock:\t1: POSIX  ADVISORY  READ  44 fe:00:10018986 0 9\nlock:\t2: OFDLCK ADVISORY  WRITE -1 fe:00:10018986 12 EOF\n";
    assert_eq!(of(both), [FileLockKind::Fcntl; 2]);
    for none in ["", "lock:\t1: LEASE  ACTIVE    READ  44 fe:00:10018986 0 EOF\n", "lock:\t\n", "lock:\t1:"] {
        assert_eq!(of(none), [], "{none}");
    }
}

#[test]
fn socket_tells_what_is_in_flight_to_it() {
    assert_eq!(in_flight(b"pos:\t0\nflags:\t02\nmnt_id:\t10\nino:\t8232\nscm_fds: 3\n"), 3);
    for none in ["pos:\t0\nscm_fds: 0\n", "pos:\t0\nflags:\t02\n", "scm_fds:", "scm_fds: x", ""] {
        assert_eq!(in_flight(none.as_bytes()), 0, "{none}");
    }
}

/// The text of Linux 6.18, shortened.
#[test]
fn ring_tells_the_pipes_registered_with_it() {
    let text = b"pos:\t0\nflags:\t02000002\nSqMask:\t0x3\nSqHead:\t0\nSQEs:\t0\nCQEs:\t0\nSqThread:\t-1\nSqThreadCpu:\t-1\n\
        UserFiles:\t4\n    0: pipe:[18913]\n    1: /tmp/pipe:[7]\n    2: <none>\n    3: pipe:[5]\nUserBufs:\t1\n    0: pipe:[6]\n\
        PollList:\n";
    let pipe = PipeId::anonymous;
    let fifos = PossibleEnds { anonymous: false, ..PossibleEnds::ANYTHING };
    assert_eq!(registered(text), fdinfo::Registered { pipes: vec![pipe(18913), pipe(5)], unknown: fifos });
    let is = |text: &[u8], pipes: &[u64], unknown| {
        let pipes = pipes.iter().copied().map(pipe).collect();
        assert_eq!(registered(text), fdinfo::Registered { pipes, unknown }, "{}", String::from_utf8_lossy(text));
    };
    is(b"UserFiles:\t1\n    0: pipe:[9]", &[9], PossibleEnds::NOTHING);
    is(b"UserFiles:\t0\nUserBufs:\t0\n", &[], PossibleEnds::NOTHING);
    is(b"UserFiles:\t9\n    7: socket:[5]\n    8: <none>\n", &[], PossibleEnds::NOTHING);
    // In use; of a kernel that writes no names; without a list.
    is(b"UserFiles:\t2\nUserBufs:\t0\n", &[], PossibleEnds::ANYTHING);
    is(b"UserFiles:\t1\n    0: \n", &[], PossibleEnds::ANYTHING);
    is(b"pos:\t0\nflags:\t02000002\n    0: pipe:[9]\n", &[], PossibleEnds::ANYTHING);
}

#[test]
fn a_ring_is_seen_in_the_mappings() {
    let line = b"7fc1f3168000-7fc1f3169000 rw-s 00000000 00:10 1125240                    anon_inode:[io_uring]";
    assert_eq!(mapped_ring(line), Some(1_125_240));
    assert_eq!(mapped_ring(b"7fc1f3168000-7fc1f3169000 rw-s 00000000 00:10 7 /tmp/anon_inode:[io_uring]"), None);
    assert_eq!(mapped_ring(b"7fc1f3168000-7fc1f3169000 rw-p 00000000 00:00 0 "), None);
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = (fdinfo(&text), stat(&text), status(&text), cgroup(&text), boot_time(&text));
        let _ = (fd_limit(&text), namespace(&text), single(&text));
        let _ = (channel::by_link(&text), in_flight(&text), registered(&text));
    }

    /// Random bytes rarely get past the first field, so these keep the keywords and break the rest.
    #[test]
    fn no_broken_line_makes_a_parser_panic(
        text in "(Max open files|pid:\\[|scm_fds:|UserFiles:\\n|flags:|mnt_id:|ino:|Uid:|NSpid:|btime |[0-9]{1,4} \\(|0::/|1:name=systemd:)?[\\t \n()0-9a-f:/.-]{0,80}"
    ) {
        let text = text.as_bytes();
        let _ = (fdinfo(text), stat(text), status(text), cgroup(text), boot_time(text));
        let _ = (in_flight(text), registered(text));
        let _ = (fd_limit(text), namespace(text), single(text));
    }

    #[test]
    fn fdinfo_reads_back(flags in any::<u32>(), mnt_id in any::<u64>(), ino in any::<u64>()) {
        let text = format!("pos:\t0\nflags:\t0{flags:o}\nmnt_id:\t{mnt_id}\nino:\t{ino}\n");
        let expected = FdInfo { flags: Some(OpenFlags(flags)), mnt_id: Some(mnt_id), ino: Some(ino) };
        prop_assert_eq!(fdinfo(text.as_bytes()), expected);
    }

    #[test]
    fn stat_reads_back(command in proptest::collection::vec(any::<u8>(), 0..15), ppid in any::<u32>(), start in any::<u64>()) {
        let mut text = b"42 (".to_vec();
        text.extend(&command);
        text.extend(format!(") S {ppid} 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 {start} 20\n").bytes());
        let parsed = stat(&text);
        prop_assert_eq!(parsed.command, command);
        prop_assert_eq!(parsed.ppid, Some(ppid));
        prop_assert_eq!(parsed.start_time, Some(start));
    }
}

#[test]
fn status_of_a_thread_that_is_traced_and_catches_signals() {
    let text = b"Name:\tpython3\nTracerPid:\t77\nSigCgt:\t0000000180004002\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n";
    let known = Status { tracer: Some(77), catches: Some(0x1_8000_4002), switches: Some(42), ..Status::default() };
    assert_eq!(status(text), known);
    assert_eq!(status(b"TracerPid:\t0\nSigCgt:\tnothing\nvoluntary_ctxt_switches:\t\n"), Status::default());
}

/// As Linux 6.18 prints it.
#[test]
fn when_a_thread_last_ran() {
    let text = b"cat (5267, #threads: 1)\n---\nse.exec_start                                :        907987.688729\nse.vruntime : 1\n";
    assert_eq!(exec_start(text), Some(std::time::Duration::from_nanos(907_987_688_729)));
    assert_eq!(exec_start(b"se.exec_start : -3\n"), None);
    assert_eq!(exec_start(b"se.exec_start\n"), None);
}

#[test]
fn limits_tell_how_many_descriptors_there_may_be() {
    let text = b"Limit                     Soft Limit           Hard Limit           Units     \n\
        Max processes             96365                96365                processes \n\
        Max open files            1024                 524288               files     \n\
        Max locked memory         8388608              8388608              bytes     \n";
    assert_eq!(fd_limit(text), Some(1024));
    assert_eq!(fd_limit(b"Max open files            unlimited            unlimited            files     \n"), None);
    assert_eq!(fd_limit(b"Max open files"), None);
    assert_eq!(fd_limit(b""), None);
}

#[test]
fn link_of_a_namespace_and_file_of_a_number() {
    assert_eq!(namespace(b"pid:[4026531836]"), Some(4_026_531_836));
    for none in ["pid:[4026531836", "pid:4026531836", "pid:[]", "pid:[-1]", "/proc/1/ns/pid", ""] {
        assert_eq!(namespace(none.as_bytes()), None, "{none}");
    }
    assert_eq!(single(b"16384\n"), Some(16384));
    assert_eq!((single(b"16384 1\n"), single(b"\n"), single(b"")), (None, None, None));
}

#[test]
fn credentials_are_those_for_file_systems() {
    let text = b"Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \nCapEff:\t0000000000000006\n";
    let expected = Credentials { user: 4, group: 8, groups: vec![9, 10], capabilities: 6 };
    assert_eq!(credentials(text), Some(expected));
    assert_eq!(credentials(b"Uid:\t1\t2\t3\nGid:\t5\t6\t7\t8\nGroups:\t\nCapEff:\t0\n"), None);
    assert_eq!(credentials(b"Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t\n"), None);
    let map = b"         0       1000          1\n         1     100000      65536\n";
    assert_eq!(id_map(map), [(1000, 1), (100_000, 65536)]);
    assert_eq!(id_map(b"0 0\n"), []);
}
