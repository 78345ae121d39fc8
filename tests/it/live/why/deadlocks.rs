//! Processes that wait for themselves, for each other or for a child that waits for them.

use super::{assert_certain, assert_claims, assert_waits, claim, fd_of, why};
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::text::{blocks, pids};
use crate::support::user::User;

/// The example of every lecture on pipes: the child keeps its copy of the write end, and so never reads the end of file.
#[test]
fn child_that_kept_its_own_write_end() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_fork", user, &["gone"]);
        let (child, pipe) = (scene.truth.number("/child"), scene.truth.id("pipe"));
        let (reader, writer) = (scene.truth.number("/reader_fd"), scene.truth.number("/writer_fd"));
        let report = why(user, [""; 0]);
        scene.truth.assert_pipe("pipe", &report);
        let findings = assert_claims(&scene, &report, &[claim("self-deadlock", [child], [&pipe])]);
        assert_certain(&report, findings[0]);
        assert_waits(&scene, &report, &[(child, "read", Some(reader), Some(&pipe), &[child])]);
        let wait = report.waits().iter().find(|wait| wait.pid == child).expect("a wait");
        assert_eq!(wait.waker_keys(), [(child, None, Some(writer))], "its own write end, by its number");
        // The kernel forgets it when the thread is moved to another processor, and a kernel may not report it at all.
        assert!(wait.idle_seconds.is_none_or(|idle| idle < 120.0), "{wait:?}");
    }
}

/// The parent did what was right, and is stuck all the same.
#[test]
fn parent_that_waits_for_a_child_stuck_with_itself() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_fork", user, &["waits"]);
        let (child, parent) = (scene.truth.number("/child"), scene.truth.number("/parent"));
        let (reader, pipe) = (scene.truth.number("/reader_fd"), scene.truth.id("pipe"));
        let report = why(user, [""; 0]);
        let findings = assert_claims(&scene, &report, &[claim("self-deadlock", [child], [&pipe])]);
        assert_certain(&report, findings[0]);
        let waits = [(child, "read", Some(reader), Some(&pipe), &[child][..]), (parent, "wait", None, None, &[child])];
        assert_waits(&scene, &report, &waits);
        // Asked about the parent, it reports the child; and asked about the child, the process that is stuck behind it.
        for pid in [parent, child] {
            let asked = why(user, ["-p", &pid.to_string()]);
            assert_claims(&scene, &asked, &[claim("self-deadlock", [child], [&pipe])]);
            let text = lspipe(["why", "-p", &pid.to_string()]).user(user).run().expect(1);
            assert!(pids(text.text()).is_superset(&[parent, child].into()), "{}", text.text());
        }
    }
}

/// In a PID namespace, whose numbers are not ours: the one that it waits for is distinguished from the one that it does not. And
/// where its own numbers are used, lspipe has no PID there, and still reports since when they wait.
#[test]
fn parent_in_a_pid_namespace_that_waits_for_one_of_two_children() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    for kind in ["same", "deeper"] {
        let scene = Scene::start_with("why_pidns", User::Me, &[kind]);
        let (parent, child) = (scene.truth.number("/waiter"), scene.truth.number("/child"));
        let pipe = scene.truth.id("pipe");
        let report = why(User::Me, [""; 0]);
        assert_claims(&scene, &report, &[claim("deadlock", [parent, child], [&pipe])]);
        let wakers = |pid: u32| -> Vec<u32> {
            let wait = report.waits().iter().find(|wait| wait.pid == pid).expect("a wait");
            wait.wakers.iter().map(|waker| waker.pid).collect()
        };
        assert_eq!((wakers(parent), wakers(child)), (vec![child], vec![parent]));

        let proc = scene.truth.text("/proc");
        let output = lspipe(["why", "--json", "--proc", proc]).mounts_of(scene.pid()).run().expect(1);
        let inside = Report::parse(&output.stdout);
        let codes: Vec<_> = inside.findings().iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, ["deadlock"], "{:#?}", inside.findings());
        // The kernel forgets it when the thread is moved to another processor, which happens to one, but not to all.
        assert!(inside.waits().iter().any(|wait| wait.idle_seconds.is_some()), "{:#?}", inside.waits());
        assert!(inside.waits().iter().all(|wait| wait.idle_seconds.is_none_or(|idle| idle < 120.0)));
    }
}

#[test]
fn parent_that_writes_all_before_it_reads() {
    need!(Need::PYTHON, Need::Program("cat"));
    for &user in User::all() {
        let scene = Scene::start_with("why_popen", user, &["writes"]);
        let (parent, cat) = (scene.truth.number("/parent"), scene.truth.number("/child"));
        let (there, back) = (scene.truth.id("there"), scene.truth.id("back"));
        let report = why(user, [""; 0]);
        let findings = assert_claims(&scene, &report, &[claim("deadlock", [parent, cat], [&there, &back])]);
        assert_certain(&report, findings[0]);
        let waits = [
            (parent, "write", fd_of(&scene, parent, "there", "w"), Some(&there), &[cat][..]),
            (cat, "write", Some(1), Some(&back), &[parent]),
        ];
        assert_waits(&scene, &report, &waits);
        scene.truth.assert_whole(&report);
    }
}

#[test]
fn parent_that_waits_for_a_child_whose_output_it_does_not_read() {
    need!(Need::PYTHON, Need::Program("yes"));
    for &user in User::all() {
        let scene = Scene::start_with("why_popen", user, &["waits"]);
        let (parent, yes, back) = (scene.truth.number("/parent"), scene.truth.number("/child"), scene.truth.id("back"));
        let report = why(user, [""; 0]);
        let findings = assert_claims(&scene, &report, &[claim("deadlock", [parent, yes], [&back])]);
        assert_certain(&report, findings[0]);
        let waits = [(parent, "wait", None, None, &[yes][..]), (yes, "write", Some(1), Some(&back), &[parent])];
        assert_waits(&scene, &report, &waits);
    }
}

/// As long as one thread of the process is free, it may write yet.
#[test]
fn threads_one_of_which_is_free() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_threads", user, &["sleep"]);
        let (pid, pipe) = (scene.truth.number("/pid"), scene.truth.id("pipe"));
        let report = why(user, [""; 0]);
        assert_claims(&scene, &report, &[]);
        assert_waits(&scene, &report, &[(pid, "read", fd_of(&scene, pid, "pipe", "r"), Some(&pipe), &[pid])]);
    }
}

#[test]
fn threads_all_of_which_are_stuck() {
    need!(Need::PYTHON);
    for &user in User::all() {
        for how in ["lock", "join"] {
            let scene = Scene::start_with("why_threads", user, &[how]);
            let (pid, pipe) = (scene.truth.number("/pid"), scene.truth.id("pipe"));
            let report = why(user, [""; 0]);
            let findings = assert_claims(&scene, &report, &[claim("self-deadlock", [pid], [&pipe])]);
            assert_certain(&report, findings[0]);
            let tids: Vec<u32> = findings[0].processes.iter().map(|task| task.tid).collect();
            let (reader, other) = (scene.truth.number("/reader"), scene.truth.number("/other"));
            assert!(tids.contains(&reader), "{how}: {reader} reads, {other} waits for it: {:#?}", findings[0]);
            assert!(tids.iter().all(|tid| [reader, other].contains(tid)), "{how}: {:#?}", findings[0]);
            assert_waits(&scene, &report, &[(pid, "read", fd_of(&scene, pid, "pipe", "r"), Some(&pipe), &[pid])]);
        }
    }
}

/// No signal that it does not catch gets to it from inside its PID namespace, and SIGTERM none from outside.
#[test]
fn init_that_waits_for_itself() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"));
    let scene = Scene::start_with("why_alone", User::Me, &["itself"]);
    let init = scene.truth.number("/init");
    let outside = lspipe(["why", "-p", &init.to_string()]).run().expect(1);
    let (found, _) = blocks(outside.text());
    let [block] = found.as_slice() else { panic!("not one finding: {}", outside.text()) };
    assert_eq!((block.code, pids(block.message)), ("self-deadlock", [init].into()), "{}", outside.text());
    assert!(block.body().contains(&format!("`kill -KILL {init}`")), "{}", outside.text());
    let inside = lspipe(["why", "-p", "1"]).inside(init).run().expect(1);
    let (found, _) = blocks(inside.text());
    let [block] = found.as_slice() else { panic!("not one finding: {}", inside.text()) };
    assert_eq!((block.code, pids(block.message)), ("self-deadlock", [1].into()), "{}", inside.text());
    assert!(!block.body().contains("kill"), "no signal from inside ends it: {}", inside.text());
}
