//! Processes and users with more ends than is good for them.

use super::{assert_claims, audit, claim};
use crate::support::need::{Need, need};
use crate::support::report::{Finding, Report};
use crate::support::scene::Scene;
use crate::support::text::{assert_facts, pids};
use crate::support::user::{User, somebody};

/// Pipes and the limit of descriptors.
const HOARDERS: [&str; 4] = ["nearly,29,64", "half,18,64", "free,20,250", "few,7,20"];

#[test]
fn processes_near_their_limit() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("audit_hoard", user, &[&["0"], &HOARDERS[..]].concat());
        let pid = |name: &str| scene.truth.number(&format!("/{name}"));
        let expected = [claim("error proven", [pid("nearly")], []), claim("warning proven", [pid("half")], [])];
        let report = of_processes(audit(user, "end-hoard", &[]));
        scene.truth.assert_whole(&report);
        let findings = assert_claims(&scene, &report, &expected);
        assert_message(findings[0], pid("nearly"), &["58", "64"]);
        let process = |name| report.processes.iter().find(|process| process.pid == pid(name)).expect("listed");
        assert_eq!(["half", "free"].map(|name| process(name).fd_limit), [Some(64), Some(250)]);
        for name in ["half", "free"] {
            let count = std::fs::read_dir(format!("/proc/{}/fd", pid(name))).expect("list fd").count() as u64;
            assert!(process(name).fds.is_none_or(|fds| fds == count), "{count} descriptors, not {:?}", process(name));
        }

        // With a number of one's own, that of the others counts, too; what is near its limit is reported as that.
        let expected = [&expected[..], &[claim("warning proven", [pid("free")], [])]].concat();
        let report = of_processes(audit(user, "end-hoard", &["--max-ends", "39"]));
        let findings = assert_claims(&scene, &report, &expected);
        let free = findings.iter().find(|finding| finding.pids().contains(&pid("free"))).expect("told");
        assert_message(free, pid("free"), &["40", "39"]);
        let report = of_processes(audit(user, "end-hoard", &["--max-ends", "40"]));
        assert_claims(&scene, &report, &expected[..2]);
    }
}

/// The table of a process whose first thread has exited is not to be had there: it has not 0 descriptors.
#[test]
fn descriptors_of_a_process_without_its_first_thread() {
    need!(Need::PYTHON);
    let scene = Scene::start("leader", User::Me);
    let report = audit(User::Me, "end-hoard", &[]);
    let pids = scene.truth.pids();
    let dead =
        report.processes.iter().filter(|process| pids.contains(&process.pid) && process.state.as_deref() == Some("Z"));
    let fds: Vec<_> = dead.map(|process| process.fds).collect();
    assert!(!fds.is_empty() && fds.iter().all(Option::is_none), "{fds:?}");
}

/// Without what is reported of users, which names no process: a scene does not know what else runs as this user.
fn of_processes(mut report: Report) -> Report {
    report.findings.iter_mut().for_each(|findings| findings.retain(|finding| !pids(&finding.message).is_empty()));
    report
}

/// Asserts that a finding names this process, and has these numbers.
#[track_caller]
fn assert_message(finding: &Finding, pid: u32, numbers: &[&str]) {
    assert_eq!(pids(&finding.message), [pid].into(), "{finding:#?}");
    assert_facts(&finding.message, &[&["python3"], numbers].concat());
}

#[test]
fn user_with_many_ends_in_all() {
    need!(Need::Root, Need::PYTHON);
    let user = &somebody(0).to_string();
    let scene = Scene::start_with("audit_hoard", User::Me, &[user.as_str(), "a,10,250", "b,12,250", "c,10,250"]);
    let pid = |name: &str| scene.truth.number(&format!("/{name}"));
    let report = audit(User::Me, "end-hoard", &["-l", "--max-ends", "15"]);
    let over = ["a", "b", "c"].map(|name| claim("warning proven", [pid(name)], []));
    let findings = assert_claims(&scene, &report, &[&over[..], &[claim("info proven", [pid("b")], [])]].concat());
    assert_facts(&findings[3].message, &[user, "64", "3"]);
    // Four times as many are not more than that.
    let report = audit(User::Me, "end-hoard", &["-l", "--max-ends", "16"]);
    assert_claims(&scene, &report, &over);
}
