//! What people type out of habit: options of lsof(8), lsfd(1), fuser(1) and ps(1), and those that lspipe calls otherwise. One table. The
//! nearest option is the nearest by meaning, which spelling does not show.

/// What lspipe makes of an option that it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// It asks for what lspipe does in any case.
    Harmless,
    /// This option is meant.
    Means(&'static str),
    /// This is the way of lspipe, or it has none.
    Instead(&'static str),
}

use Habit::{Harmless, Instead, Means};

const EXPRESSIONS: Habit = Instead(
    "there are no filter expressions; --pid, --command, --user, --kind, --no-reader and --no-writer select, and `lspipe --ndjson | jq` filters",
);
const COUNTERS: Habit = Instead("there are no counters; `lspipe --ndjson | jq -s length` counts pipes");
const WHOLE: Habit = Instead("off a terminal, nothing is wrapped or left out: `lspipe | cat`");
const TREE: Habit = Instead("`lspipe graph` draws pipelines as a tree");
const FOR_PROGRAMS: Habit = Instead("for programs, use --json, --ndjson or --csv");
const NO_DESCRIPTORS: Habit = Instead(
    "there is no selection by descriptor; `lspipe fds PID` lists all, and `lspipe -e -o PID,FD,PIPE | awk` chooses",
);
const NO_DIRECTORIES: Habit =
    Instead("there is no selection by directory; give the paths of FIFOs, or use `lspipe -k fifo | grep DIR`");
const NO_GROUPS: Habit = Instead("there is no selection by process group; `-e -o +PGID` shows it");
const NO_CONTAINERS: Habit = Instead("there is no selection by it; `-e -o +CONTAINER,UNIT` shows it");
const NO_NETWORK: Habit = Instead("network sockets are not shown; use ss(8)");
const NO_KILL: Habit = Instead("lspipe ends no process; `kill $(lspipe -t PIPE)` ends those that hold it");
const SORTED: Habit = Instead("rows are ordered by pipe; use `lspipe -n -o COLUMNS | sort`");
const PIPES: Habit = Instead("a PIPE needs no option: lspipe PIPE");
const COMPLETIONS: Habit = Instead("use --generate complete-bash, complete-zsh or complete-fish");

/// Each option with what it means here.
const HABITS: &[(&[&str], Habit)] = &[
    // Options are combined with AND, no call can block, no name of a host or port is looked up, both ends and all threads are shown.
    (&["-a", "-b", "-P", "-E", "+E", "-K", "-v", "--verbose", "--threads", "--tasks", "--endpoint", "+w"], Harmless),
    (&["--uid", "--owner", "--login", "--euid", "--users"], Means("--user")),
    (&["--pids", "--process", "--processes"], Means("--pid")),
    (&["--name", "--comm", "--cmd", "--program", "--commands", "--exe"], Means("--command")),
    (&["--type", "--kinds", "--class"], Means("--kind")),
    (&["--children", "--recursive", "--descendents", "--family", "--subtree"], Means("--descendants")),
    (&["--columns", "--fields", "--cols", "--column"], Means("--output")),
    (&["--list", "--help-columns"], Means("--list-columns")),
    (
        &[
            "--no-header",
            "--no-headers",
            "--no-heading",
            "--no-headings",
            "--noheader",
            "--noheaders",
            "--noheading",
            "--no-title",
        ],
        Means("--noheadings"),
    ),
    (&["--watch", "--interval", "--delay", "--follow", "--every", "--loop", "+r"], Means("--repeat <SECONDS>")),
    (&["--silent", "--no-warnings", "--nowarnings", "--no-notes"], Means("--quiet")),
    (&["--colour", "--colors"], Means("--color")),
    (&["--no-color", "--no-colour", "--nocolor", "--monochrome"], Means("--color never")),
    (&["--jsonl", "--json-lines", "--jsonlines", "--lines", "-j"], Means("--ndjson")),
    (&["--tsv", "--delimiter", "--separator"], Means("--csv")),
    (&["--yaml", "--xml", "--toml", "--html"], Means("--json")),
    (&["--timeout", "--limit", "--max-time", "-S"], Means("--budget <LIMIT>")),
    (&["--numeric", "--numeric-ids"], Means("--numeric-uid")),
    (&["--size", "--sizes", "--queued", "--capacity", "--bytes", "-s"], Means("--probe")),
    (&["--pid-only", "--only-pids", "--quiet-pids"], Means("--terse")),
    (&["--input", "--load", "--read", "--replay"], Means("--from <FILE>")),
    (&["--root", "--sysroot", "--procfs"], Means("--proc <DIR>")),
    (&["--orphans", "--no-writers"], Means("--no-writer")),
    (&["--no-readers"], Means("--no-reader")),
    (&["--fifo", "--fifos", "--named"], Means("--kind fifo")),
    (&["--anonymous", "--anon", "--unnamed"], Means("--kind anonymous")),
    (&["--unix", "--socket", "--sockets", "-U"], Means("--kind unix")),
    (&["--pty", "--ptys", "--tty", "--terminal"], Means("--kind pty")),
    (&["--all"], Means("--kind all")),
    (&["--schema"], Means("--generate schema")),
    (&["--man", "--manual"], Means("--generate man")),
    (&["--completion", "--completions", "--complete"], COMPLETIONS),
    (&["--tree", "--pstree", "--forest"], TREE),
    (&["--graph", "--draw", "--chain", "--pipe-chain"], Instead("`lspipe graph` draws pipelines")),
    (&["--dot", "--graphviz", "--svg"], Instead("did you mean `lspipe graph --format dot`?")),
    (&["--mermaid"], Instead("did you mean `lspipe graph --format mermaid`?")),
    (&["--why", "--blocked", "--hang", "--hangs", "--stuck"], Instead("did you mean `lspipe why`?")),
    (&["--deadlock", "--deadlocks"], Instead("did you mean `lspipe why --only deadlock`?")),
    (&["--leak", "--leaks", "--leaked"], Instead("did you mean `lspipe why --only leaked-write-end`?")),
    (&["--audit", "--check"], Instead("did you mean `lspipe audit`?")),
    (&["--diff", "--compare", "--delta"], Instead("did you mean `lspipe diff OLD NEW`?")),
    (&["--fds", "--fd"], Instead("did you mean `lspipe fds PID`?")),
    (&["--save", "--write", "--output-file", "--out"], Instead("a report is saved by `lspipe --json > FILE`")),
    (&["--pipe", "--inode", "--path", "--file", "--pipes"], PIPES),
    (&["--filter", "--where", "--query", "--select", "--debug-filter", "-Q"], EXPRESSIONS),
    (&["--summary", "--counter", "--dump-counters", "--count", "--stats", "-C"], COUNTERS),
    (&["--raw", "--notruncate", "--no-truncate", "--wide", "-W", "--no-wrap"], WHOLE),
    (&["--sort", "--order", "--reverse", "--top"], SORTED),
    (&["-F", "-0"], FOR_PROGRAMS),
    (&["-d"], NO_DESCRIPTORS),
    (&["+D", "+d", "-D", "-m", "--mount"], NO_DIRECTORIES),
    (&["-g", "--gid", "--group", "--pgid", "--sid", "--session"], NO_GROUPS),
    (&["--container", "--cgroup", "--unit", "--namespace"], NO_CONTAINERS),
    (&["-R", "--ppid"], Instead("`-e -o +PPID` shows the parents")),
    (&["+f", "-f", "+fg", "--flags"], Instead("`lspipe -e` shows the flags")),
    (&["-L", "+L"], Instead("`-o +DELETED` shows the FIFOs that have no path left")),
    (&["-i", "-N", "-T", "--inet", "--tcp", "--udp", "--port", "--network"], NO_NETWORK),
    (&["--kill", "--signal"], NO_KILL),
    (&["--hyperlink"], Instead("there are no hyperlinks")),
    (&["-Z", "--context"], Instead("security contexts are not shown; use `ps -Z`")),
];

/// The kind that another word means.
pub(super) fn kind(word: &str) -> Option<&'static str> {
    const KINDS: [(&[&str], &str); 4] = [
        (&["pipe", "pipes", "anon", "unnamed"], "anonymous"),
        (&["named", "fifos"], "fifo"),
        (&["socket", "sockets", "sock", "stream"], "unix"),
        (&["tty", "terminal", "pts"], "pty"),
    ];
    KINDS.iter().find(|(words, _)| words.contains(&word)).map(|(_, kind)| *kind)
}

/// What an option means that lspipe does not have, as it is written; none if it is not known.
pub(super) fn of(option: &str) -> Option<Habit> {
    // `+r2`: with its value.
    let without_value = option.trim_end_matches(|character: char| character.is_ascii_digit());
    let option = if option.starts_with('+') { without_value } else { option };
    HABITS.iter().find(|(names, _)| names.contains(&option)).map(|(_, habit)| *habit)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    /// An option that lspipe has would never come here, and one that is meant has to exist.
    #[test]
    fn no_habit_is_an_option_of_the_report_and_each_means_one() {
        let command = Cli::command();
        let longs: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        let shorts: Vec<char> = command.get_arguments().filter_map(clap::Arg::get_short).collect();
        let mut seen = Vec::new();
        for (names, habit) in HABITS {
            for name in *names {
                assert!(!seen.contains(name), "{name} twice");
                seen.push(*name);
                if let Some(long) = name.strip_prefix("--") {
                    assert!(!longs.contains(&long), "{name}");
                } else if let Some(letters) = name.strip_prefix('-') {
                    assert!(letters.len() > 1 || !letters.starts_with(shorts.as_slice()), "{name}");
                }
            }
            if let Means(option) = habit {
                let long = option.split(' ').next().unwrap_or_default().trim_start_matches("--");
                assert!(longs.contains(&long), "{option}");
            }
        }
    }
}
