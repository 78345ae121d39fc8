//! Which pipes are shown: values of one option widen, different options narrow, and a pipe is shown whole or not at all.

use std::collections::BTreeSet;

use super::Stage;
use crate::support::report::Report;
use crate::support::table::Table;
use crate::support::text::assert_notes;

/// A name for each pipe of the stage.
const ALL: &[&str] = &["9007", "9008", "18913", "20000", "fifo"];

/// The pipes that a run shows. It ends with 0, or with 1 if there are none.
#[track_caller]
fn shown(stage: &Stage, args: &[&str]) -> BTreeSet<String> {
    let output = stage.run(&[args, &["--json"]].concat());
    let report = Report::parse(&output.stdout);
    let nothing = report.pipes.is_empty();
    assert_eq!(output.code(), Some(i32::from(nothing)), "{args:?}: {}", output.stderr);
    // Of what is no pipe, it only says how much there is.
    let said = output.stderr.lines().filter(|line| !line.contains("-k all shows"));
    assert_eq!(said.count(), usize::from(nothing), "{args:?}: {}", output.stderr);
    let name = |pipe: crate::support::report::Pipe| {
        if pipe.kind == "fifo" { pipe.kind } else { pipe.inode.to_string() }
    };
    report.pipes.into_iter().map(name).collect()
}

#[track_caller]
fn check(cases: &[(&[&str], &[&str])]) {
    let stage = Stage::new();
    for (args, expected) in cases {
        let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(shown(&stage, args), expected, "{args:?}");
    }
}

#[test]
fn by_pid() {
    check(&[
        (&[], ALL),
        (&["-p", "251"], &["18913"]),
        (&["-p", "252"], &["18913", "20000"]),
        (&["-p", "251,310"], &["18913", "9007"]),
        (&["-p", "251", "--pid", "310"], &["18913", "9007"]),
        (&["--pid=251,310", "-p312"], &["18913", "9007", "fifo"]),
        (&["-p", "60"], &[]),
        (&["-p", "1,300"], &[]),
        (&["-p", "^311,^312"], &["18913", "20000", "9007"]),
        (&["-p", "252,310,^310"], &["18913", "20000"]),
        (&["-p", "^251,^252,^310", "-c", "ls,grep,cat"], &["fifo"]),
    ]);
}

#[test]
fn by_descent() {
    check(&[
        (&["-p", "60", "--descendants"], &["18913", "20000"]),
        (&["-p", "300", "--descendants"], &["9007", "9008", "20000", "fifo"]),
        (&["-p", "310,251", "--descendants"], &["9007", "9008", "20000", "fifo", "18913"]),
        (&["-p", "251", "--descendants"], &["18913"]),
        (&["-p", "1", "--descendants"], ALL),
        (&["-p", "300", "--descendants", "-k", "fifo"], &["fifo"]),
        (&["-p", "1,^300", "--descendants"], &["18913", "20000", "fifo"]),
        (&["-p", "^60,^300", "--descendants"], &["fifo"]),
    ]);
}

#[test]
fn by_command() {
    check(&[
        (&["-c", "ls"], &["18913"]),
        (&["-c", "ls,backup"], &["18913", "9007"]),
        (&["-c", "ls", "--command", "backup"], &["18913", "9007"]),
        (&["-c", "LS"], &[]),
        (&["-c", "gre"], &[]),
        (&["-c", "init"], &[]),
        // The kernel keeps no more of it than 15 bytes.
        (&["-c", "python3.11-conf"], &["9008", "20000", "fifo"]),
        (&["-c", "python3.11-config-tool"], &["9008", "20000", "fifo"]),
        (&["-c", "/^b/"], &["9007"]),
        (&["-c", "/o/"], &["9008", "20000", "fifo"]),
        (&["-c", "/p{1,1}$/"], &["9007", "18913", "20000"]),
        (&["-c", "/(?i)^LS$/", "-c", "cat"], &["18913", "fifo"]),
        (&["-c", "/zzz/"], &[]),
        // An end that another process holds keeps the pipe.
        (&["-c", "^ls"], ALL),
        (&["-c", "^ls,^grep"], &["9007", "9008", "20000", "fifo"]),
        (&["-c", "^ls", "-c", "^grep"], &["9007", "9008", "20000", "fifo"]),
        (&["-c", "^/^p/", "-c", "^cat,^backup"], &["18913", "20000"]),
        (&["-c", "grep,ls", "-c", "^grep"], &["18913"]),
    ]);
}

#[test]
fn by_user() {
    check(&[
        (&["-u", "34"], &["9007", "9008", "20000", "fifo"]),
        (&["-u", "0"], &["fifo"]),
        (&["-u", "root"], &["fifo"]),
        (&["--user", "0,1000"], &["fifo", "18913", "20000"]),
        (&["-u", "root", "-u", "1000"], &["fifo", "18913", "20000"]),
        (&["-u", "4000000000"], &[]),
        (&["-u", "^34"], &["fifo", "18913", "20000"]),
        (&["-u", "^root,^34"], &["18913", "20000"]),
        (&["-u", "34,^0", "-k", "fifo"], &["fifo"]),
    ]);
}

#[test]
fn by_kind_and_by_missing_side() {
    check(&[
        (&["-k", "fifo"], &["fifo"]),
        (&["--kind=anonymous"], &["9007", "9008", "18913", "20000"]),
        (&["-k", "fifo,anonymous"], ALL),
        (&["-k", "fifo", "-k", "anonymous"], ALL),
        (&["--no-reader"], &["9007"]),
        (&["--no-writer"], &["9008"]),
        (&["--no-reader", "--no-writer"], &[]),
        (&["--no-reader", "-k", "fifo"], &[]),
    ]);
}

#[test]
fn by_pipe() {
    let stage = Stage::new();
    let cases: [(&[&str], &[&str]); 9] = [
        (&["pipe:[9007]"], &["9007"]),
        (&["9007"], &["9007"]),
        (&["pipe:[9007]", "20000", "9007"], &["9007", "20000"]),
        (&[stage.fifo()], &["fifo"]),
        (&["/proc/311/fd/6"], &["fifo"]),
        (&["/proc/252/fd/3", "/proc/252/fd/0"], &["20000", "18913"]),
        (&["fifo:[0:1:9007]"], &[]),
        (&["pipe:[1]"], &[]),
        (&["1234567890"], &[]),
    ];
    for (args, expected) in cases {
        let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(shown(&stage, args), expected, "{args:?}");
    }
}

#[test]
fn different_options_narrow() {
    check(&[
        (&["-u", "1000", "-c", "grep"], &["18913", "20000"]),
        (&["-u", "34", "-c", "grep"], &[]),
        (&["-p", "252", "20000"], &["20000"]),
        (&["-p", "251", "20000"], &[]),
        (&["-p", "311", "--no-writer"], &["9008"]),
        (&["-p", "311,310", "-k", "anonymous", "-c", "/^p/"], &["9008", "20000"]),
        (&["-k", "fifo", "-p", "311", "-u", "34", "-c", "python3.11-conf"], &["fifo"]),
    ]);
}

/// A selection never makes an end look absent: its rows are those of the whole report.
#[test]
fn selected_pipes_are_whole() {
    let stage = Stage::new();
    let whole = stage.text(&[]);
    let whole = Table::parse(&whole);
    for args in [&["-p", "251"][..], &["-c", "backup"], &["-u", "0"], &["--no-writer"], &["20000"]] {
        let text = stage.text(args);
        let table = Table::parse(&text);
        assert!(!table.rows().is_empty());
        for row in table.rows() {
            let row: Vec<&str> = row.split_whitespace().collect();
            assert_eq!(row, whole.row(row[0]), "{args:?}");
        }
    }
}

/// A PID in the place of a PIPE gets a hint at the option that was meant.
#[test]
fn bare_pid_gets_a_hint() {
    let stage = Stage::new();
    let output = stage.run(&["252"]).expect(1);
    assert_eq!(output.text(), "");
    assert_notes(&output.stderr, &[&["252", "lspipe -p 252"]]);
    // Also where another PIPE is found, which makes it a success.
    let output = stage.run(&["252", "18913"]).expect(0);
    assert!(output.text().contains("pipe:[18913]") && output.stderr.contains("lspipe -p 252"), "{}", output.stderr);
    // A number that is neither.
    let output = stage.run(&["253"]).expect(1);
    assert!(output.stderr.contains("253") && !output.stderr.contains("-p"), "{}", output.stderr);
}

/// Where nothing matches, a format for machines is a report of nothing, in every command, and the reason is on stderr.
#[test]
fn a_report_of_nothing_is_a_report() {
    let stage = Stage::new();
    for args in [
        &["-p", "77"][..],
        &["why", "-p", "77"],
        &["why", "-c", "nosuch"],
        &["audit", "-p", "77"],
        &["audit", "-c", "nosuch"],
        &["fds", "77"],
        &["fds", "nosuch"],
    ] {
        let output = stage.run(&[args, &["--json"]].concat()).expect(1);
        let report = Report::parse(&output.stdout);
        let is_about_waits = ["why", "audit"].contains(&args[0]);
        assert_eq!((report.pipes.len(), report.descriptors.len()), (0, 0), "{args:?}");
        assert_eq!(report.waits.as_ref().map(Vec::len), is_about_waits.then_some(0), "{args:?}");
        assert_eq!(report.findings.as_ref().map(Vec::len), is_about_waits.then_some(0), "{args:?}");
        assert_eq!(report.audit.is_some(), args[0] == "audit", "{args:?}");
        assert!(report.scan.selected, "{args:?}");
        assert!(output.stderr.contains(args[args.len() - 1]), "{args:?}: {}", output.stderr);
        // In text there is nothing to print.
        let text = stage.run(args).expect(1);
        assert_eq!((text.text(), text.stderr.lines().next()), ("", output.stderr.lines().next()), "{args:?}");
    }
    let output = stage.run(&["why", "-p", "77", "--ndjson"]).expect(1);
    assert_eq!(output.text().lines().count(), 1, "the summary: {}", output.text());
}

/// Each of several that is not there is named; the status says whether anything is left.
#[test]
fn missing_processes_are_named() {
    let stage = Stage::new();
    for (args, code, named) in [
        (&["-p", "77"][..], 1, &["77"][..]),
        (&["-p", "77,78"], 1, &["77", "78"]),
        (&["-p", "251,77"], 0, &["77"]),
        (&["fds", "77"], 1, &["77"]),
        (&["fds", "251", "77"], 0, &["77"]),
    ] {
        let output = stage.run(args).expect(code);
        let notes: Vec<&[&str]> = named.chunks(1).collect();
        assert_notes(&output.stderr, &notes);
        assert_eq!(output.text().is_empty(), code == 1, "no headings over nothing: {}", output.text());
        // Unless nothing is to be said.
        let output = stage.run(&[args, &["-q"]].concat()).expect(code);
        assert_eq!(output.stderr, "");
    }
}
