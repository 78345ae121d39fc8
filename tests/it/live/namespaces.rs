//! Namespaces: other PIDs, other mounts, the same pipes.

use super::PLAIN;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
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
        let process = report
            .processes
            .iter()
            .find(|process| process.pid.to_string() == *pid)
            .expect("listed");
        assert_eq!(process.ns_pid.map(u64::from), inner.as_u64());
    }
}

#[test]
fn two_mount_namespaces() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start("mounts", User::Me);
    let report = lspipe(PLAIN).report();
    scene.truth.assert_whole(&report);
    assert_eq!(
        scene.truth.ends_of("one").len(),
        2,
        "one FIFO under two paths"
    );
    assert_eq!(
        scene.truth.inode("twin_a"),
        scene.truth.inode("twin_b"),
        "two FIFOs of one inode number"
    );
    assert_ne!(scene.truth.id("twin_a"), scene.truth.id("twin_b"));
}
