//! A baseline that is not whole, not ours or of another time is an error, never an empty baseline: then all that was known would
//! be reported, or, worse, half of it hidden.

use std::fs;

use super::Machine;
use crate::support::run::Output;

const WHOLE: &str = r#"{"baseline_version": 1, "findings": [
  {"code": "no-reader", "commands": ["backup"], "users": [34], "units": [], "fifos": [], "severity": "info"}
]}
"#;

#[track_caller]
fn assert_refused(output: &Output, file: &str, words: &[&str], case: &str) {
    let line = output.stderr.strip_suffix('\n').unwrap_or_default();
    assert_eq!((output.code(), output.text()), (Some(2), ""), "{case}: {}", output.stderr);
    assert!(line.starts_with(&format!("lspipe: {file}: ")) && !line.contains(['\n', '\x1b']), "{case}: {line:?}");
    for word in words {
        assert!(line.contains(word), "{case}: no {word:?} in {line:?}");
    }
}

#[test]
fn what_is_no_baseline_is_refused_with_what_to_do() {
    let machine = Machine::start(1);
    let file = machine.file("known.json");
    let change = |from: &str, to: &str| {
        assert!(WHOLE.contains(from), "{from}");
        WHOLE.replacen(from, to, 1)
    };
    let anew = "--write-baseline";
    let cases = [
        (String::new(), vec!["EOF", anew]),
        ("\n".to_owned(), vec!["EOF", anew]),
        ("null".to_owned(), vec![anew]),
        ("[]".to_owned(), vec![anew]),
        ("{}".to_owned(), vec!["baseline_version", anew]),
        (r#"{"schema_version": 1, "findings": []}"#.to_owned(), vec!["baseline_version", anew]),
        (r#"{"baseline_version": 1}"#.to_owned(), vec!["findings", anew]),
        (change(": 1,", ": 2,"), vec!["version 2", "version 1", anew]),
        (change(": 1,", ": 0,"), vec!["version 0", "version 1", anew]),
        (change(": 1,", ": \"1\","), vec!["line 1", anew]),
        (change(": 1,", ": -1,"), vec!["line 1", anew]),
        (r#"{"baseline_version": 99, "entries": {"new": "shape"}}"#.to_owned(), vec!["version 99", "version 1"]),
        (change("no-reader", "no-raeder"), vec!["no-raeder", anew]),
        (change("no-reader", "\\u001b[31m"), vec![r"\x1b[31m", anew]),
        (change("\"fifos\": []", "\"fifos\": [], \"pid\": 3"), vec!["pid", "line 2", anew]),
        (change(", \"fifos\": []", ""), vec!["fifos", anew]),
        (change(", \"severity\": \"info\"", ""), vec!["severity", anew]),
        (change("\"info\"", "\"fatal\""), vec!["fatal", "line 2", anew]),
        (change("\"users\": [34]", "\"users\": [\"backup\"]"), vec!["line 2", anew]),
        (change("\"users\": [34]", "\"users\": [4294967296]"), vec!["line 2", anew]),
        (change("\"findings\"", "\"written\": \"today\", \"findings\""), vec!["written", anew]),
        (format!("{WHOLE}{WHOLE}"), vec!["trailing", anew]),
    ];
    for (text, words) in cases {
        fs::write(&file, &text).expect("write");
        assert_refused(&machine.audit(&["--baseline", &file]), &file, &words, &text);
    }
    fs::write(&file, b"\xff\xfe\0\0").expect("write");
    assert_refused(&machine.audit(&["--baseline", &file]), &file, &[anew], "bytes");
    let dir = machine.file("");
    assert_refused(&machine.audit(&["--baseline", &dir]), &dir, &["directory"], "a directory");
}

#[test]
fn a_baseline_that_was_cut_short_is_refused_wherever_it_ends() {
    let machine = Machine::start(1);
    let file = machine.file("known.json");
    fs::write(&file, WHOLE).expect("write");
    machine.audit(&["--baseline", &file]).expect(1);
    let end = WHOLE.trim_end().len();
    for length in 0..end {
        fs::write(&file, &WHOLE[..length]).expect("write");
        assert_refused(&machine.audit(&["--baseline", &file]), &file, &["--write-baseline"], &WHOLE[..length]);
    }
}
