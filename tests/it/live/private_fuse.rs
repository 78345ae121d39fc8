//! A file system that answers its own user only: descriptors on it are unknown, and hide nothing else of their processes.

use std::collections::BTreeSet;

use super::PLAIN;
use crate::support::need::{Need, need};
use crate::support::report::{Report, Unreadable};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

/// Every end but those on that file system is reported, by each command, and what is not known is told by descriptor.
#[test]
fn one_descriptor_hides_no_other() {
    need!(Need::Root, Need::PYTHON, Need::Fuse, Need::Program("setpriv"));
    let scene = Scene::start("private_fuse", User::Me);
    let one = scene.truth.number("/one");
    for options in [&[][..], TWO] {
        let run = |args: &[&str]| {
            let output = lspipe(args).setpriv(options).run();
            assert!(matches!(output.code(), Some(0 | 1)), "{}", output.stderr);
            Report::parse(&output.stdout)
        };
        for args in [&["--json"][..], &["why", "--json"], &["audit", "--json"]] {
            let report = run(args);
            scene.truth.assert_whole(&report);
            assert_gaps(&scene, &report);
        }
        let report = run(&["--json", "-p", &one.to_string()]);
        assert_gaps(&scene, &report);
        let pipes: BTreeSet<_> = ["pipe1", "half1", "fifo"].map(|name| scene.truth.id(name)).into();
        assert_eq!(report.pipes.iter().map(|pipe| pipe.id.clone()).collect::<BTreeSet<_>>(), pipes);
    }
}

const TWO: &[&str] = &[
    "--reuid=65533",
    "--regid=65533",
    "--clear-groups",
    "--inh-caps=+sys_ptrace,+dac_read_search",
    "--ambient-caps=+sys_ptrace,+dac_read_search",
];

/// With the capability to trace alone no link can be read, so that the whole table counts as one; an anonymous pipe is none of it.
#[test]
fn with_the_capability_to_trace_alone() {
    need!(Need::Root, Need::PYTHON, Need::Fuse, Need::Program("setpriv"));
    const ONE: &[&str] =
        &["--reuid=65533", "--regid=65533", "--clear-groups", "--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace"];
    let scene = Scene::start("private_fuse", User::Me);
    let report = lspipe(PLAIN).setpriv(ONE).report();
    for name in ["pipe1", "half1", "pipe30", "own"] {
        scene.truth.assert_pipe(name, &report);
    }
    for pid in ["/one", "/many", "/itself"].map(|name| scene.truth.number(name)) {
        let gaps = gaps_of(&report, pid);
        assert_eq!(gaps.iter().map(|gap| gap.what.as_str()).collect::<Vec<_>>(), ["fd_links"]);
        assert!(!gaps[0].may_hold.anonymous, "{gaps:?}");
    }
}

/// The missing end of an anonymous pipe is known to be missing, and a deadlock of its holders is certain.
#[test]
fn what_cannot_be_there_is_not_looked_for_there() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let scene = Scene::start("private_fuse", User::Me);
    let (half, own, itself) = (scene.truth.id("half1"), scene.truth.id("own"), scene.truth.number("/itself"));
    let report = lspipe(["why", "--json"]).run();
    let report = Report::parse(&report.stdout);
    let finding =
        report.findings().iter().find(|finding| finding.code == "self-deadlock" && finding.pipes == [own.clone()]);
    let finding = finding.unwrap_or_else(|| panic!("no deadlock of {itself}: {:#?}", report.findings()));
    let ours = scene.truth.pids();
    let doubts: Vec<_> =
        finding.doubts.iter().filter(|doubt| doubt.pid.is_some_and(|pid| ours.contains(&pid))).collect();
    assert!(doubts.is_empty(), "{doubts:#?}");
    // Where nothing else is unreadable, so it is.
    let others = report.unreadable.iter().any(|gap| !ours.contains(&gap.pid) && gap.may_hold.anonymous);
    if !others && report.scan.outside.is_none() {
        let table = lspipe(["-q", "-n", "-o", "PIPE,READERS", &half]).run().expect(0);
        assert_eq!(table.text().split_whitespace().collect::<Vec<_>>(), [half.as_str(), "-"]);
        let findings = lspipe(["why", "--json"]).run();
        let findings = Report::parse(&findings.stdout);
        let finding = findings.findings().iter().find(|finding| finding.pipes == [own.clone()]).expect("again");
        assert!(finding.certainty == "proven" || !findings.hidden.is_empty(), "{finding:#?}");
    }
}

/// The table of all descriptors has their names, and says that those on that file system may be ends.
#[test]
fn the_whole_table_is_listed() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let scene = Scene::start("private_fuse", User::Me);
    let one = scene.truth.number("/one").to_string();
    let output = lspipe(["fds", &one]).run().expect(0);
    let fd = gaps_of(&lspipe(PLAIN).report(), scene.truth.number("/one"))[0].fd.expect("a number").to_string();
    for name in [&scene.truth.id("pipe1"), &scene.truth.id("half1"), &format!("{}/file", scene.truth.text("/mnt"))] {
        assert!(output.text().contains(name), "{name} is not in {}", output.text());
    }
    let line = output.text().lines().find(|line| line.split_whitespace().any(|word| word == fd)).expect("its line");
    assert!(line.contains("/mnt/file") && line.contains('?'), "{line}");
    // It is said what is not known, and why; and that no security module is at work.
    let of = |word: &str| output.stderr.lines().find(|line| line.contains(word)).unwrap_or_default();
    assert!(of("allow_other").contains("EACCES"), "{}", output.stderr);
    assert!(!of("security module").contains(&one) && of("the fd table of").is_empty(), "{}", output.stderr);
}

fn gaps_of(report: &Report, pid: u32) -> Vec<&Unreadable> {
    report.unreadable.iter().filter(|gap| gap.pid == pid).collect()
}

/// Each descriptor by itself, unless they are many: their own modes, and nothing but FIFOs of that file system.
#[track_caller]
fn assert_gaps(scene: &Scene, report: &Report) {
    let of = |name| gaps_of(report, scene.truth.number(name));
    let all: Vec<_> = ["/one", "/many", "/itself"].into_iter().flat_map(of).collect();
    let devices: BTreeSet<_> = all.iter().map(|gap| gap.may_hold.device.as_deref()).collect();
    assert!(devices.len() == 1 && !devices.contains(&None), "{all:#?}");
    assert!(all.iter().all(|gap| gap.error == "EACCES" && !gap.may_hold.anonymous), "{all:#?}");
    let ends = |name| {
        let gaps = of(name);
        assert_eq!(gaps.len(), 1, "{gaps:#?}");
        (gaps[0].what.clone(), gaps[0].may_hold.read, gaps[0].may_hold.write)
    };
    assert_eq!(ends("/one"), ("fd".to_owned(), true, false));
    assert_eq!(ends("/itself"), ("fd".to_owned(), true, true));
    let many = of("/many");
    let count: u64 = many.iter().map(|gap| gap.fds.unwrap_or(1)).sum();
    assert_eq!(count, 30, "{many:#?}");
    assert!(many.len() < 15, "a table of such descriptors is no long list: {many:#?}");
    assert!(!report.scan.complete);
}
