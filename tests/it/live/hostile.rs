//! Names made to break a terminal, a table or a parser.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, Mode, mkfifoat};

use super::{PLAIN, assert_scene};
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

/// How many pipes, and how many FIFOs, the scene has.
const PIPES: usize = 11;
const FIFOS: usize = 12;

/// For machines: exactly what the kernel has, in valid JSON. The comparison with the truth is byte by byte.
#[test]
fn exact_in_json() {
    need!(Need::PYTHON);
    assert_scene("hostile", |scene, report| {
        assert_eq!(scene.truth.ids().len(), PIPES + FIFOS);
        let lossy = report.processes.iter().filter(|process| process.command_bytes.is_some());
        assert!(lossy.clone().count() >= 1, "one command is not UTF-8");
        assert!(report.pipes.iter().any(|pipe| pipe.path_bytes.is_some()), "one path is not UTF-8");
    });
}

/// For people: no byte that a terminal obeys, and a row for each pipe or end, whatever it is called.
#[test]
fn harmless_in_tables() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("hostile", user);
        let pids: Vec<String> = scene.truth.pids().iter().map(u32::to_string).collect();
        let pids = pids.join(",");
        let ends = PIPES * 2 + FIFOS;
        for (args, rows) in [(&["-n"][..], PIPES + FIFOS), (&["-n", "-e"], ends)] {
            let mut args = args.to_vec();
            args.extend(["-p", &pids]);
            let output = lspipe(&args).user(user).run().expect(0);
            assert_harmless(output.text());
            assert_eq!(output.text().lines().count(), rows, "{}", output.text());
            let ids: BTreeSet<String> = scene.truth.ids();
            for line in output.text().lines() {
                assert!(ids.iter().any(|id| line.contains(id.as_str())), "a row without a pipe: {line}");
            }
        }
        // One line a pipe there, too, and a newline in a name is no newline.
        let lines = lspipe(["--ndjson", "-p", &pids]).user(user).run().expect(0);
        assert_harmless(lines.text());
        assert_eq!(lines.text().lines().count(), PIPES + FIFOS);
        for pid in scene.truth.pids() {
            assert_harmless(lspipe(["fds", &pid.to_string()]).user(user).run().expect(0).text());
        }
    }
}

/// A name in a sentence is in quotes, and no part of a command.
#[test]
fn hostile_names_in_sentences() {
    need!(Need::Program("cat"));
    let dir = tempfile::TempDir::new().expect("temporary directory");
    let fifo = dir.path().join("log;touch pwned;`id`\n(x), \"y\"");
    mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).expect("mkfifo");
    let mut cat = Command::new("cat").arg(&fifo).stdout(Stdio::null()).spawn().expect("start cat");
    let shown = format!("\"{}/log;touch pwned;\\x60id\\x60\\n(x), \\\"y\\\"\"", dir.path().display());
    let text = loop {
        let output = lspipe(["why".as_ref(), fifo.as_os_str()]).run();
        if output.text().contains("blocked-open") {
            break output.text().to_owned();
        }
    };
    cat.kill().expect("kill");
    cat.wait().expect("reap");
    assert!(text.contains(&format!("is blocked in open(2) of {shown} for reading")), "{text}");
    assert!(text.contains(&format!("that should write to {shown}.")), "{text}");
    assert!(!text.contains('`'), "{text}");
}

/// A FIFO is found by its name, however hostile.
#[test]
fn hostile_names_on_the_command_line() {
    need!(Need::PYTHON);
    let scene = Scene::start("hostile", User::Me);
    let report = lspipe(PLAIN).report();
    for number in 0..FIFOS {
        let id = scene.truth.id(&format!("fifo{number}"));
        let path = report.pipe(&id).and_then(|pipe| pipe.path()).expect("a path");
        let path: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(path);
        let found = lspipe([path]).report();
        assert_eq!(found.pipes.len(), 1);
        scene.truth.assert_pipe(&format!("fifo{number}"), &found);
    }
    // In what is said on stderr they are as harmless.
    let output = lspipe(["/no\x1b[31m/such\nfifo"]).run().expect(2);
    assert_harmless(&output.stderr);
    assert_eq!(output.stderr.lines().filter(|line| line.starts_with("lspipe: ")).count(), 1, "{}", output.stderr);
}

#[track_caller]
fn assert_harmless(text: &str) {
    // Of the bidi characters, those that override or isolate can make a row read as another.
    let is_bidi = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let harm: Vec<char> = text.chars().filter(|&c| (c.is_control() && c != '\n') || is_bidi(c)).collect();
    assert!(harm.is_empty(), "{harm:?} in {text:?}");
}
