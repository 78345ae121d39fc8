//! Wrong values: status 2, nothing on stdout, and one line on stderr that says what would be right.

use super::Stage;
use crate::support::need::{Need, need};
use crate::support::run::{Output, lspipe};

/// Each of these command lines is refused, in a line that has these words. All that are not are reported at once.
#[track_caller]
fn check(stage: &Stage, cases: &[(&[&str], &[&str])]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(args, words)| accepted(&stage.run(args), words).map(|what| format!("{args:?}: {what}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not as it should be where a run must be refused.
fn accepted(output: &Output, words: &[&str]) -> Option<String> {
    let (stderr, code) = (&output.stderr, output.code());
    if code != Some(2) || !output.stdout.is_empty() {
        return Some(format!("status {code:?}, stdout {:?}, stderr {stderr:?}", output.text()));
    }
    let line = stderr.strip_suffix('\n').unwrap_or_default();
    if !line.starts_with("lspipe: ") || line.contains(['\n', '\x1b']) || line.contains("error:") {
        return Some(format!("not one line of ours: {stderr:?}"));
    }
    let missing: Vec<_> = words.iter().filter(|word| !line.contains(**word)).collect();
    (!missing.is_empty()).then(|| format!("{missing:?} not in {line:?}"))
}

#[test]
fn no_pipe() {
    let stage = Stage::new();
    let plain_file = stage.plain_file();
    let plain_file = plain_file.to_str().expect("UTF-8");
    let folder = stage.folder().to_str().expect("UTF-8");
    let missing = &format!("{folder}/missing");
    let forms = ["pipe:[INODE]", "fifo:[MAJ:MIN:INODE]", "/proc/PID/fd/N"];
    let unknown = |name| [&[name][..], &forms].concat();
    check(
        &stage,
        &[
            (&[plain_file], &[plain_file, "lsof"]),
            (&[folder], &[folder, "directory"]),
            (&["/dev/null"], &["/dev/null", "device"]),
            (&[missing], &unknown(&format!("{missing}: No such file"))),
            (&["pipe:[abc]"], &unknown("pipe:[abc]")),
            (&["pipe:[12"], &unknown("pipe:[12")),
            (&["fifo:[1:2]"], &unknown("fifo:[1:2]")),
            (&["99999999999999999999"], &unknown("99999999999999999999")),
            (&["/proc/251/fd/99"], &unknown("/proc/251/fd/99")),
            (&["two\nlines\x1b[31m"], &[r#""two\nlines\x1b[31m""#]),
            // The right one beside it does not help.
            (&["pipe:[18913]", plain_file], &[plain_file]),
        ],
    );
}

#[test]
fn no_pid() {
    let stage = Stage::new();
    check(
        &stage,
        &[
            (&["-p", "0"], &["'0'", "--pid", " 1 ", "4194304"]),
            (&["-p", "4194305"], &["'4194305'", " 1 ", "4194304"]),
            (&["-p", "99999999999999999999"], &["'99999999999999999999'", " 1 ", "4194304"]),
            (&["-p", "ls"], &["'ls'", "PID"]),
            (&["-p", "251,"], &["--pid", "PID"]),
            (&["-p", ""], &["--pid", "PID"]),
            (&["-p", "-5"], &["'-5'", "PID"]),
            (&["-p"], &["--pid <PID>"]),
            // No note, but an error.
            (&["-q", "-p", "0"], &["'0'", " 1 ", "4194304"]),
            (&["fds"], &["PID"]),
            (&["fds", "0"], &["'0'", " 1 ", "4194304"]),
            (&["fds", "4194305"], &["'4194305'", " 1 ", "4194304"]),
            (&["fds", "ls", "251"], &["PIDs or names"]),
        ],
    );
}

#[test]
fn no_column() {
    let stage = Stage::new();
    check(
        &stage,
        &[
            (&["-o", "READER"], &["\"READER\"", "READERS"]),
            (&["-o", "PIPE,WRITTERS"], &["\"WRITTERS\"", "WRITERS"]),
            (&["-o", "comand"], &["\"comand\"", "COMMAND"]),
            (&["-o", "+usr"], &["USER"]),
            (&["-o", "zzzzzz"], &["\"zzzzzz\"", "--list-columns"]),
            (&["-o", "PIPE,,KIND"], &["\"\"", "--list-columns"]),
            (&["-o", ""], &["--list-columns"]),
            (&["-o", "+"], &["--list-columns"]),
            // These are of whole fd tables only.
            (&["-o", "TARGET"], &["\"TARGET\""]),
            // And these of --probe.
            (&["-o", "QUEUED"], &["QUEUED", "--probe"]),
            (&["-o", "+pid,capacity"], &["CAPACITY", "--probe"]),
        ],
    );
}

#[test]
fn no_such_value() {
    let stage = Stage::new();
    check(
        &stage,
        &[
            (&["-u", "no-such-user"], &["no-such-user", "getent passwd"]),
            (&["-u", ""], &["getent passwd"]),
            (&["-u", "root,no-such-user"], &["no-such-user"]),
            (&["-u", "4294967296"], &["4294967296"]),
            (&["-c", "/(/"], &["'/(/'", "group"]),
            (&["-c", ""], &["--command", "/REGEX/"]),
            (&["-c", "ls,"], &["--command", "/REGEX/"]),
            (&["-k", "pipe"], &["'pipe'", "anonymous, fifo"]),
            (&["--color", "pink"], &["'pink'", "auto, always, never"]),
            (&["-r", "0"], &["'0'", "seconds", "0.5"]),
            (&["-r", "soon"], &["'soon'", "seconds"]),
            (&["-r", "inf"], &["seconds"]),
            (&["-r", "nan"], &["seconds"]),
            (&["-r", "1e400"], &["seconds"]),
            (&["--repeat=-1"], &["'-1'", "seconds"]),
            (&["-r", "-1"], &["'-1'", "seconds"]),
            (&["-r", ""], &["--repeat <SECONDS>"]),
            (&["audit", "--only", "dedlock"], &["'dedlock'", "--only", "did you mean 'deadlock'"]),
            (&["audit", "--ignore", "no-reader,"], &["--ignore"]),
            (&["audit", "--explain", "pipes"], &["'pipes'", "pipe-pages"]),
            (&["audit", "--severity", "fatal"], &["'fatal'", "error, warning, info"]),
            (&["audit", "--max-ends", "0"], &["'0'", "--max-ends"]),
            (&["audit", "--max-ends", "many"], &["'many'", "--max-ends"]),
            (&["audit", "--confirm", "0"], &["'0'", "seconds", "0.5"]),
            (&["audit", "--confirm", "-1"], &["'-1'", "seconds"]),
            (&["audit", "--baseline", ""], &["--baseline"]),
            (&["audit", "--metrics-file", ""], &["--metrics-file"]),
            (&["--budget", "0"], &["'0'", "--budget", "30s,256M"]),
            (&["--budget", "-1"], &["'-1'", "--budget"]),
            (&["--budget", "30s,1m"], &["'30s,1m'", "30s,256M"]),
            (&["--budget", "30s,5"], &["'30s,5'", "one of each"]),
            (&["--budget", "1G,1G"], &["'1G,1G'", "one of each"]),
            (&["--budget", "99999999999G"], &["--budget"]),
            (&["--budget", "0K"], &["--budget"]),
            (&["--budget", ""], &["--budget"]),
            (&["--generate", "pdf"], &["'pdf'", "man, complete-bash, complete-zsh, complete-fish, schema"]),
        ],
    );
}

#[test]
fn no_proc_root() {
    let stage = Stage::new();
    let plain_file = stage.plain_file();
    let plain_file = plain_file.to_str().expect("UTF-8");
    let folder = stage.folder().to_str().expect("UTF-8");
    let missing = &format!("{folder}/missing");
    for (root, words) in [(folder, "PID"), (plain_file, "Not a directory"), (missing, "No such file"), ("", "--proc")] {
        for form in [&[][..], &["--json"], &["fds", "1"], &["-t"]] {
            let output = lspipe([form, &["--proc", root]].concat()).run();
            assert_eq!(accepted(&output, &[root, words]), None, "{root} {form:?}");
        }
    }
}

/// A real proc, but not its root: what is below has directories named by numbers, too.
#[test]
fn no_proc_root_though_inside_a_proc() {
    for root in ["/proc/self", "/proc/self/task", "/proc/self/fd", "/proc/sys"] {
        for form in [&[][..], &["why"], &["audit"], &["fds", "1"]] {
            let output = lspipe([form, &["--proc", root]].concat()).run();
            assert_eq!(accepted(&output, &[&format!("{root}: "), "/proc"]), None, "{root} {form:?}");
        }
    }
}

#[test]
fn no_statx() {
    need!(Need::PYTHON);
    for form in [&[][..], &["why"]] {
        let output = lspipe(form).without(libc::SYS_statx).run();
        assert_eq!(accepted(&output, &["statx(2)", "Function not implemented", "seccomp"]), None, "{form:?}");
    }
}

#[test]
fn no_such_option() {
    let stage = Stage::new();
    check(
        &stage,
        &[
            (&["--no-readers"], &["--no-readers", "--no-reader"]),
            (&["--jsn"], &["--jsn", "--json"]),
            (&["--zzzzzz"], &["--zzzzzz"]),
            (&["-Z"], &["-Z"]),
        ],
    );
}

/// Options that contradict each other, or mean nothing without another.
#[test]
fn no_sense_together() {
    let stage = Stage::new();
    check(
        &stage,
        &[
            (&["--json", "-e"], &["--json", "--endpoints"]),
            (&["--json", "-o", "PIPE"], &["--json", "--output"]),
            (&["--json", "--ndjson"], &["--json", "--ndjson"]),
            (&["--json", "-t"], &["--json", "--terse"]),
            (&["--ndjson", "-t"], &["--ndjson", "--terse"]),
            (&["-t", "-e"], &["--terse", "--endpoints"]),
            (&["--readers"], &["--terse"]),
            (&["--writers"], &["--terse"]),
            (&["--descendants"], &["--pid"]),
            (&["-e", "fds", "251"], &["--endpoints", "fds"]),
            (&["--ndjson", "fds", "251"], &["--ndjson", "fds"]),
            (&["--probe", "-t"], &["--probe", "--terse"]),
            (&["--probe", "fds", "251"], &["--probe", "fds"]),
            (&["fds", "--probe", "251"], &["--probe"]),
            (&["--csv", "audit"], &["--csv", "audit"]),
            (&["--csv", "--json"], &["--csv", "--json"]),
            (&["--csv", "-t"], &["--csv", "--terse"]),
            (&["--csv", "-r", "1"], &["--csv", "--repeat"]),
            // Those that all commands share may stand before it.
            (&["audit", "--ndjson", "--json"], &["--ndjson", "--json"]),
            (&["--json", "audit", "--ndjson"], &["--ndjson", "--json"]),
            (&["audit", "--metrics", "--json"], &["--metrics", "--json"]),
            (&["-J", "audit", "--metrics"], &["--metrics", "--json"]),
            (&["audit", "--metrics", "--ndjson"], &["--metrics", "--ndjson"]),
            (&["-r", "5", "audit", "--metrics"], &["--metrics", "--repeat"]),
            (&["audit", "-r", "5", "--write-baseline", "/nowhere/known.json"], &["--write-baseline", "--repeat"]),
            (&["audit", "--explain", "deadlock", "--metrics"], &["--explain"]),
        ],
    );
}
