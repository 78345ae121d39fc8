//! Wrong command lines, each with its exit status and its message. The same mistake has the same status in every command.

use super::Stage;
use crate::support::run::{Output, lspipe};

/// Usage errors, which need no machine, each with the whole message.
const REFUSED: &[(&str, &str)] = &[
    ("help nosuch", r#"no command and no finding "nosuch"; try 'lspipe help'"#),
    ("help whi", r#"no command and no finding "whi"; did you mean `lspipe help why`?"#),
    ("--format csv", "'--format <FORM>' is an option of `lspipe graph`, not of the report; use --csv"),
    ("--format=json", "'--format <FORM>' is an option of `lspipe graph`, not of the report; use --json"),
    ("why --format json", "'--format <FORM>' is an option of `lspipe graph`, not of `lspipe why`; use --json"),
    ("why --format csv", "'--format <FORM>' is an option of `lspipe graph`, not of `lspipe why`"),
    ("fds 252 --format csv", "'--format <FORM>' is an option of `lspipe graph`, not of `lspipe fds`; use --csv"),
    (
        "graph --format svg",
        "invalid value 'svg' for '--format <FORM>': it is none of tree, dot, mermaid, json; `lspipe graph --format dot | dot -Tsvg` makes it",
    ),
    ("--quiet=1", "'--quiet' takes no value"),
    ("why --ndjson=x", "'--ndjson' takes no value"),
    ("--explain", "'--explain [<CODE>]' is an option of `lspipe why` and `lspipe audit`, not of the report"),
    ("--explain deadlock", "'--explain [<CODE>]' is an option of `lspipe why` and `lspipe audit`, not of the report"),
    ("--only deadlock", "'--only <CODE>' is an option of `lspipe why` and `lspipe audit`, not of the report"),
    ("--severity error", "'--severity <SEVERITY>' is an option of `lspipe why` and `lspipe audit`, not of the report"),
    ("--confirm 3", "'--confirm <SECONDS>' is an option of `lspipe why` and `lspipe audit`, not of the report"),
    ("--metrics", "'--metrics' is an option of `lspipe audit`, not of the report"),
    ("--format dot", "'--format <FORM>' is an option of `lspipe graph`, not of the report"),
    ("why -e", "'--endpoints' is an option of the report, not of `lspipe why`"),
    ("why -t", "'--terse' is an option of the report, not of `lspipe why`"),
    ("why --csv", "'--csv' is an option of the report and `lspipe fds`, not of `lspipe why`"),
    ("why -o PID", "'--output <COLUMNS>' is an option of the report and `lspipe fds`, not of `lspipe why`"),
    ("why -H", "'--list-columns' is an option of the report and `lspipe fds`, not of `lspipe why`"),
    ("why --metrics", "'--metrics' is an option of `lspipe audit`, not of `lspipe why`"),
    ("why --fail-on error", "'--fail-on <SEVERITY,CODE>' is an option of `lspipe audit`, not of `lspipe why`"),
    ("audit -t", "'--terse' is an option of the report, not of `lspipe audit`"),
    ("audit --format dot", "'--format <FORM>' is an option of `lspipe graph`, not of `lspipe audit`"),
    ("graph --only deadlock", "'--only <CODE>' is an option of `lspipe why` and `lspipe audit`, not of `lspipe graph`"),
    ("graph --probe", "'--probe' is an option of the report, `lspipe why` and `lspipe audit`, not of `lspipe graph`"),
    ("fds -t", "'--terse' is an option of the report, not of `lspipe fds`"),
    ("fds --probe 252", "'--probe' is an option of the report, `lspipe why` and `lspipe audit`, not of `lspipe fds`"),
    (
        "diff -p 1 a b",
        "'--pid <PID>' is an option of the report, `lspipe why`, `lspipe graph`, `lspipe audit` and `lspipe fds`, not of `lspipe diff`",
    ),
    ("-e why", "'--endpoints' is an option of the report, not of `lspipe why`"),
    ("-t why", "'--terse' is an option of the report, not of `lspipe why`"),
    ("--csv audit", "'--csv' is an option of the report and `lspipe fds`, not of `lspipe audit`"),
    ("-e fds 252", "'--endpoints' is an option of the report, not of `lspipe fds`"),
    (
        "fds 252 -o NOSUCH",
        "invalid value 'NOSUCH' for '--output <COLUMNS>': unknown column \"NOSUCH\"; see --list-columns",
    ),
    ("-o DETAILS", "invalid value 'DETAILS' for '--output <COLUMNS>': unknown column \"DETAILS\"; see --list-columns"),
    ("fds 252 --csv -J", "the argument '--json' cannot be used with '--csv'"),
    ("fds 252 -o FD -J", "the argument '--json' cannot be used with '--output <COLUMNS>'"),
    ("--probe graph", "'--probe' is an option of the report, `lspipe why` and `lspipe audit`, not of `lspipe graph`"),
    ("fds", "fds needs a process: give a PID, --pid, --command or --user"),
    ("fds -k fifo", "fds needs a process: give a PID, --pid, --command or --user"),
    ("fds 252 cat", "give PIDs or names of commands, not both"),
    ("fds 0", "invalid value '0' for '[PID]...': a PID is a number from 1 to 4194304"),
    ("fds -5", "invalid value '-5' for '[PID]...': a PID is a number from 1 to 4194304"),
    ("fds 99999999", "invalid value '99999999' for '[PID]...': a PID is a number from 1 to 4194304"),
    ("fds ''", "PID is empty"),
    ("''", "PIPE is empty"),
    ("'' why", "PIPE is empty"),
    ("why ''", "PIPE is empty"),
    (
        "pipe:[abc]",
        r#""pipe:[abc]" is not a PIPE: a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE], an inode number, the path of a FIFO, socket or terminal, or /proc/PID/fd/N"#,
    ),
    (
        "pipe:[12",
        r#""pipe:[12" is not a PIPE: a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE], an inode number, the path of a FIFO, socket or terminal, or /proc/PID/fd/N"#,
    ),
    (
        "unix:[x]",
        r#""unix:[x]" is not a PIPE: a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE], an inode number, the path of a FIFO, socket or terminal, or /proc/PID/fd/N"#,
    ),
    (
        "socket:[x]",
        r#""socket:[x]" is not a PIPE: a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE], an inode number, the path of a FIFO, socket or terminal, or /proc/PID/fd/N"#,
    ),
    (
        "/proc/252",
        "/proc/252 is a process, not a pipe: -p 252 selects its pipes, and lspipe fds 252 lists its descriptors",
    ),
    (
        "/proc/252/",
        "/proc/252/ is a process, not a pipe: -p 252 selects its pipes, and lspipe fds 252 lists its descriptors",
    ),
    (
        "/proc/252/fd",
        "/proc/252/fd is a process, not a pipe: -p 252 selects its pipes, and lspipe fds 252 lists its descriptors",
    ),
    (
        "why /proc/252",
        "/proc/252 is a process, not a pipe: -p 252 selects its pipes, and lspipe fds 252 lists its descriptors",
    ),
    ("-p", "'--pid <PID>' needs a value"),
    ("-p ''", "the value of '--pid <PID>' is empty: a PID is a number from 1 to 4194304"),
    ("-p 251,", "the value of '--pid <PID>' is empty: a PID is a number from 1 to 4194304"),
    ("-p ls", "invalid value 'ls' for '--pid <PID>': a PID is a number from 1 to 4194304; by name: --command ls"),
    ("-p 0", "invalid value '0' for '--pid <PID>': a PID is a number from 1 to 4194304"),
    ("-p 4194305", "invalid value '4194305' for '--pid <PID>': a PID is a number from 1 to 4194304"),
    ("-p -1", "invalid value '-1' for '--pid <PID>': a PID is a number from 1 to 4194304"),
    ("-p ^", "invalid value '^' for '--pid <PID>': a PID is a number from 1 to 4194304"),
    ("-p ^x", "invalid value '^x' for '--pid <PID>': a PID is a number from 1 to 4194304; by name: --command x"),
    (
        "-c ''",
        "the value of '--command <NAME>' is empty: expected a name, several names separated by commas, or a /REGEX/",
    ),
    (
        "-c ls,",
        "invalid value 'ls,' for '--command <NAME>': expected a name, several names separated by commas, or a /REGEX/",
    ),
    (
        "-c ^",
        "invalid value '^' for '--command <NAME>': expected a name, several names separated by commas, or a /REGEX/",
    ),
    (
        "-c ^grep,ls",
        "invalid value '^grep,ls' for '--command <NAME>': a list names commands or excludes them: use a separate --command for those with ^",
    ),
    (
        "-c ls,^grep",
        "invalid value 'ls,^grep' for '--command <NAME>': a list names commands or excludes them: use a separate --command for those with ^",
    ),
    (
        "-c '/(/'",
        "invalid value '/(/' for '--command <NAME>': invalid regular expression: found open group without closing ')'",
    ),
    (
        "-c /usr/bin/cat",
        "invalid value '/usr/bin/cat' for '--command <NAME>': a command name has no path, and a /REGEX/ ends with a slash",
    ),
    ("-u", "'--user <USER>' needs a value"),
    ("-u -1", r#"no user named "-1": give a name that `getent passwd` lists, or a number"#),
    ("-u ^", r#"no user named "": give a name that `getent passwd` lists, or a number"#),
    ("-u nosuchuser", r#"no user named "nosuchuser": give a name that `getent passwd` lists, or a number"#),
    ("-u ^nosuchuser", r#"no user named "nosuchuser": give a name that `getent passwd` lists, or a number"#),
    (
        "--backend proc -o +QUEUED",
        "the column QUEUED is known only to the kernel: add --probe, or use --backend auto as root",
    ),
    // The tests set LSPIPE_BACKEND.
    ("-o QUEUED", "the column QUEUED is known only to the kernel: add --probe, or use --backend auto as root"),
    ("-o NOSUCH", r#"invalid value 'NOSUCH' for '--output <COLUMNS>': unknown column "NOSUCH"; see --list-columns"#),
    ("-o ''", r#"the value of '--output <COLUMNS>' is empty: unknown column ""; see --list-columns"#),
    ("-o PIPE,,KIND", r#"invalid value 'PIPE,,KIND' for '--output <COLUMNS>': unknown column ""; see --list-columns"#),
    ("--readers", "'--readers' needs '--terse'"),
    ("--writers", "'--writers' needs '--terse'"),
    ("--descendants", "'--descendants' needs '--pid <PID>'"),
    ("why --descendants", "'--descendants' needs '--pid <PID>'"),
    ("audit --max-ends 0", "invalid value '0' for '--max-ends <N>': expected a number of at least 1"),
    ("audit --max-ends -3", "invalid value '-3' for '--max-ends <N>': expected a number of at least 1"),
    ("audit --max-ends many", "invalid value 'many' for '--max-ends <N>': expected a number of at least 1"),
    (
        "audit --confirm 0",
        "invalid value '0' for '--confirm <SECONDS>': expected a number of seconds greater than 0, such as 2 or 0.5",
    ),
    (
        "audit --fail-on nope",
        "invalid value 'nope' for '--fail-on <SEVERITY,CODE>': expected error, warning, info, or a code; all codes: lspipe audit --explain",
    ),
    (
        "audit --fail-on deadlok",
        "invalid value 'deadlok' for '--fail-on <SEVERITY,CODE>': did you mean 'deadlock'? All codes: lspipe audit --explain",
    ),
    (
        "audit --fail-on ''",
        "the value of '--fail-on <SEVERITY,CODE>' is empty: expected error, warning, info, or a code; all codes: lspipe audit --explain",
    ),
    (
        "audit --only nope",
        "invalid value 'nope' for '--only <CODE>': there is no such code; all codes: lspipe audit --explain",
    ),
    (
        "audit --only deadlok",
        "invalid value 'deadlok' for '--only <CODE>': did you mean 'deadlock'? All codes: lspipe audit --explain",
    ),
    ("audit --ignore ''", "'--ignore <CODE>' needs a value"),
    (
        "audit --explain deadlok",
        "invalid value 'deadlok' for '--explain [<CODE>]': did you mean 'deadlock'? All codes: lspipe audit --explain",
    ),
    (
        "audit --explain crosses-userss",
        "invalid value 'crosses-userss' for '--explain [<CODE>]': did you mean 'crosses-users'? All codes: lspipe audit --explain",
    ),
    (
        "why --only nope",
        "invalid value 'nope' for '--only <CODE>': there is no such code; all codes: lspipe why --explain",
    ),
    ("why --only crosses-users", "invalid value 'crosses-users' for '--only <CODE>': only `lspipe audit` reports that"),
    ("why --explain end-hoard", "invalid value 'end-hoard' for '--explain [<CODE>]': only `lspipe audit` reports that"),
    ("why --severity fatal", "invalid value 'fatal' for '--severity <SEVERITY>': it is none of error, warning, info"),
    ("--color pink", "invalid value 'pink' for '--color <WHEN>': it is none of auto, always, never"),
    (
        "--budget x",
        "invalid value 'x' for '--budget <LIMIT>': expected a time such as 30s or 500ms, a size such as 256M, or one of each: 30s,256M",
    ),
    (
        "-r 0",
        "invalid value '0' for '--repeat <SECONDS>': expected a number of seconds greater than 0, such as 2 or 0.5",
    ),
    ("-r", "'--repeat <SECONDS>' needs a value"),
    (
        "--generate pdf",
        "invalid value 'pdf' for '--generate <KIND>': it is none of man, complete-bash, complete-zsh, complete-fish, schema",
    ),
    ("--generate", "'--generate <KIND>' needs a value"),
    ("diff", "diff needs two saved reports: lspipe diff OLD NEW"),
    ("diff a", "diff needs a second report: lspipe diff OLD NEW"),
    ("diff - -", "only one of OLD and NEW can be standard input"),
    ("--from x.json --proc /proc", "the argument '--from <FILE>' cannot be used with '--proc <DIR>'"),
    ("--from x.json -r 2", "the argument '--from <FILE>' cannot be used with '--repeat <SECONDS>'"),
    ("--json --csv", "the argument '--json' cannot be used with '--csv'"),
    ("--csv -t", "the argument '--csv' cannot be used with '--terse'"),
    ("--csv --ndjson", "the argument '--ndjson' cannot be used with '--csv'"),
    ("--csv -r 1", "the argument '--csv' cannot be used with '--repeat <SECONDS>'"),
    ("graph --json --format dot", "the argument '--json' cannot be used with '--format <FORM>'"),
    ("audit --metrics -J", "the argument '--json' cannot be used with '--metrics'"),
];

/// On the stage, where nothing matches: status 1, nothing on stdout.
const UNMATCHED: &[(&str, &str)] = &[
    ("252", "no open pipe has inode 252; for process 252: lspipe -p 252"),
    ("why 252", "no open pipe has inode 252; for process 252: lspipe why -p 252"),
    ("graph 252", "no open pipe has inode 252; for process 252: lspipe graph -p 252"),
    ("audit 252", "no open pipe has inode 252; for process 252: lspipe audit -p 252"),
    ("1234567", "no process is known to have a pipe with inode 1234567 open"),
    ("why 1234567", "no process is known to have a pipe with inode 1234567 open"),
    ("-c nosuch", "no process is named nosuch"),
    ("-c gre", "no process is named gre; /^gre/ would match grep"),
    ("-c re", "no process is named re; /re/ would match grep"),
    ("-c LS", "no process is named LS; /(?i)LS/ would match ls"),
    ("-c init", "no process named init is known to hold an end of any pipe"),
    ("-c /zzz/", "no process has a name that matches /zzz/"),
    ("why -c gre", "no process is named gre; /^gre/ would match grep"),
    ("graph -c gre", "no process is named gre; /^gre/ would match grep"),
    ("audit -c gre", "no process is named gre; /^gre/ would match grep"),
    ("fds -c gre", "no process is named gre; /^gre/ would match grep"),
    ("fds nosuch", "no process is named nosuch"),
    ("fds -u 1000 -k fifo", "no pipe matches"),
    ("-p 251 -c cat", "process 251 is named ls; --pid and --command are combined with AND"),
    ("why -p 251 -c cat", "process 251 is named ls; --pid and --command are combined with AND"),
    ("-p 99999", "no process 99999 in PROC"),
    ("why -p 99999", "no process 99999 in PROC"),
    ("graph -p 99999", "no process 99999 in PROC"),
    ("audit -p 99999", "no process 99999 in PROC"),
    ("fds 99999", "no process 99999 in PROC"),
    ("-p 251 -u 0", "no pipe matches"),
    ("-c grep -u 34", "no pipe matches"),
    ("why -c grep -u 34", "no pipe matches"),
    ("audit -c grep -u 34", "no pipe matches"),
    ("fds -c grep -u 34", "no process matches"),
];

/// Words that are no PIPE there.
const NO_PIPE: &[(&str, &str)] = &[
    ("why why", r#"no such pipe or FIFO: "why""#),
    ("why help", r#"no such pipe or FIFO: "help"; for help: lspipe why --help"#),
    ("18913 why", r#"no such pipe or FIFO: "why"; the command comes first: lspipe why"#),
    ("wyh", r#"no such pipe, FIFO or command: "wyh"; did you mean `lspipe why`?"#),
    ("grpah", r#"no such pipe, FIFO or command: "grpah"; did you mean `lspipe graph`?"#),
    (
        "grep",
        r#"no such pipe or FIFO: "grep"; for processes of this name: lspipe why -c grep; a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE], an inode number, the path of a FIFO, socket or terminal, or /proc/PID/fd/N"#,
    ),
    (
        "why grep",
        r#"no such pipe or FIFO: "grep"; for processes of this name: lspipe why -c grep; a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE], an inode number, the path of a FIFO, socket or terminal, or /proc/PID/fd/N"#,
    ),
    (
        "graph python3.11-conf",
        r#"no such pipe or FIFO: "python3.11-conf"; for processes of this name: lspipe graph -c python3.11-conf; a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE], an inode number, the path of a FIFO, socket or terminal, or /proc/PID/fd/N"#,
    ),
    (
        "audit wyh",
        r#"no such pipe or FIFO: "wyh"; for processes of this name: lspipe audit -c wyh; a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE], an inode number, the path of a FIFO, socket or terminal, or /proc/PID/fd/N"#,
    ),
];

/// The words of a line, with single quotes as in a shell.
pub(super) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut is_word) = (Vec::new(), String::new(), false, false);
    for character in line.chars() {
        match character {
            '\'' => (is_quoted, is_word) = (!is_quoted, true),
            ' ' if !is_quoted => {
                if std::mem::take(&mut is_word) {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => {
                is_word = true;
                word.push(character);
            }
        }
    }
    words.extend(is_word.then_some(word));
    words
}

/// What differs from this status, no output and this message; none if nothing does.
fn difference(typed: &str, output: &Output, status: i32, message: &str) -> Option<String> {
    let expected = format!("lspipe: {message}\n");
    let is_so = output.code() == Some(status) && output.stdout.is_empty() && output.stderr == expected;
    (!is_so).then(|| format!("{typed}: {:?} {:?}\n  expected {message}", output.code(), output.stderr))
}

/// Each is refused with this message. All that are not are reported at once.
#[track_caller]
pub(super) fn check_refused(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(typed, message)| difference(typed, &lspipe(words(typed)).run(), 2, message))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn usage_errors() {
    check_refused(REFUSED);
}

#[track_caller]
fn check_on_stage(cases: &[(&str, &str)], status: i32) {
    let stage = Stage::new();
    let run = |typed: &str| stage.run(&words(typed).iter().map(String::as_str).collect::<Vec<_>>());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(typed, message)| difference(typed, &run(typed), status, &message.replace("PROC", stage.proc())))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_matches_nothing_has_status_1_in_every_command() {
    check_on_stage(UNMATCHED, 1);
}

#[test]
fn words_that_are_no_pipe() {
    check_on_stage(NO_PIPE, 2);
}

/// A name that is not there is said also where another one is.
#[test]
fn a_part_that_matches_nothing_is_said() {
    let stage = Stage::new();
    for (typed, message) in [
        ("-c ls,nosuch", "no process is named nosuch"),
        ("-c ls -c gre", "no process is named gre; /^gre/ would match grep"),
        ("graph -c ls -c gre", "no process is named gre; /^gre/ would match grep"),
        ("audit -c ls -c gre", "no process is named gre; /^gre/ would match grep"),
        ("why -c ls -c gre", "no process is named gre; /^gre/ would match grep"),
    ] {
        let output = stage.run(&words(typed).iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
        assert_eq!(output.stderr, format!("lspipe: {message}\n"), "{typed}");
        assert!(!output.stdout.is_empty(), "{typed}");
    }
}
