//! A file system that has stopped answering: the report neither waits for it nor leaves out what is on it.

use std::fs;
use std::time::Duration;

use super::PLAIN;
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::{lspipe, prompt};
use crate::support::scene::Scene;
use crate::support::tree::ProcTree;
use crate::support::turn;
use crate::support::user::User;

/// Everything that a process holds on the dead file system is reported, at once: no call on the way waits for its server.
#[test]
fn descriptors_on_a_stopped_file_system() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let usual = lspipe(["--json"]).run().took;
    let scene = Scene::start("fuse", User::Me);
    let holder = scene.truth.number("/holder").to_string();
    for args in [&["--json"][..], &["--json", "-p", &holder]] {
        // A call that waits for the server would wait for ever, and one that is given up costs a second.
        let output = prompt(usual, || lspipe(args).run().expect(0));
        let report = Report::parse(&output.stdout);
        scene.truth.assert_whole(&report);
        let gaps: Vec<_> = report.unreadable.iter().filter(|gap| gap.pid.to_string() == holder).collect();
        assert!(gaps.is_empty(), "nothing of it is unreadable: {gaps:?}");
    }
}

/// The other faces of the report ask more of a descriptor, and must not wait for it either.
#[test]
fn other_views_of_a_stopped_file_system() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let usual = lspipe(["--json"]).run().took;
    let scene = Scene::start("fuse", User::Me);
    let holder = scene.truth.number("/holder").to_string();
    let (fifo, pipe) = (scene.truth.id("fifo"), scene.truth.id("pipe"));
    let link = format!("/proc/{holder}/fd/{}", scene.truth.ends_of("fifo")[0].2);
    for args in [&["-p", &holder][..], &["-e", "-p", &holder], &["-t", &pipe], &[&fifo], &[&link], &["fds", &holder]] {
        let output = prompt(usual, || lspipe(args).run().expect(0));
        assert!(output.text().contains(&holder) || args[0] == "fds", "{}", output.text());
    }
    let fds = lspipe(["fds", &holder]).run().expect(0);
    for name in ["/mnt/file", "/mnt/dir", "/mnt/fifo", &pipe] {
        assert!(fds.text().contains(name), "{name} is not in {}", fds.text());
    }
}

/// A FIFO there, named on the command line by its path: to look that up would wait for the server.
#[test]
fn path_on_a_stopped_file_system() {
    need!(Need::Root, Need::PYTHON, Need::Fuse, Need::Program("nsenter"));
    let _turn = turn::take();
    let usual = lspipe(["--json"]).run().took;
    let scene = Scene::start("fuse", User::Me);
    let path = format!("{}/fifo", scene.truth.text("/mnt"));
    let output = prompt(usual, || lspipe(["--json", &path]).mounts_of(scene.pid()).run());
    match output.code() {
        Some(0) => scene.truth.assert_pipe("fifo", &Report::parse(&output.stdout)),
        code => {
            assert_eq!(code, Some(2), "{}", output.stderr);
            assert!(output.stderr.starts_with("lspipe: ") && output.stderr.contains(&path), "{}", output.stderr);
        }
    }
}

/// In a tree of plain files the links are paths, and a path into the dead file system does block. The scan leaves that
/// descriptor behind, names it, and reports the rest.
#[test]
fn fixture_that_leads_into_a_stopped_file_system() {
    need!(Need::Root, Need::PYTHON, Need::Fuse, Need::Program("nsenter"));
    let _turn = turn::take();
    let scene = Scene::start("fuse", User::Me);
    let tree = ProcTree::new(&scene.dir().join("tree"));
    let mnt = scene.truth.text("/mnt");
    let file = format!("{mnt}/file");
    tree.process(4242, "stuck").mount(4242, mnt);
    tree.fd(4242, 3, &file, "0100000").fd(4242, 4, "pipe:[123]", "01");
    tree.fd(4242, 5, "pipe:[124]", "02000000").fd(4242, 6, &file, "0100000");
    tree.process(4243, "fine").fd(4243, 0, "pipe:[123]", "00");
    tree.process(4244, "stuck too").mount(4244, mnt).fd(4244, 9, &file, "0100000");

    let root = tree.root().to_str().expect("UTF-8");
    let args = ["--json", "--proc", root];
    let output = prompt(Duration::ZERO, || lspipe(args).mounts_of(scene.pid()).run().expect(0));
    let report = Report::parse(&output.stdout);
    let gaps: Vec<_> =
        report.unreadable.iter().map(|gap| (gap.pid, gap.fd, gap.error.as_str(), gap.mount.as_deref())).collect();
    let gap = |pid, fd| (pid, Some(fd), "ETIMEDOUT", Some(mnt));
    // One wait for them all: the first to hang gives the mount away.
    assert_eq!(gaps, [gap(4242, 3), gap(4242, 6), gap(4244, 9)]);
    assert!(!report.scan.complete);
    let ends = |id: &str| {
        let pipe = report.pipe(id).expect("listed");
        pipe.ends().map(|end| (end.pid, end.fd, end.access.clone())).collect::<Vec<_>>()
    };
    assert_eq!(report.pipes.len(), 2);
    assert_eq!(ends("pipe:[123]"), [(4243, 0, "r".to_owned()), (4242, 4, "w".to_owned())]);
    assert_eq!(ends("pipe:[124]"), [(4242, 5, "r".to_owned())]);
    // Strictly: it is not complete, so that this asks for status 2.
    lspipe(["--require-complete", "--proc", root]).mounts_of(scene.pid()).run().expect(2);
}

/// The scene is as it should be: a plain stat of what it holds does hang, so that the tests above prove something.
#[test]
fn scene_does_hang_a_plain_stat() {
    need!(Need::Root, Need::PYTHON, Need::Fuse, Need::Program("timeout"), Need::Program("stat"));
    let _turn = turn::take();
    let scene = Scene::start("fuse", User::Me);
    let holder = scene.truth.number("/holder");
    let file = (3..20)
        .map(|fd| format!("/proc/{holder}/fd/{fd}"))
        .find(|link| fs::read_link(link).is_ok_and(|target| target.ends_with("mnt/file")))
        .expect("the holder's file");
    let status = std::process::Command::new("timeout")
        .args(["--signal=KILL", "1", "stat", "--dereference", &file])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .expect("run timeout");
    assert!(!status.success(), "stat answered");
    let _ = lspipe(PLAIN).run().expect(0);
}
