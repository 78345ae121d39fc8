//! A file may hold anything, and the output is as safe as for a report of this machine.

use std::process::Stdio;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::{Folder, Saved};
use crate::fixtures::why;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::terminal::{self, without_colour};
use crate::support::text::assert_notes;

/// Sets a title, makes text red, starts a line, turns text around, hides it, and means faint and red to lspipe itself.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[31m\r\nlspipe: all is well\u{9b}31m\u{202e}\u{200b}\u{2062}\u{206a}";

/// A report of `why` and of a whole fd table, in which every text that has no fixed form is evil.
fn evil(folder: &Folder) -> Saved {
    let (_dir, tree) = why::stage();
    let proc = tree.root().to_str().expect("UTF-8");
    let saved = folder.save("evil", ["why", "-q", "--proc", proc]);
    let tables = folder.save("tables", ["fds", "100", "-q", "--proc", proc]).json();
    saved.edit(|report| {
        report["descriptors"] = tables["descriptors"].clone();
        report["unreadable"] = json!([
            {"pid": 301, "command": "x", "uid": 0, "what": "cmdline", "error": "x", "may_hold": {"read": false, "write": false, "anonymous": false}},
            {"pid": 400, "command": "x", "uid": 0, "what": "fd_table", "error": "x", "may_hold": {"read": true, "write": true, "anonymous": true}},
            {"pid": 9999, "command": "x", "uid": 0, "what": "fd", "error": "ETIMEDOUT", "fd": 1, "mount": "x", "may_hold": {"read": true, "write": true, "anonymous": true}},
        ]);
        report["scan"]["unreadable"] = 3.into();
        report["scan"]["complete"] = false.into();
        report["findings"][0]["doubts"] =
            json!([{"what": "unreadable", "pid": 400, "fd": null, "command": "x", "pipe": null}]);
        report["findings"][0]["certainty"] = "suspected".into();
        poison(report);
    });
    saved
}

/// Makes every text evil that is not a word of a fixed set, an id, or a time.
fn poison(value: &mut Value) {
    const FREE: [&str; 17] = [
        "hostname",
        "kernel",
        "boot_id",
        "proc",
        "error",
        "mount",
        "command",
        "user",
        "cmdline",
        "container",
        "unit",
        "target",
        "place",
        "message",
        "text",
        "advice",
        "path",
    ];
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if FREE.contains(&name.as_str()) && text != "ETIMEDOUT" => *text += EVIL,
                    Value::Null if ["user", "container", "unit"].contains(&name.as_str()) => *value = EVIL.into(),
                    Value::Array(words) if name == "cmdline" => words.iter_mut().for_each(|word| *word = EVIL.into()),
                    Value::String(letter) if name == "state" => *letter = "\u{1b}".to_owned(),
                    _ => poison(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(poison),
        _ => {}
    }
}

const QUESTIONS: [&[&str]; 14] = [
    &[],
    &["-e"],
    &["-o", "PID,USER,COMMAND,CMDLINE,STATE,CONTAINER,UNIT,NAME"],
    &["-J"],
    &["--ndjson"],
    &["-p", "400"],
    &["-p", "9999"],
    &["why"],
    &["why", "-J"],
    &["why", "-p", "100"],
    &["why", "-p", "60"],
    &["why", "pipe:[2004]"],
    &["fds", "100"],
    &["audit", "--severity", "info"],
];

#[test]
fn nothing_of_a_file_gets_through_to_a_pipe() {
    let folder = Folder::new();
    let saved = evil(&folder);
    for question in QUESTIONS {
        let output = saved.ask(question);
        assert!(matches!(output.code(), Some(0 | 1)), "{question:?}: {}", output.stderr);
        let is_json = question.iter().any(|word| ["-J", "--ndjson"].contains(word));
        for text in [output.text(), &output.stderr] {
            // Off a terminal JSON has its texts as they are; its own escapes are for those below a blank.
            let harm = text.chars().filter(|c| {
                if is_json { c.is_ascii_control() } else { c.is_control() || (EVIL.contains(*c) && !c.is_ascii()) }
            });
            let harm: Vec<char> = harm.filter(|c| *c != '\n').collect();
            assert!(harm.is_empty(), "{question:?}: {harm:?} in {text:?}");
            assert!(!text.lines().any(|line| line.starts_with("lspipe: all is well")), "{question:?}: {text}");
        }
        let all = format!("{}{}", output.text(), output.stderr);
        assert!(all.contains("owned"), "{question:?}: {all}");
    }
}

#[test]
fn nothing_of_a_file_gets_through_to_a_terminal() {
    need!(Need::Program("script"));
    let folder = Folder::new();
    let saved = evil(&folder);
    for question in QUESTIONS {
        let args = [question, &["--from", saved.path()]].concat();
        let args: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (_, lines) = terminal::run(100, &[], &args);
        let text = without_colour(&lines.join("\n"));
        let harm: Vec<char> =
            text.chars().filter(|c| (c.is_control() && *c != '\n') || (EVIL.contains(*c) && !c.is_ascii())).collect();
        assert!(harm.is_empty(), "{question:?}: {harm:?} in {text:?}");
    }
}

/// The terminal is the reader's, not the one of the machine that was looked at.
#[test]
fn table_of_a_file_fits_the_terminal() {
    need!(Need::Program("script"));
    let (_dir, tree) = why::stage();
    let folder = Folder::new();
    let saved = folder.save("report", ["-q", "--proc", tree.root().to_str().expect("UTF-8")]);
    for (width, form) in [(60, &[][..]), (80, &["-e"]), (132, &["-e"])] {
        let (code, lines) = terminal::run(width, &[], &[form, &["-l", "--from", saved.path()]].concat());
        assert_eq!(code, Some(0));
        let lines: Vec<String> = lines.iter().map(|line| without_colour(line)).collect();
        assert!(lines.len() > 6 && lines.iter().all(|line| line.width() <= width), "{width}: {}", lines.join("\n"));
    }
}

#[test]
fn closed_and_full_output() {
    let (_dir, tree) = why::stage();
    let folder = Folder::new();
    let proc = tree.root().to_str().expect("UTF-8");
    let saved = folder.save("why", ["why", "-q", "--proc", proc]);
    let other = folder.save("other", ["-q", "-p", "100", "--proc", proc]);
    let ask = |args: &[&str]| {
        [args, &["--from", saved.path()]].concat().iter().map(|&arg| arg.to_owned()).collect::<Vec<String>>()
    };
    let differ = |args: &[&str]| {
        [&["diff", "-q", saved.path(), other.path()], args].concat().iter().map(|&arg| arg.to_owned()).collect()
    };
    for args in [ask(&[]), ask(&["-J"]), ask(&["why"]), ask(&["why", "-J"]), differ(&[]), differ(&["-J"])] {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
        drop(reader);
        let output = lspipe(&args).stdout(Stdio::from(writer)).run();
        assert_eq!(output.stderr, "", "{args:?}");
        let full = std::fs::File::options().write(true).open("/dev/full").expect("open /dev/full");
        let output = lspipe(&args).stdout(Stdio::from(full)).run().expect(2);
        assert_notes(&output.stderr, &[&["No space left on device"]]);
    }
}
