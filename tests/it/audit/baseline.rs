//! Known findings stay known when everything is restarted, and nothing else is taken for known.

use std::fs;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::{Machine, ONLY};
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::text::{assert_facts, assert_notes, numbers};
use crate::support::user::User;

/// What a person finds in the file, written from the table at `Machine`.
const FILE: &str = r#"{
  "baseline_version": 1,
  "findings": [
    {
      "code": "leaked-write-end",
      "commands": [
        "mydaemon",
        "tee"
      ],
      "users": [
        1000
      ],
      "units": [
        "mydaemon.service"
      ],
      "fifos": [],
      "severity": "warning"
    },
    {
      "code": "no-reader",
      "commands": [
        "backup"
      ],
      "users": [
        34
      ],
      "units": [],
      "fifos": [],
      "severity": "info"
    },
    {
      "code": "self-deadlock",
      "commands": [
        "sh"
      ],
      "users": [
        1000
      ],
      "units": [],
      "fifos": [],
      "severity": "error"
    },
    {
      "code": "stalled-reader",
      "commands": [
        "less",
        "yes"
      ],
      "users": [
        1000
      ],
      "units": [
        "session-*.scope"
      ],
      "fifos": [],
      "severity": "warning"
    }
  ]
}
"#;

/// Code and commands of each finding.
fn told(report: &Report) -> Vec<(String, Vec<String>)> {
    let commands =
        |finding: &crate::support::report::Finding| finding.processes.iter().map(|task| task.command.clone()).collect();
    report.findings().iter().map(|finding| (finding.code.clone(), commands(finding))).collect()
}

#[test]
fn what_is_known_is_not_reported_again_when_all_is_started_anew() {
    let before = Machine::start(1);
    let file = before.file("known.json");
    let output = before.audit(&["--json"]).expect(1);
    let report = Report::parse(&output.stdout);
    assert_eq!(report.findings().len(), 5, "{:#?}", report.findings());
    assert_eq!(report.audit.expect("an audit").known, 0);

    // Whoever writes it knows.
    let output = before.audit(&["--json", "--write-baseline", &file]).expect(0);
    assert_eq!(Report::parse(&output.stdout).findings().len(), 5, "it is reported all the same");
    assert_eq!(fs::read_to_string(&file).expect("the baseline"), FILE);

    let after = Machine::start(2);
    let report = Report::parse(&after.audit(&["--json", "--baseline", &file]).expect(0).stdout);
    assert_eq!(told(&report), []);
    assert_eq!(report.audit.expect("an audit").known, 5);
    let text = after.audit(&["--baseline", &file]).expect(0);
    assert_eq!((text.text().lines().count(), numbers(&[text.text()])), (1, vec![5]), "{}", text.text());
    assert_facts(text.text(), &["baseline"]);
    let again = after.file("again.json");
    after.audit(&["--write-baseline", &again]).expect(0);
    assert_eq!(fs::read_to_string(&again).expect("the baseline"), FILE, "byte for byte");
}

#[test]
fn what_is_new_is_reported_alone() {
    let before = Machine::start(1);
    let file = before.file("known.json");
    before.audit(&["--write-baseline", &file]).expect(0);
    let after = Machine::start(2);
    // The same by another command, by another user, and of another unit.
    after.job(40, "yes").fd(after.base + 40, 1, "pipe:[99]", "01");
    after.writes(40, 1);
    after.job(41, "more").fd(after.base + 41, 0, "pipe:[99]", "00");
    after.stops(41);
    after.tree.child(after.base + 42, 1, 35, "backup").fd(after.base + 42, 1, "pipe:[98]", "01");
    after.cgroup(11, "/system.slice/other.service");
    let report = Report::parse(&after.audit(&["--json", "--baseline", &file]).expect(1).stdout);
    let expected = [
        ("leaked-write-end", vec!["tee", "mydaemon"]),
        ("stalled-reader", vec!["yes", "more"]),
        ("no-reader", vec!["backup"]),
    ];
    let expected =
        expected.map(|(code, commands)| (code.to_owned(), commands.into_iter().map(str::to_owned).collect()));
    assert_eq!(told(&report), expected);
    assert_eq!(report.audit.expect("an audit").known, 4, "the others");
}

#[test]
fn a_baseline_that_is_written_anew_forgets_what_is_no_more() {
    let machine = Machine::start(1);
    let file = machine.file("known.json");
    machine.audit(&["--write-baseline", &file]).expect(0);
    machine.ends(10);
    machine.ends(11);
    let report =
        Report::parse(&machine.audit(&["--json", "--baseline", &file, "--write-baseline", &file]).expect(0).stdout);
    assert_eq!(told(&report), [], "and reports nothing that was known");
    let start = FILE.find("    {\n      \"code\": \"leaked").expect("an entry");
    let end = FILE.find("    {\n      \"code\": \"no-reader").expect("the next");
    assert_eq!(fs::read_to_string(&file).expect("the baseline"), format!("{}{}", &FILE[..start], &FILE[end..]));
}

#[test]
fn what_is_left_out_is_not_written() {
    let machine = Machine::start(1);
    let file = machine.file("known.json");
    let codes = |args: &[&str]| -> Vec<String> {
        machine.audit(&[args, &["--write-baseline", &file]].concat()).expect(0);
        let text = fs::read_to_string(&file).expect("the baseline");
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("\"code\": "));
        lines.map(|code| code.trim_matches([',', '"']).to_owned()).collect()
    };
    assert_eq!(codes(&[]), ["leaked-write-end", "no-reader", "self-deadlock", "stalled-reader"]);
    assert_eq!(codes(&["--ignore", "no-reader,self-deadlock"]), ["leaked-write-end", "stalled-reader"]);
    assert_eq!(codes(&["--severity", "warning"]), ["leaked-write-end", "self-deadlock", "stalled-reader"]);
    assert_eq!(codes(&["--severity", "error"]), ["self-deadlock"]);
    assert_eq!(codes(&["--ignore", "no-reader", "--severity", "error", "--ignore", "self-deadlock"]), [""; 0]);
}

/// A name may be anything: each is written in one way only, and none for another.
#[test]
fn names_are_exact() {
    let names: [&[u8]; 6] = [b"a\xff", b"a\\xff", "a\u{fffd}".as_bytes(), b"a\x1b[31m", b"a\"b", b"a\\\"b"];
    let machine = |name: &[u8]| {
        let machine = Machine::start(1);
        for pid in [1, 10, 11, 20, 21] {
            machine.ends(pid);
        }
        let stat = fs::read(machine.process(30).join("stat")).expect("read stat");
        let stat = String::from_utf8(stat).expect("UTF-8");
        let (before, after) = stat.split_once("backup").expect("its name");
        let bytes = [before.as_bytes(), name, after.as_bytes()].concat();
        fs::write(machine.process(30).join("stat"), bytes).expect("write stat");
        fs::write(machine.process(30).join("comm"), [name, b"\n"].concat()).expect("write comm");
        machine
    };
    for name in names {
        let machine_of = machine(name);
        let file = machine_of.file("known.json");
        machine_of.audit(&["--write-baseline", &file]).expect(0);
        let written = fs::read(&file).expect("the baseline");
        assert!(written.iter().all(|byte| *byte == b'\n' || (b' '..=b'~').contains(byte)), "a terminal may see it");
        for other in names {
            let output = machine(other).audit(&["--json", "--baseline", &file]).expect(0);
            let known = Report::parse(&output.stdout).audit.expect("an audit").known;
            assert_eq!(known, if other == name { 2 } else { 0 }, "{other:?} by a baseline of {name:?}");
        }
    }
}

#[test]
fn an_edited_baseline_is_read_in_any_order() {
    let machine = Machine::start(1);
    let file = machine.file("known.json");
    let edited = r#"{"findings": [
        {"users": [34], "code": "no-reader", "fifos": [], "units": [], "commands": ["backup", "backup"], "severity": "info"},
        {"code": "leaked-write-end", "commands": ["tee", "mydaemon"], "users": [1000], "units": ["mydaemon.service"], "fifos": [],
         "severity": "error"}
      ], "baseline_version": 1}"#;
    fs::write(&file, edited).expect("write");
    let report = Report::parse(&machine.audit(&["--json", "--baseline", &file]).expect(1).stdout);
    let codes: Vec<String> = told(&report).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["self-deadlock", "stalled-reader"]);
}

/// What is known is how bad it is, too: an info that has become an error is new.
#[test]
fn what_got_worse_is_reported_again() {
    let machine = Machine::start(1);
    let file = machine.file("known.json");
    for (then, known) in [("info", 4), ("warning", 5), ("error", 5)] {
        let text = FILE.replacen("\"severity\": \"warning\"", &format!("\"severity\": \"{then}\""), 1);
        fs::write(&file, text).expect("write");
        let output = machine.audit(&["--json", "--baseline", &file]).expect(i32::from(known == 4));
        let report = Report::parse(&output.stdout);
        let worse: &[&str] = if known == 4 { &["leaked-write-end"] } else { &[] };
        assert_eq!(report.findings().iter().map(|finding| &finding.code).collect::<Vec<_>>(), worse, "{then}");
        assert_eq!(report.audit.expect("an audit").known, known, "{then}");
    }
}

/// What could not be seen would be missing in it.
#[test]
fn with_require_complete_nothing_is_written_after_half_a_look() {
    let machine = Machine::start(1);
    let file = machine.file("known.json");
    machine.audit(&["--require-complete", "--write-baseline", &file]).expect(0);
    fs::remove_dir_all(machine.process(11).join("fd")).expect("remove a table");
    machine.audit(&["-q", "--require-complete", "--write-baseline", &file]).expect(2);
    assert_eq!(fs::read_to_string(&file).expect("the baseline"), FILE, "as it was");
    machine.audit(&["-q", "--write-baseline", &file]).expect(0);
    assert_ne!(fs::read_to_string(&file).expect("the baseline"), FILE);
}

/// The same scene built twice: other PIDs, other inodes, and of a FIFO the same path.
#[test]
fn live_processes_are_known_after_a_restart() {
    need!(Need::PYTHON);
    let dir = tempfile::TempDir::new().expect("temporary directory");
    let fifo = dir.path().join("my.fifo");
    let fifo = fifo.to_str().expect("UTF-8");
    let file = dir.path().join("known.json");
    let file = file.to_str().expect("UTF-8");
    let build = || {
        mkfifoat(CWD, fifo, Mode::from_raw_mode(0o600)).expect("mkfifo");
        Scene::start_with("audit_restart", User::Me, &[fifo])
    };
    let only = "--only=leaked-write-end,stalled-reader,blocked-open";
    let ours = |scene: &Scene, report: &Report| -> Vec<String> {
        let pids = scene.truth.pids();
        let findings = report.findings().iter().filter(|finding| !finding.pids().is_disjoint(&pids));
        // Their severities, and so their order, depend on how long they have been blocked.
        let mut codes: Vec<String> = findings.map(|finding| finding.code.clone()).collect();
        codes.sort_unstable();
        codes
    };
    // Others may be at anything: of the file, only what is about the scene is to be the same.
    let entries = || -> Vec<serde_json::Value> {
        let known: serde_json::Value = serde_json::from_slice(&fs::read(file).expect("the baseline")).expect("JSON");
        let entries = known["findings"].as_array().expect("findings").iter();
        entries.filter(|entry| entry["commands"].to_string().contains("restart-")).cloned().collect()
    };
    let report = |args: &[&str]| Report::parse(&lspipe([&["audit", "-q", "--json", only], args].concat()).run().stdout);

    let scene = build();
    let expected = ["blocked-open", "leaked-write-end", "stalled-reader"];
    assert_eq!(ours(&scene, &report(&[])), expected);
    assert_eq!(ours(&scene, &report(&["--write-baseline", file])), expected);
    let before = entries();
    assert_eq!(before.len(), 3, "{before:#?}");
    let uid = User::Me.uid();
    let told = |entry: &serde_json::Value| {
        let field = |name: &str| entry[name].to_string();
        [field("code"), field("commands"), field("users"), field("fifos")]
    };
    let mut written: Vec<_> = before.iter().map(told).collect();
    written.sort();
    let entry = |code: &str, commands: &str, fifos: &str| {
        [format!("\"{code}\""), commands.to_owned(), format!("[{uid}]"), fifos.to_owned()]
    };
    let path = serde_json::json!([fifo]).to_string();
    assert_eq!(
        written,
        [
            entry("blocked-open", r#"["restart-open"]"#, &path),
            entry("leaked-write-end", r#"["restart-daemon","restart-reader"]"#, "[]"),
            entry("stalled-reader", r#"["restart-stop","restart-writer"]"#, "[]"),
        ]
    );
    drop(scene);
    fs::remove_file(fifo).expect("remove the FIFO");

    let scene = build();
    assert_eq!(ours(&scene, &report(&["--baseline", file])), [""; 0], "all of it is known");
    report(&["--write-baseline", file]);
    assert_eq!(entries(), before);
    // And without the baseline it is reported as before.
    assert_eq!(ours(&scene, &report(&[])), expected);
}

/// It is read before anything is looked at, so that nothing is claimed by a baseline that is none.
#[test]
fn without_its_baseline_nothing_is_done() {
    let machine = Machine::start(1);
    let metrics = machine.file("lspipe.prom");
    let output = machine.audit(&["--baseline", "/no/such/file", "--metrics-file", &metrics]).expect(2);
    assert_eq!(output.text(), "");
    assert_notes(&output.stderr, &[&["/no/such/file: ", "baseline", "No such file or directory", "--write-baseline"]]);
    assert!(!fs::exists(&metrics).expect("look"), "{ONLY}");
}
