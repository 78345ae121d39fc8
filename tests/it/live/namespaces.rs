//! Namespaces: other PIDs, other mounts, the same pipes.

use std::collections::BTreeSet;

use super::PLAIN;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::table::Table;
use crate::support::text::assert_notes;
use crate::support::user::User;

#[test]
fn pid_namespace() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start("pidns", User::Me);
    let report = lspipe(PLAIN).report();
    scene.truth.assert_whole(&report);
    let inner = scene.truth.more["inner"].as_object().expect("inner pids");
    assert_eq!(inner.len(), 2);
    for (pid, inner) in inner {
        let process = report.processes.iter().find(|process| process.pid.to_string() == *pid).expect("listed");
        assert_eq!(process.ns_pid.map(u64::from), inner.as_u64());
    }
}

#[test]
fn two_mount_namespaces() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start("mounts", User::Me);
    let report = lspipe(PLAIN).report();
    scene.truth.assert_whole(&report);
    assert_eq!(scene.truth.ends_of("one").len(), 2, "one FIFO under two paths");
    assert_eq!(scene.truth.inode("twin_a"), scene.truth.inode("twin_b"), "two FIFOs of one inode number");
    assert_ne!(scene.truth.id("twin_a"), scene.truth.id("twin_b"));

    // Named by their holder's descriptor, wherever that is mounted, or by their id, they are distinguished; by the bare inode
    // number they are not.
    let ids = |arg: &str| super::ids(&lspipe([arg]).report());
    for name in ["one", "twin_a", "twin_b"] {
        let (pid, _, fd, _) = scene.truth.ends_of(name)[0];
        let expected = BTreeSet::from([scene.truth.id(name)]);
        assert_eq!(ids(&format!("/proc/{pid}/fd/{fd}")), expected);
        assert_eq!(ids(&scene.truth.id(name)), expected);
    }
    let twins = ids(&scene.truth.inode("twin_a").to_string());
    assert!(twins.contains(&scene.truth.id("twin_a")) && twins.contains(&scene.truth.id("twin_b")));
}

/// The /proc of a PID namespace, looked at from outside and so by the numbers of inside: what is outside it is not listed,
/// and lspipe knows that it is not.
#[test]
fn proc_of_a_pid_namespace() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    let scene = Scene::start("pidns", User::Me);
    let proc = scene.truth.text("/proc");
    let report = lspipe(["--proc", proc]).mounts_of(scene.pid()).report();
    assert_eq!(report.scan.outside.as_deref(), Some("pid-namespace"));
    assert!(!report.scan.complete);
    assert_eq!(report.scan.processes, 2);
    let inner = |pid: u32| scene.truth.number(&format!("/inner/{pid}"));
    for name in ["between", "out"] {
        let pipe = report.pipe(&scene.truth.id(name)).expect("listed");
        let told: BTreeSet<_> = pipe.ends().map(|end| (end.pid, end.tid, end.fd, end.access.as_str())).collect();
        let known = scene.truth.ends_of(name).into_iter().filter(|end| end.0 != scene.pid());
        assert_eq!(told, known.map(|(pid, tid, fd, access)| (inner(pid), tid, fd, access)).collect());
    }
    assert_eq!(report.pipes.len(), 2);
    let table = lspipe(["-q", "--proc", proc]).mounts_of(scene.pid()).run().expect(0);
    let table = Table::parse(table.text());
    assert_eq!(table.cell(&scene.truth.id("out"), "READERS"), "?", "the reader is outside");
}

/// What lists no process has nothing to say, not even that nothing is wrong.
#[test]
fn proc_of_a_pid_namespace_that_has_ended() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    let scene = Scene::start("pidns_ended", User::Me);
    let inside = scene.truth.text("/proc");
    let outside = format!("/proc/{}/root{inside}", scene.pid());
    for form in [&[][..], &["why"], &["audit"], &["graph"], &["fds", "1"]] {
        let args = |proc| [form, &["--proc", proc]].concat();
        let runs =
            [(inside, lspipe(args(inside)).mounts_of(scene.pid()).run()), (&outside, lspipe(args(&outside)).run())];
        for (proc, output) in runs {
            let output = output.expect(2);
            assert_eq!(output.text(), "");
            assert_notes(&output.stderr, &[&[proc, "PID namespace"]]);
        }
    }
}
