//! Limits: those of the system, under which no process, no thread or no memory is to be had, and those of `--budget`.

use std::os::unix::process::ExitStatusExt as _;

use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::{Lspipe, lspipe, public_dir};
use crate::support::scene::Scene;
use crate::support::user::{User, somebody};

/// As a user of whom there may be this number of processes and threads.
fn with_tasks(args: &[&str], count: u32, of_test: u32) -> Lspipe {
    let uid: &'static str = Box::leak(format!("--reuid={}", somebody(of_test)).into_boxed_str());
    let limit = format!("--nproc={count}:{count}");
    lspipe(args).setpriv(&[uid, "--regid=65534", "--clear-groups"]).prlimit(limit)
}

/// Without a process that could hang in its place, the command does not look.
#[test]
fn no_process_to_be_had() {
    need!(Need::Root, Need::Program("setpriv"), Need::Program("prlimit"));
    for args in [&[][..], &["--json"], &["why"], &["audit"], &["graph"], &["fds", "1"]] {
        let output = with_tasks(args, 1, 0).run().expect(2);
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(output.stderr.starts_with("lspipe: ") && output.stderr.contains("ulimit -u"), "{}", output.stderr);
        assert_eq!(output.stderr.lines().count(), 1, "{args:?}: {}", output.stderr);
    }
    // What asks no process needs none.
    with_tasks(&["--list-columns"], 1, 0).run().expect(0);
    let saved = lspipe(["--json"]).run().expect(0);
    let dir = public_dir(User::Me);
    let file = dir.path().join("saved.json");
    std::fs::write(&file, &saved.stdout).expect("write");
    with_tasks(&["-q", "--from", file.to_str().expect("UTF-8")], 1, 0).run().expect(0);
}

/// Without a thread, all is given up: a single thread would look with nobody to watch it.
#[test]
fn no_thread_to_be_had() {
    need!(Need::Root, Need::Program("setpriv"), Need::Program("prlimit"));
    let output = with_tasks(&["--json"], 2, 1).run().expect(0);
    let report = Report::parse(&output.stdout);
    assert_nothing_known(&report, "EAGAIN");
    assert!(output.stderr.contains("ulimit -u"), "{}", output.stderr);
    with_tasks(&["--require-complete"], 2, 1).run().expect(2);
    for args in [&["why", "--json"][..], &["audit", "--json"]] {
        let output = with_tasks(args, 2, 1).run().expect(0);
        assert_nothing_known(&Report::parse(&output.stdout), "EAGAIN");
    }
}

/// No process was looked at, and that is said of each.
#[track_caller]
fn assert_nothing_known(report: &Report, error: &str) {
    assert!(!report.scan.complete && report.pipes.is_empty());
    assert_eq!((report.scan.unreadable, report.unreadable.len()), (report.scan.processes, report.scan.processes));
    for gap in &report.unreadable {
        assert_eq!((gap.error.as_str(), gap.what.as_str(), gap.fd), (error, "fd_table", None), "{gap:?}");
        assert!(gap.may_hold.read && gap.may_hold.write && gap.may_hold.anonymous, "{gap:?}");
    }
    assert!(report.findings.iter().flatten().next().is_none(), "nothing is proven: {:?}", report.findings);
    assert!(report.waits.iter().flatten().next().is_none(), "{:?}", report.waits);
}

/// A lack of memory has a word and a status, once there is enough to start at all. How much that is depends on the machine.
#[test]
fn no_memory_to_be_had() {
    need!(Need::Program("prlimit"));
    let mut starts = false;
    for megabytes in (4..100_u64).step_by(2) {
        let bytes = megabytes << 20;
        let output = lspipe(["-q"]).prlimit(format!("--as={bytes}:{bytes}")).run();
        match output.code() {
            Some(0) => assert!(output.text().contains("READERS"), "{}", output.text()),
            Some(2) => {
                assert_eq!(output.stderr.lines().count(), 1, "{megabytes}: {}", output.stderr);
                assert!(output.stderr.starts_with("lspipe: "), "{megabytes}: {}", output.stderr);
            }
            // 127: its libraries cannot be loaded.
            code => assert!(!starts, "{megabytes}: {code:?} {:?}: {}", output.status.signal(), output.stderr),
        }
        starts |= matches!(output.code(), Some(0 | 2));
    }
    assert!(starts);
}

/// A time that is used up at once: every process is unknown, and nothing is proven.
#[test]
fn no_time() {
    need!(Need::PYTHON);
    let scene = Scene::start_with("why_ring", User::Me, &["stuck"]);
    for args in [&[][..], &["why"], &["audit"]] {
        let args = [args, &["--budget", "0.000000001"]].concat();
        let output = lspipe([&args[..], &["--json"]].concat()).run().expect(0);
        let report = Report::parse(&output.stdout);
        assert_nothing_known(&report, "ETIME");
        let notes: Vec<&str> = output.stderr.lines().filter(|line| line.contains("--budget")).collect();
        let [note] = notes[..] else { panic!("one note for all: {}", output.stderr) };
        let count = report.scan.processes.to_string();
        assert!(note.contains(&format!("{count} of {count} processes")), "{note}");
        let text = lspipe(&args).run().expect(0);
        let claims = ["No problems found.", "No thread is waiting"];
        assert!(!claims.iter().any(|claim| text.text().contains(claim)), "{}", text.text());
        lspipe([&args[..], &["--require-complete"]].concat()).run().expect(2);
        // Enough of it changes nothing.
        let output = lspipe([&args[..args.len() - 2], &["--budget", "1000s,1G", "--json"]].concat()).run();
        let report = Report::parse(&output.stdout);
        assert!(report.unreadable.iter().all(|gap| gap.error != "ETIME"));
        if args.first() == Some(&"why") {
            assert!(report.findings.iter().flatten().any(|finding| finding.code == "deadlock"), "the ring");
        }
    }
    assert_eq!(lspipe(["graph", "--budget", "0.000000001"]).run().expect(0).text(), "");
    let pid = scene.pid().to_string();
    let output = lspipe(["fds", &pid, "--budget", "1ms"]).run();
    assert!(matches!(output.code(), Some(0..=2)), "{output:?}");
    // Each round has its own.
    let mut running = lspipe(["-q", "-r", "0.1", "--ndjson", "--budget", "60"]).spawn();
    assert_eq!(running.lines().take(200).count(), 200);
}

/// A saved report costs no scan.
#[test]
fn budget_of_a_saved_report() {
    for args in [["--budget", "5", "--from", "a.json"], ["--budget=5", "diff", "a.json", "b.json"]] {
        let output = lspipe(args).run().expect(2);
        assert!(output.stderr.contains("--budget <LIMIT>") && output.stdout.is_empty(), "{}", output.stderr);
    }
}
