//! Healthy programs whose findings are compared with a baseline, and those that only systemd can start.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::expect::{bad, json};
use super::stage::Stage;
use crate::support::need::{Need, need};
use crate::support::run::{LIMIT, lspipe};

/// A finding that the baseline has does not come back when its process starts a child, which inherits the end.
#[test]
fn a_baseline_knows_a_process_with_a_new_child() {
    if super::lacks("it::programs::others::a_baseline_knows_a_process_with_a_new_child", &[]) {
        return;
    }
    let stage = Stage::start("healthy/new_child.py");
    let baseline = stage.path("baseline.json");
    let baseline = baseline.to_str().expect("UTF-8");
    stage.lspipe(&["audit", "-q", "--only=crosses-users", "--write-baseline", baseline]).expect(0);
    fs::write(stage.path("work/go"), "").expect("let it start its child");
    let end = Instant::now() + LIMIT;
    while !stage.path("work/child").exists() {
        assert!(Instant::now() < end, "no child: {}", stage.log());
        thread::sleep(Duration::from_millis(50));
    }
    let report = json(&stage, &["audit", "--json", "-q", "--only=crosses-users", "--baseline", baseline]);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{report:#}");
}

/// The command of `systemd-run --pipe` holds the pipe that it was given, as it should.
#[test]
fn systemd_run() {
    need!(Need::Root, Need::Systemd, Need::Program("systemd-run"));
    let unit = format!("lspipe-test-{}", std::process::id());
    let mut run = Command::new("systemd-run")
        .args(["-q", "--pipe", "--unit", &unit, "-p", "RuntimeMaxSec=120", "sh", "-c", "echo started; exec sleep 1000"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start systemd-run");
    let stdout = run.stdout.take().expect("captured");
    let link = fs::read_link(format!("/proc/self/fd/{}", stdout.as_raw_fd())).expect("a link");
    let pipe = link.to_str().expect("UTF-8").to_owned();
    let mut line = String::new();
    let mut stdout = BufReader::new(stdout);
    stdout.read_line(&mut line).expect("a line");
    let output = lspipe(["audit", "--json", "-q", "--only=inherited-end"]).run();
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let wrong: Vec<&Value> = bad(&report).into_iter().filter(|it| it.to_string().contains(&pipe)).collect();
    let stopped = Command::new("systemctl").args(["stop", &unit]).status().expect("run systemctl");
    run.wait().expect("wait for systemd-run");
    assert!(stopped.success() && line == "started\n" && wrong.is_empty(), "{line}{wrong:#?}");
}
