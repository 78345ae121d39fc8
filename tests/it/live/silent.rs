//! File systems whose server takes requests and answers none: no thread that waits for it can be killed. The command ends all the same, and
//! so does whatever reads its output.

use std::fs;

use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::{LIMIT, lspipe, prompt};
use crate::support::scene::Scene;
use crate::support::turn;
use crate::support::user::User;

/// Every way to look at processes, with the statuses that a report may have.
fn every_view(pid: &str) -> [(Vec<&str>, &'static [i32]); 9] {
    [
        (vec![], &[0]),
        (vec!["-e"], &[0]),
        (vec!["--probe"], &[0]),
        (vec!["fds", pid], &[0, 1]),
        (vec!["why"], &[0, 1]),
        (vec!["why", "--probe"], &[0, 1]),
        // 2 where that process could not be read.
        (vec!["why", "-p", pid], &[0, 1, 2]),
        (vec!["graph"], &[0]),
        (vec!["audit"], &[0, 1]),
    ]
}

/// Each of them ends, with all that may hold its output: the reader of it sees the end of file. The rest of the machine is reported.
fn assert_all_end(scene: &Scene, pid: u32) {
    let pid = pid.to_string();
    for (args, statuses) in every_view(&pid) {
        let output = lspipe(&args).run();
        assert!(output.code().is_some_and(|code| statuses.contains(&code)), "{args:?}: {output:?}");
        if args.is_empty() {
            assert!(output.text().contains(&scene.truth.id("pipe")), "{}", output.text());
        }
    }
    for args in [&["--json"][..], &["why", "--json"], &["audit", "--json"]] {
        let output = lspipe(args).run();
        let report = Report::parse(&output.stdout);
        scene.truth.assert_pipe("pipe", &report);
        assert_eq!(report.scan.pid, Some(output.pid), "the process that was started");
    }
}

/// An array of poll(2) in a mapping of a file there, whose page is not in memory.
#[test]
fn memory_of_a_silent_file_system() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let _alone = turn::alone();
    let scene = Scene::start_with("fuse_silent", User::Me, &["poll"]);
    assert_all_end(&scene, scene.truth.number("/holder"));
}

/// The fdinfo of an epoll, whose lock a process holds that waits for the server.
#[test]
fn epoll_that_is_locked_for_a_silent_file_system() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let _alone = turn::alone();
    let scene = Scene::start_with("fuse_silent", User::Me, &["epoll"]);
    assert_all_end(&scene, scene.truth.number("/holder"));
}

/// A path that a process opens. To look it up is the one call that cannot be avoided, and it does hang.
#[test]
fn path_on_a_silent_file_system() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let _alone = turn::alone();
    let scene = Scene::start_with("fuse_silent_open", User::Me, &["1"]);
    let opener = scene.truth.numbers("openers")[0];
    assert_all_end(&scene, opener);
    let path = format!("{}/fifo", scene.truth.text("/mnt"));
    let output = lspipe([&path]).mounts_of(scene.pid()).run().expect(2);
    assert!(output.stderr.contains(&path), "{}", output.stderr);
}

/// Many that open a FIFO there cost no more than a few, and nothing is tried again in a later look.
#[test]
fn hung_calls_have_a_budget() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let usual = {
        let scene = Scene::start_with("fuse_silent_open", User::Me, &["1"]);
        let output = lspipe(["why", "--json"]).run();
        scene.truth.assert_pipe("pipe", &Report::parse(&output.stdout));
        output.took
    };
    let scene = Scene::start_with("fuse_silent_open", User::Me, &["40"]);
    let output = prompt(usual, || lspipe(["why", "--json"]).run());
    let report = Report::parse(&output.stdout);
    scene.truth.assert_pipe("pipe", &report);
    // Each is blocked in opening a FIFO, whichever that is.
    let openers = scene.truth.numbers("openers");
    let waits = report.waits.expect("of why");
    for opener in openers {
        assert!(waits.iter().any(|wait| wait.pid == opener), "{opener} is not in {waits:?}");
    }
    let mut running = lspipe(["why", "-q", "-r", "0.1"]).spawn();
    let looker = running.looker();
    let mut reports = running.lines().filter(|line| line.starts_with("==="));
    let mut after = |count: usize| {
        reports.by_ref().nth(count).expect("it goes on");
        threads(looker)
    };
    assert_eq!([after(2), after(4)].map(|threads| threads < 16), [true; 2], "no round leaves more threads behind");
}

/// A child that is killed is said to have been, also while one of its threads hangs and keeps it from ending.
#[test]
fn child_that_is_killed() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let scene = Scene::start_with("fuse_silent_open", User::Me, &["1"]);
    for args in [&["-q", "-r", "100"][..], &["why", "-q", "-r", "100"]] {
        let mut running = lspipe(args).spawn();
        let stderr = running.child.stderr.take().expect("captured");
        drop(running.lines().next().expect("a report"));
        if args[0] == "why" {
            let tasks = fs::read_dir(format!("/proc/{}/task", running.looker())).expect("it runs");
            let mut places = tasks.map(|task| fs::read_to_string(task.expect("a thread").path().join("wchan")));
            let hangs = places.any(|place| place.is_ok_and(|place| place.contains("request_wait_answer")));
            assert!(hangs, "no thread hangs, and this would prove nothing");
        }
        let child = i32::try_from(running.looker()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(child.expect("a PID"), rustix::process::Signal::KILL).expect("kill");
        let status = running.wait(LIMIT);
        assert_eq!(status.code(), Some(2), "{args:?}: {status:?}");
        let said = std::io::read_to_string(stderr).expect("UTF-8");
        assert!(said.starts_with("lspipe: ") && said.contains("killed") && said.lines().count() == 1, "{said}");
    }
    drop(scene);
}

fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").count()
}
