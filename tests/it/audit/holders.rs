//! Who holds the end that is left is named, also where nothing but a side is missing.

use std::collections::BTreeSet;

use super::Machine;
use crate::support::need::{Need, need};
use crate::support::report::{Finding, Report};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::text::{fds, pids, pipes};
use crate::support::turn;
use crate::support::user::User;

/// Asserts that a finding is about this pipe and this end of it, in its fields and in its evidence.
#[track_caller]
fn assert_holder(finding: &Finding, pipe: &str, pid: u32, fd: u32) {
    assert_eq!((finding.pids(), finding.pipes.as_slice()), ([pid].into(), &[pipe.to_owned()][..]), "{finding:#?}");
    let [line] = finding.evidence.as_slice() else { panic!("not one holder: {finding:#?}") };
    assert_eq!((line.role.as_str(), pids(&line.text), fds(&line.text)), ("holder", [pid].into(), [fd].into()));
    assert!(pipes(&finding.message).contains(pipe), "{finding:#?}");
}

#[test]
fn holders_of_pipes_without_another_side() {
    let machine = Machine::start(1);
    machine.tree.process(1050, "waiter").fd(1050, 7, "pipe:[900]", "00");
    let report = machine.audit_all(&["--json", "--only=no-reader,no-writer"]).expect(0);
    let report = Report::parse(&report.stdout);
    let codes: Vec<&str> = report.findings().iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["no-reader", "no-reader", "no-writer"]);
    let expected = [("pipe:[7004]", 1030, 1), ("pipe:[7005]", 1030, 2), ("pipe:[900]", 1050, 7)];
    for (finding, (pipe, pid, fd)) in report.findings().iter().zip(expected) {
        assert_holder(finding, pipe, pid, fd);
    }
}

#[test]
fn holders_of_live_pipes_without_another_side() {
    need!(Need::PYTHON);
    let _alone = turn::alone();
    for &user in User::all() {
        let scene = Scene::start("choice", user);
        let args = ["audit", "-q", "--json", "--probe", "--only=no-reader,no-writer"];
        let report = Report::parse(&lspipe(args).user(user).run().stdout);
        let ours: BTreeSet<String> = scene.truth.ids();
        let found: Vec<&Finding> = report.findings().iter().filter(|it| ours.contains(&it.pipes[0])).collect();
        assert_eq!(found.len(), 2, "{found:#?}");
        for (name, code) in [("lone", "no-reader"), ("deaf", "no-writer")] {
            let (pid, _, fd, _) = scene.truth.ends_of(name)[0];
            let id = scene.truth.id(name);
            let finding = found.iter().find(|it| it.pipes.contains(&id)).expect("a finding");
            assert_eq!(finding.code, code);
            assert_holder(finding, &id, pid, fd);
        }
    }
}
