//! What is written in several ways: help, options on either side of the command, processes of `fds`, and selections of `audit`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Stage;
use super::wrong::words;
use crate::support::run::{Output, lspipe};

fn run(stage: &Stage, line: &str) -> Output {
    stage.run(&words(line).iter().map(String::as_str).collect::<Vec<_>>())
}

/// Each line does what the other does.
#[test]
fn the_same_in_other_words() {
    let stage = Stage::new();
    for (typed, same) in [
        ("-k FIFO", "-k fifo"),
        ("-k Fifo,ANONYMOUS", "-k fifo,anonymous"),
        ("-o pipe,Kind", "-o PIPE,KIND"),
        ("-o 'PIPE KIND'", "-o PIPE,KIND"),
        ("-o 'PIPE, KIND'", "-o PIPE,KIND"),
        ("-p '251 310'", "-p 251,310"),
        ("-p '251, 310'", "-p 251,310"),
        ("-p '251\n310\n'", "-p 251,310"),
        ("-p ' 251 '", "-p 251"),
        ("--pid='251 310'", "-p 251,310"),
        ("-lp '251 310'", "-l -p 251,310"),
        ("pipe:18913", "'pipe:[18913]'"),
        ("why pipe:18913", "why 18913"),
        ("-p 251 why", "why -p 251"),
        ("-c grep -l graph", "graph -l -c grep"),
        ("--format dot graph", "graph --format dot"),
        ("-p 252 -q audit", "audit -q -p 252"),
        ("--severity info audit", "audit --severity INFO"),
        ("--only deadlock why", "why --only Deadlock"),
        ("-p 252 fds", "fds 252"),
        // The value of an option is no command.
        ("-c why -c grep", "-c grep,why"),
        ("fds /proc/252", "fds 252"),
        ("fds /proc/252/fd", "fds 252"),
        ("fds cat", "fds -c cat"),
        ("fds '251 252'", "fds 251,252"),
        ("fds 251 252", "fds -p 252 251"),
        ("fds -u 1000 -c grep,ls", "fds 251,252"),
        ("fds -u 1000 -c ^bash", "fds 251,252"),
        ("fds -p 60,^60 --descendants -u 1000", "fds -c no-such"),
    ] {
        let (found, expected) = (run(&stage, typed), run(&stage, same));
        let is_same = found.code() == expected.code() && found.stdout == expected.stdout;
        assert!(is_same && found.code() != Some(2), "{typed:?}: {found:?}\n{same:?}: {expected:?}");
    }
}

#[test]
fn help_and_version_of_each_command() {
    let [long_version, version] = [["--version"], ["-V"]].map(|args| lspipe(args).run().expect(0));
    assert_ne!(long_version.stdout, version.stdout);
    let help = lspipe(["--help"]).run().expect(0);
    for args in [&["help"][..], &["-q", "help"]] {
        assert_eq!(lspipe(args).run().expect(0).text(), help.text());
    }
    for command in ["why", "graph", "diff", "audit", "fds", "help"] {
        assert_eq!(lspipe([command, "--version"]).run().expect(0).stdout, long_version.stdout, "{command}");
        assert_eq!(lspipe([command, "-V"]).run().expect(0).stdout, version.stdout, "{command}");
        let long = lspipe([command, "--help"]).run().expect(0);
        assert!(long.text().contains(&format!("Usage: lspipe {command} ")), "{}", long.text());
        assert_eq!(lspipe(["help", command]).run().expect(0).stdout, long.stdout, "{command}");
        let short = lspipe(["-h", command]).run().expect(0);
        assert_eq!(lspipe([command, "-h"]).run().expect(0).stdout, short.stdout, "{command}");
        assert!(short.stdout.len() <= long.stdout.len() && !short.stdout.is_empty(), "{command}");
    }
}

/// The descriptors that `fds` lists, by process and number.
#[track_caller]
fn descriptors(stage: &Stage, line: &str) -> BTreeSet<(u64, u64)> {
    let output = run(stage, &format!("fds --json {line}")).expect(0);
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let number = |value: &Value| value.as_u64().expect("a number");
    let of = |it: &Value| (number(&it["pid"]), number(&it["fd"]));
    json["descriptors"].as_array().expect("descriptors").iter().map(of).collect()
}

#[test]
fn fds_of_a_selection() {
    let stage = Stage::new();
    let user = [(60, 0), (251, 1), (252, 0), (252, 3)];
    let daemon = [(310, 1), (311, 0), (311, 6), (311, 7)];
    for (line, expected) in [
        ("-u 1000", &user[..]),
        ("-u 34", &daemon),
        ("-u ^0,^34", &user),
        ("-p 300 --descendants", &daemon),
        ("-p 310 --descendants -c /^py/", &daemon[1..]),
        ("-p 300,^311 --descendants", &daemon[..1]),
        ("-c grep", &user[2..]),
        ("-c ^grep -u 1000", &user[..2]),
        ("-p 311 -k fifo", &[(311, 6)]),
        ("-p 311 -k anonymous", &[(311, 0), (311, 7)]),
        ("-p 311 --no-writer", &[(311, 0)]),
        ("-u 34 --no-reader", &[(310, 1)]),
    ] {
        assert_eq!(descriptors(&stage, line), expected.iter().copied().collect(), "{line}");
    }
}

/// The codes and pipes of the findings that an audit reports, as in JSON.
#[track_caller]
fn findings(stage: &Stage, line: &str) -> BTreeSet<(String, String)> {
    let output = run(stage, &format!("audit --json {line}"));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |it: &Value| {
        let pipe = it["pipes"][0].as_str().expect("a pipe");
        let pipe = if pipe.starts_with("fifo") { "fifo" } else { pipe };
        (it["code"].as_str().expect("a code").to_owned(), pipe.to_owned())
    };
    json["findings"].as_array().expect("findings").iter().map(of).collect()
}

/// What is found is that of the whole machine; what is reported concerns the selection.
#[test]
fn audit_of_a_selection() {
    let stage = Stage::new();
    let all = [
        ("crosses-users", "fifo"),
        ("crosses-users", "pipe:[20000]"),
        ("no-reader", "pipe:[9007]"),
        ("no-writer", "pipe:[9008]"),
    ];
    let [fifo, shared, no_reader, no_writer] = all;
    for (line, expected) in [
        ("", &all[..]),
        ("-p 310", &[no_reader]),
        ("-p 251", &[]),
        ("-p 312", &[fifo]),
        ("-c grep", &[shared]),
        ("-c ^grep -c ^/python/ -u 34", &[no_reader]),
        ("9008", &[no_writer]),
        ("-k fifo", &[fifo]),
        ("--no-reader", &[no_reader]),
        ("-p 311 -k anonymous", &[shared, no_writer]),
        ("-p 311 --only no-writer", &[no_writer]),
    ] {
        let expected = expected.iter().map(|(code, pipe)| ((*code).to_owned(), (*pipe).to_owned())).collect();
        assert_eq!(findings(&stage, line), expected, "{line}");
    }
    // A part that is judged is not one that could not be.
    for line in ["audit -p 251", "audit -p 310"] {
        let text = run(&stage, line).expect(0);
        assert!(!text.text().contains("Not judged") && !text.text().contains("selection"), "{line}: {}", text.text());
    }
}

/// The status follows what is asked for, among what is reported.
#[test]
fn audit_fails_on_what_is_asked_for() {
    let stage = Stage::new();
    for (line, status) in [
        ("", 1),
        ("--fail-on warning", 1),
        ("--fail-on error", 0),
        ("--fail-on ERROR,no-reader", 1),
        ("--fail-on no-reader -p 310", 1),
        ("--fail-on no-reader -p 312", 0),
        ("--fail-on deadlock --fail-on no-writer", 1),
        ("--fail-on deadlock,leaked-write-end", 0),
        ("--fail-on info -p 310", 1),
        ("-p 310", 0),
        ("--fail-on info --ignore no-reader -p 310", 0),
    ] {
        run(&stage, &format!("audit {line}")).expect(status);
    }
}

/// The explanation of a finding, too.
#[test]
fn help_of_a_finding() {
    let explained = lspipe(["audit", "--explain", "deadlock"]).run().expect(0);
    assert_eq!(lspipe(["help", "deadlock"]).run().expect(0).stdout, explained.stdout);
    assert!(explained.text().starts_with("deadlock\n"));
}

#[test]
fn codes_are_listed_with_their_severities() {
    let list = lspipe(["audit", "--explain"]).run().expect(0);
    assert_eq!(lspipe(["why", "--explain"]).run().expect(0).stdout, list.stdout);
    let mut lines = list.text().lines();
    assert_eq!(
        lines.next().map(|line| line.split_whitespace().collect()),
        Some(vec!["CODE", "SEVERITY", "REPORTED", "BY", "ABOUT"])
    );
    let mut codes = 0;
    for line in lines {
        let code = line.split(' ').next().expect("a code");
        let explained = lspipe(["audit", "--explain", code]).run().expect(0);
        assert!(explained.text().starts_with(&format!("{code}\n\n")), "{code}");
        let severities: Vec<&str> =
            ["error", "warning", "info"].into_iter().filter(|word| line[19..41].contains(word)).collect();
        assert_eq!(line[19..41].trim_end(), severities.join(", "), "{line}");
        codes += 1;
    }
    assert_eq!(codes, 16);
}
