//! Command lines of other tools, and misspelled ones: what is harmless is accepted, and the rest is refused with what would be right.

use super::Stage;
use super::wrong::{check_refused, words};

/// Each with the whole message.
const REFUSED: &[(&str, &str)] = &[
    ("help why audit", "unexpected argument 'audit'; try 'lspipe help --help'"),
    ("-x", "unexpected argument '-x'; try 'lspipe --help'"),
    ("-Z", "unexpected argument '-Z': security contexts are not shown; use `ps -Z`"),
    ("-y", "unexpected argument '-y'; try 'lspipe --help'"),
    ("--zzzzzz", "unexpected argument '--zzzzzz'; try 'lspipe --help'"),
    ("why --zzzzzz", "unexpected argument '--zzzzzz'; try 'lspipe why --help'"),
    ("--pdi 1", "unexpected argument '--pdi': did you mean '--pid'?"),
    ("--jsn", "unexpected argument '--jsn': did you mean '--json'?"),
    ("--jason", "unexpected argument '--jason': did you mean '--json'?"),
    ("--dscendants", "unexpected argument '--dscendants': did you mean '--descendants'?"),
    ("--commnad x", "unexpected argument '--commnad': did you mean '--command'?"),
    ("graph --dot", "unexpected argument '--dot': did you mean `lspipe graph --format dot`?"),
    ("--dot", "unexpected argument '--dot': did you mean `lspipe graph --format dot`?"),
    ("--no-header", "unexpected argument '--no-header': did you mean '--noheadings'?"),
    ("--no-headers", "unexpected argument '--no-headers': did you mean '--noheadings'?"),
    ("--no-heading", "unexpected argument '--no-heading': did you mean '--noheadings'?"),
    ("--no-headings", "unexpected argument '--no-headings': did you mean '--noheadings'?"),
    ("why --noheader", "unexpected argument '--noheader': did you mean '--noheadings'?"),
    (
        "--filter x",
        "unexpected argument '--filter': there are no filter expressions; --pid, --command, --user, --kind, --no-reader and --no-writer select, and `lspipe --ndjson | jq` filters",
    ),
    (
        "-Q 'PID == 1'",
        "unexpected argument '-Q': there are no filter expressions; --pid, --command, --user, --kind, --no-reader and --no-writer select, and `lspipe --ndjson | jq` filters",
    ),
    ("--uid 0", "unexpected argument '--uid': did you mean '--user'?"),
    ("why --uid 0", "unexpected argument '--uid': did you mean '--user'?"),
    ("--gid 0", "unexpected argument '--gid': there is no selection by process group; `-e -o +PGID` shows it"),
    ("--group x", "unexpected argument '--group': there is no selection by process group; `-e -o +PGID` shows it"),
    ("--tree", "unexpected argument '--tree': `lspipe graph` draws pipelines as a tree"),
    ("--graph", "unexpected argument '--graph': `lspipe graph` draws pipelines"),
    ("--threadz", "unexpected argument '--threadz'; try 'lspipe --help'"),
    ("--process 1", "unexpected argument '--process': did you mean '--pid'?"),
    ("--pids 1", "unexpected argument '--pids': did you mean '--pid'?"),
    ("--name cat", "unexpected argument '--name': did you mean '--command'?"),
    ("--comm cat", "unexpected argument '--comm': did you mean '--command'?"),
    ("--owner root", "unexpected argument '--owner': did you mean '--user'?"),
    ("--type fifo", "unexpected argument '--type': did you mean '--kind'?"),
    ("--columns PID", "unexpected argument '--columns': did you mean '--output'?"),
    ("--fields PID", "unexpected argument '--fields': did you mean '--output'?"),
    ("--children", "unexpected argument '--children': did you mean '--descendants'?"),
    ("--recursive", "unexpected argument '--recursive': did you mean '--descendants'?"),
    ("--watch", "unexpected argument '--watch': did you mean '--repeat <SECONDS>'?"),
    ("--interval 2", "unexpected argument '--interval': did you mean '--repeat <SECONDS>'?"),
    ("--delay 2", "unexpected argument '--delay': did you mean '--repeat <SECONDS>'?"),
    ("+r", "unexpected argument '+r': did you mean '--repeat <SECONDS>'?"),
    ("+r2", "unexpected argument '+r2': did you mean '--repeat <SECONDS>'?"),
    ("-S 2", "unexpected argument '-S': did you mean '--budget <LIMIT>'?"),
    ("-S2", "unexpected argument '-S': did you mean '--budget <LIMIT>'?"),
    ("--timeout 3", "unexpected argument '--timeout': did you mean '--budget <LIMIT>'?"),
    ("--silent", "unexpected argument '--silent': did you mean '--quiet'?"),
    ("--no-color", "unexpected argument '--no-color': did you mean '--color never'?"),
    ("--colour never", "unexpected argument '--colour': did you mean '--color'?"),
    ("--jsonl", "unexpected argument '--jsonl': did you mean '--ndjson'?"),
    ("-j", "unexpected argument '-j': did you mean '--ndjson'?"),
    ("--yaml", "unexpected argument '--yaml': did you mean '--json'?"),
    ("--tsv", "unexpected argument '--tsv': did you mean '--csv'?"),
    ("--size", "unexpected argument '--size': did you mean '--probe'?"),
    ("-s", "unexpected argument '-s': did you mean '--probe'?"),
    ("--all", "unexpected argument '--all': did you mean '--kind all'?"),
    ("--fifo", "unexpected argument '--fifo': did you mean '--kind fifo'?"),
    ("--unix", "unexpected argument '--unix': did you mean '--kind unix'?"),
    ("-U", "unexpected argument '-U': did you mean '--kind unix'?"),
    ("--sockets", "unexpected argument '--sockets': did you mean '--kind unix'?"),
    ("--pty", "unexpected argument '--pty': did you mean '--kind pty'?"),
    ("--why 252", "unexpected argument '--why': did you mean `lspipe why`?"),
    ("--blocked", "unexpected argument '--blocked': did you mean `lspipe why`?"),
    ("--deadlock", "unexpected argument '--deadlock': did you mean `lspipe why --only deadlock`?"),
    ("--leaks", "unexpected argument '--leaks': did you mean `lspipe why --only leaked-write-end`?"),
    ("--audit", "unexpected argument '--audit': did you mean `lspipe audit`?"),
    ("--diff a b", "unexpected argument '--diff': did you mean `lspipe diff OLD NEW`?"),
    ("--fds 252", "unexpected argument '--fds': did you mean `lspipe fds PID`?"),
    ("--save x", "unexpected argument '--save': a report is saved by `lspipe --json > FILE`"),
    ("--input x", "unexpected argument '--input': did you mean '--from <FILE>'?"),
    ("--inode 7", "unexpected argument '--inode': a PIPE needs no option: lspipe PIPE"),
    ("--file x", "unexpected argument '--file': a PIPE needs no option: lspipe PIPE"),
    (
        "--summary",
        "unexpected argument '--summary': there are no counters; `lspipe --ndjson | jq -s length` counts pipes",
    ),
    (
        "--summary=only",
        "unexpected argument '--summary': there are no counters; `lspipe --ndjson | jq -s length` counts pipes",
    ),
    (
        "--counter x",
        "unexpected argument '--counter': there are no counters; `lspipe --ndjson | jq -s length` counts pipes",
    ),
    ("-C x", "unexpected argument '-C': there are no counters; `lspipe --ndjson | jq -s length` counts pipes"),
    ("--raw", "unexpected argument '--raw': off a terminal, nothing is wrapped or left out: `lspipe | cat`"),
    (
        "--notruncate",
        "unexpected argument '--notruncate': off a terminal, nothing is wrapped or left out: `lspipe | cat`",
    ),
    ("--sort PID", "unexpected argument '--sort': rows are ordered by pipe; use `lspipe -n -o COLUMNS | sort`"),
    ("-F", "unexpected argument '-F': for programs, use --json, --ndjson or --csv"),
    ("-Fpn", "unexpected argument '-F': for programs, use --json, --ndjson or --csv"),
    ("-0", "unexpected argument '-0': for programs, use --json, --ndjson or --csv"),
    (
        "-d 0",
        "unexpected argument '-d': there is no selection by descriptor; `lspipe fds PID` lists all, and `lspipe -e -o PID,FD,PIPE | awk` chooses",
    ),
    (
        "+D /tmp",
        "unexpected argument '+D': there is no selection by directory; give the paths of FIFOs, or use `lspipe -k fifo | grep DIR`",
    ),
    (
        "-m /tmp",
        "unexpected argument '-m': there is no selection by directory; give the paths of FIFOs, or use `lspipe -k fifo | grep DIR`",
    ),
    ("-g 5", "unexpected argument '-g': there is no selection by process group; `-e -o +PGID` shows it"),
    (
        "--container x",
        "unexpected argument '--container': there is no selection by it; `-e -o +CONTAINER,UNIT` shows it",
    ),
    ("-R", "unexpected argument '-R': `-e -o +PPID` shows the parents"),
    ("+fg", "unexpected argument '+fg': `lspipe -e` shows the flags"),
    ("+L", "unexpected argument '+L': `-o +DELETED` shows the FIFOs that have no path left"),
    ("-L", "unexpected argument '-L': `-o +DELETED` shows the FIFOs that have no path left"),
    ("-i", "unexpected argument '-i': network sockets are not shown; use ss(8)"),
    ("-i :80", "unexpected argument '-i': network sockets are not shown; use ss(8)"),
    ("-N", "unexpected argument '-N': network sockets are not shown; use ss(8)"),
    ("--tcp", "unexpected argument '--tcp': network sockets are not shown; use ss(8)"),
    (
        "--kill",
        "unexpected argument '--kill': lspipe ends no process; `kill $(lspipe -t PIPE)` ends those that hold it",
    ),
    (
        "-k my.fifo",
        "invalid value 'my.fifo' for '--kind <KIND>': a KIND is anonymous, fifo, unix, pty, all; lspipe ends no process, `kill $(lspipe -t PIPE)` does",
    ),
    (
        "-k /run/my.fifo",
        "invalid value '/run/my.fifo' for '--kind <KIND>': a KIND is anonymous, fifo, unix, pty, all; lspipe ends no process, `kill $(lspipe -t PIPE)` does",
    ),
    (
        "-ki my.fifo",
        "invalid value 'i' for '--kind <KIND>': a KIND is anonymous, fifo, unix, pty, all; lspipe ends no process, `kill $(lspipe -t PIPE)` does",
    ),
    (
        "-k 9 my.fifo",
        "invalid value '9' for '--kind <KIND>': a KIND is anonymous, fifo, unix, pty, all; lspipe ends no process, `kill $(lspipe -t PIPE)` does",
    ),
    (
        "-k pipe",
        "invalid value 'pipe' for '--kind <KIND>': did you mean 'anonymous'? It is one of anonymous, fifo, unix, pty, all",
    ),
    (
        "-k socket",
        "invalid value 'socket' for '--kind <KIND>': did you mean 'unix'? It is one of anonymous, fifo, unix, pty, all",
    ),
    (
        "-k tty",
        "invalid value 'tty' for '--kind <KIND>': did you mean 'pty'? It is one of anonymous, fifo, unix, pty, all",
    ),
    (
        "-k fif",
        "invalid value 'fif' for '--kind <KIND>': did you mean 'fifo'? It is one of anonymous, fifo, unix, pty, all",
    ),
    ("-k zzz", "invalid value 'zzz' for '--kind <KIND>': it is none of anonymous, fifo, unix, pty, all"),
    ("--hyperlink", "unexpected argument '--hyperlink': there are no hyperlinks"),
    ("--man", "unexpected argument '--man': did you mean '--generate man'?"),
    ("--completion", "unexpected argument '--completion': use --generate complete-bash, complete-zsh or complete-fish"),
    ("--schema", "unexpected argument '--schema': did you mean '--generate schema'?"),
    ("--no-readers", "unexpected argument '--no-readers': did you mean '--no-reader'?"),
    ("--no-writers", "unexpected argument '--no-writers': did you mean '--no-writer'?"),
    ("diff a b c", "unexpected argument 'c'; try 'lspipe diff --help'"),
];

#[test]
fn each_is_refused_with_what_would_be_right() {
    check_refused(REFUSED);
}

/// Options that ask for what lspipe does anyway, with those that mean the same.
#[test]
fn what_is_harmless_is_accepted() {
    let stage = Stage::new();
    for (typed, same) in [
        ("-a -b -P -E -K -v", ""),
        ("+E", ""),
        ("+w", ""),
        ("--verbose --threads", ""),
        ("-nP", "-n"),
        ("-nPa", "-n"),
        ("-nPw", "-n -q"),
        ("-w -a -P -n", "-n -q"),
        ("-v 18913", "18913"),
        ("why -a -P -p 251", "why -p 251"),
        ("graph -K", "graph"),
        ("fds -a 251", "fds 251"),
        ("-q -q -l -l", "-q -l"),
        // A word after -- is a PIPE, and a value of an option none of these.
        ("-o PIPE -P", "-o PIPE"),
    ] {
        let run = |line: &str| stage.run(&words(line).iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
        let (found, expected) = (run(typed), run(same));
        assert_eq!((&found.stdout, &found.stderr), (&expected.stdout, &expected.stderr), "{typed}");
        assert!(!found.stdout.is_empty(), "{typed}");
    }
    let output = stage.run(&["--", "-P"]).expect(2);
    assert!(output.stderr.contains("-P: No such file"), "{}", output.stderr);
}
