//! The units of `contrib/systemd`: systemd takes them, and what they start works with what they leave it.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::need::{Need, need, program};
use crate::support::report::{AuditLine, Report};
use crate::support::run::public_dir;
use crate::support::scene::Scene;
use crate::support::user::User;

const SERVICE: &str = include_str!("../../../contrib/systemd/lspipe-audit.service");
const TIMER: &str = include_str!("../../../contrib/systemd/lspipe-audit.timer");

/// What the units run, which systemd looks for in its own search path, and where they have the directory of `node_exporter`.
const BINARY: &str = "lspipe";
const TEXTFILES: &str = "/var/lib/prometheus/node-exporter";

/// The value of a setting that stands there once.
#[track_caller]
fn setting(name: &str) -> &'static str {
    let mut lines = SERVICE.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = lines.next().unwrap_or_else(|| panic!("no {name}="));
    assert_eq!(lines.next(), None, "{name}= stands there twice");
    value
}

/// Runs systemd-analyze(1) on the units, with our program in the place of an installed one.
fn analyze(args: &[&str], units: &[&str]) -> Output {
    let dir = TempDir::new().expect("temporary directory");
    let service = SERVICE.replace("\nExecStart=lspipe ", concat!("\nExecStart=", env!("CARGO_BIN_EXE_lspipe"), " "));
    assert_ne!(service, SERVICE);
    for (name, text) in [("lspipe-audit.service", service.as_str()), ("lspipe-audit.timer", TIMER)] {
        fs::write(dir.path().join(name), text).expect("write a unit");
    }
    Command::new(program("systemd-analyze").expect("checked by need"))
        .args(args)
        .args(units.iter().map(|unit| dir.path().join(unit)))
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("run systemd-analyze")
}

#[test]
fn systemd_has_nothing_to_say() {
    need!(Need::Program("systemd-analyze"));
    // The man page need not be installed.
    let said = analyze(&["verify", "--man=no"], &["lspipe-audit.service", "lspipe-audit.timer"]);
    assert!(said.status.success() && said.stdout.is_empty() && said.stderr.is_empty(), "{said:?}");
}

/// 0 to 100, the less the better: 96 is a service without any protection, and what is left is what it takes to see all processes.
#[test]
fn the_service_is_hardened() {
    need!(Need::Program("systemd-analyze"));
    let said = analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"], &["lspipe-audit.service"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

/// What would hide processes from it must not be there, however well it scores.
#[test]
fn the_service_sees_all() {
    let settings: Vec<&str> = SERVICE.lines().filter(|line| !line.starts_with('#')).collect();
    for name in ["ProtectProc", "ProcSubset", "PrivateUsers", "PrivatePIDs", "RootDirectory", "DynamicUser"] {
        assert!(settings.iter().all(|line| !line.starts_with(name)), "{name}=");
    }
    assert_eq!(setting("CapabilityBoundingSet"), "CAP_SYS_PTRACE CAP_DAC_READ_SEARCH", "these and no more");
    assert_eq!(setting("SuccessExitStatus"), "1");
    assert_eq!(setting("ReadWritePaths"), format!("-{TEXTFILES}"), "where there is none, the unit starts all the same");
}

/// The very command line, as root with those two capabilities: it sees what root sees, and writes where it may.
#[test]
fn the_service_works_with_the_rights_that_it_has() {
    need!(Need::Root, Need::PYTHON, Need::Program("setpriv"));
    // FIFOs of another user: to identify them takes both capabilities.
    let scene = Scene::start("fifos", User::Nobody);
    let dir = public_dir(User::Me);
    let line = setting("ExecStart").replace(TEXTFILES, dir.path().to_str().expect("UTF-8"));
    // It need not take that long here.
    let line = line.replace("--confirm 30", "--confirm 0.1");
    let words = line.strip_prefix(BINARY).expect("the program").trim_start();
    let run = |words: &str| {
        Command::new(program("setpriv").expect("checked by need"))
            .args(["--bounding-set=-all,+sys_ptrace,+dac_read_search", "--no-new-privs", env!("CARGO_BIN_EXE_lspipe")])
            .args(words.split(' '))
            .env_clear()
            .current_dir("/")
            .output()
            .expect("run setpriv")
    };
    let whole = run(&words.replace("--ndjson", "--json"));
    scene.truth.assert_whole(&Report::parse(&whole.stdout));

    let run = run(words);
    assert!(matches!(run.status.code(), Some(0 | 1)) && run.stderr.is_empty(), "{run:?}");
    let text = String::from_utf8(run.stdout).expect("UTF-8");
    let lines: Vec<AuditLine> =
        text.lines().map(|line| serde_json::from_str(line).expect("nothing but JSON")).collect();
    let last = lines.last().expect("a last line");
    let summary = last.summary.as_ref().expect("the whole");
    assert_eq!((summary.confirmed_after, summary.known), (Some(0.1), 0));

    let metrics = fs::read_to_string(dir.path().join("lspipe.prom")).expect("the metrics");
    assert!(metrics.contains(&format!("\nlspipe_processes {}\n", last.scan.processes)), "{metrics}");
    assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1, "and nothing else");
}
