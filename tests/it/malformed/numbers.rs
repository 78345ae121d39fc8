//! Numbers that no kernel writes: out of range, not canonical, or none at all. And parents in a circle.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use super::{HEALTHY, ONE_SIDED, Stage, VICTIM, find, victims_ends};
use crate::support::report::Report;

/// Texts that stand for no number in /proc.
const NO_NUMBERS: [&str; 10] =
    ["-1", "+5", "007", "00", "0x10", "1e3", "12 ", "99999999999", "99999999999999999999", "abc"];

/// An fd table with an end of a pipe that nothing else has.
fn add_table(dir: &Path) {
    fs::create_dir_all(dir.join("fd")).expect("mkdir");
    fs::create_dir_all(dir.join("fdinfo")).expect("mkdir");
    symlink("pipe:[3000]", dir.join("fd/0")).expect("symlink");
    fs::write(dir.join("fdinfo/0"), "flags:\t00\n").expect("write");
}

fn pipes(report: &Value) -> BTreeSet<String> {
    let report: Report = serde_json::from_value(report.clone()).expect("the contract");
    report.pipes.into_iter().map(|pipe| pipe.id).collect()
}

#[test]
fn pids() {
    let stage = Stage::new();
    let before = stage.survive();
    // 0 is none, and 4194304 the largest that a kernel hands out.
    for name in ["0", "4194305"].iter().chain(&NO_NUMBERS) {
        add_table(&stage.tree.root().join(name));
    }
    let report = stage.survive();
    assert_eq!(report["scan"]["processes"], before["scan"]["processes"], "none of these is a process");
    assert!(!pipes(&report).contains("pipe:[3000]"), "{report:#}");

    stage.tree.process(4_194_304, "last").fd(4_194_304, 0, "pipe:[4000]", "00");
    let report = stage.survive();
    assert_eq!(find(&report["pipes"], "id", "pipe:[4000]")["readers"][0]["pid"], 4_194_304);
}

#[test]
fn descriptors() {
    let stage = Stage::new();
    for name in NO_NUMBERS {
        symlink("pipe:[3000]", stage.victim("fd").join(name)).expect("symlink");
        fs::write(stage.victim("fdinfo").join(name), "flags:\t00\n").expect("write");
    }
    let report = stage.survive();
    assert_eq!(victims_ends(&report), [3, 4], "none of these is a descriptor");
    assert_eq!(report["scan"]["complete"], true);
}

#[test]
fn threads() {
    let stage = Stage::new();
    for name in NO_NUMBERS {
        add_table(&stage.victim("task").join(name));
    }
    let report = stage.survive();
    assert_eq!(victims_ends(&report), [3, 4], "none of these is a thread");
}

#[test]
fn inodes() {
    let wrong = ["", "-1", "+5", "0x10", "1e3", "12 ", "abc", "18446744073709551616", "99999999999999999999"];
    let links = wrong.map(|inode| format!("pipe:[{inode}]"));
    let others =
        ["pipe:[3000", "pipe:3000]", "pipe:[3000] ", " pipe:[3000]", "pipe:[3000]x", "PIPE:[3000]", "fifo:[0:1:3000]"];
    let stage = Stage::new();
    for (fd, link) in (10..).zip(links.iter().map(String::as_str).chain(others)) {
        stage.tree.fd(VICTIM, fd, link, "00");
    }
    let report = stage.survive();
    let expected = [HEALTHY, ONE_SIDED, "pipe:[2000]"].map(str::to_owned);
    assert_eq!(pipes(&report), BTreeSet::from(expected), "no pipe is made up");
}

#[test]
fn flags() {
    let wrong = ["", "8", "-1", "abc", "0x1", "1 1", "40000000000", "99999999999999999999"];
    let stage = Stage::new();
    for (fd, flags) in (10..).zip(wrong) {
        stage.tree.fd(VICTIM, fd, "pipe:[2000]", flags);
    }
    let report = stage.survive();
    assert_eq!(victims_ends(&report), [3, 4]);
    let told = report["unreadable"].as_array().expect("an array");
    let told: Vec<_> = told.iter().map(|gap| (gap["fd"].as_u64(), gap["error"].as_str())).collect();
    let expected: Vec<_> = (10..).take(wrong.len()).map(|fd| (Some(fd), Some("EINVAL"))).collect();
    assert_eq!(told, expected, "each is an end, and of which side is not known");
}

#[test]
fn numbers_of_facts() {
    let huge = "99999999999999999999";
    for text in [huge, "-1", "4294967296", "x", ""] {
        let stage = Stage::new();
        let status = format!("Uid:\t{text}\t{text}\t{text}\t{text}\nNSpid:\t{VICTIM}\t{text}\n");
        stage.write("status", status);
        stage.write(
            "stat",
            format!("{VICTIM} (victim) ? {text} {text} {text} 0 -1 {text} 0 0 0 0 0 0 0 0 20 0 1 0 {huge} 0\n"),
        );
        let report = stage.survive();
        let victim = find(&report["processes"], "pid", VICTIM);
        for fact in ["uid", "ns_pid", "ppid", "pgid", "sid", "state", "started_at"] {
            assert_eq!(victim[fact], Value::Null, "{fact} of {text:?}");
        }
        assert_eq!(victim["command"], "victim");
        assert_eq!(victims_ends(&report), [3, 4]);
    }
}

/// When it was started, from the two numbers that say it.
#[test]
fn times() {
    let stat = |ticks: &str| format!("{VICTIM} (victim) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {ticks} 0\n");
    for (boot, ticks) in [
        ("9223372036854775807", "100"),
        ("-9223372036854775808", "100"),
        ("99999999999999999999", "100"),
        ("1700000000", "18446744073709551615"),
        ("253402300799", "9000000000000000"),
        ("x", "100"),
    ] {
        let stage = Stage::new();
        fs::write(stage.tree.root().join("stat"), format!("cpu 0\nbtime {boot}\n")).expect("write");
        stage.write("stat", stat(ticks));
        let report = super::json(&stage.run(&["--json"]).expect(0));
        assert_eq!(find(&report["processes"], "pid", VICTIM)["started_at"], Value::Null, "{boot} {ticks}");
    }
}

#[test]
fn parents_in_a_circle() {
    let stage = Stage::new();
    // 200 → 100 → 301 → 200, 302 is its own parent, and 303 has one that is not there.
    for (pid, parent) in [(100, 301), (301, 200), (302, 302), (303, 999_999)] {
        fs::write(
            stage.tree.process(pid, "kin").root().join(format!("{pid}/stat")),
            format!("{pid} (kin) S {parent} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0\n"),
        )
        .expect("write");
        if pid != 100 {
            stage.tree.fd(pid, 0, format!("pipe:[{}]", 9000 + pid), "00");
        }
    }
    let family = |pid: &str| {
        let report = super::json(&stage.run(&["--json", "-p", pid, "--descendants"]).expect(0));
        pipes(&report)
    };
    let circle = ["pipe:[1000]", "pipe:[2000]", "pipe:[9301]"].map(str::to_owned);
    for pid in ["200", "100", "301"] {
        assert_eq!(family(pid), BTreeSet::from(circle.clone()), "{pid}");
    }
    assert_eq!(family("302"), BTreeSet::from(["pipe:[9302]".to_owned()]));
    assert_eq!(family("303"), BTreeSet::from(["pipe:[9303]".to_owned()]));
}
