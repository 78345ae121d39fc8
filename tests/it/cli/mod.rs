//! The command line: every option, on a small tree of which all is known.

mod audit_codes;
mod csv;
mod errors;
mod graph;
mod habits;
mod output;
mod selection;
mod terminal;
mod words;
mod wrong;

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use crate::support::run::{Output, lspipe};
use crate::support::tree::ProcTree;

/// A tree with four pipes and a FIFO:
///
/// | pipe  | readers                | writers  |
/// |-------|------------------------|----------|
/// | 9007  |                        | 310 fd 1 |
/// | 9008  | 311 fd 0               |          |
/// | 18913 | 252 fd 0               | 251 fd 1 |
/// | 20000 | 311 fd 7               | 252 fd 3 |
/// | FIFO  | 311 fd 6 (rw), 312 fd 0 | 311 fd 6 |
pub(crate) struct Stage {
    tree: ProcTree,
    fifo: PathBuf,
    dir: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().expect("temporary directory");
        let fifo = dir.path().join("my.fifo");
        mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).expect("mkfifo");
        let tree = ProcTree::new(&dir.path().join("proc"));
        tree.child(1, 0, 0, "init");
        tree.child(60, 1, 1000, "bash").fd(60, 0, "/dev/pts/2", "02");
        tree.child(251, 60, 1000, "ls").fd(251, 1, "pipe:[18913]", "01");
        tree.child(252, 60, 1000, "grep").fd(252, 0, "pipe:[18913]", "00").fd(252, 3, "pipe:[20000]", "02004001");
        tree.child(300, 1, 0, "cron");
        tree.child(310, 300, 34, "backup").fd(310, 1, "pipe:[9007]", "01");
        // As much of a longer name as the kernel keeps.
        tree.child(311, 310, 34, "python3.11-conf").fd(311, 0, "pipe:[9008]", "00").fd(311, 7, "pipe:[20000]", "00");
        tree.fd(311, 6, &fifo, "02");
        tree.child(312, 1, 0, "cat").fd(312, 0, &fifo, "04000");
        Self { tree, fifo, dir }
    }

    pub(crate) fn proc(&self) -> &str {
        self.tree.root().to_str().expect("UTF-8")
    }

    pub(crate) fn fifo(&self) -> &str {
        self.fifo.to_str().expect("UTF-8")
    }

    /// A plain file, which is no pipe and no proc root either.
    fn plain_file(&self) -> PathBuf {
        let file = self.dir.path().join("plain");
        fs::write(&file, "text\n").expect("write");
        file
    }

    fn folder(&self) -> &Path {
        self.dir.path()
    }

    fn run(&self, args: &[&str]) -> Output {
        lspipe([args, &["--proc", self.proc()]].concat()).run()
    }

    /// The output of a run that succeeds, with nothing said beside it.
    #[track_caller]
    fn text(&self, args: &[&str]) -> String {
        let output = self.run(args).expect(0);
        assert_eq!(output.stderr, "", "{args:?}");
        output.text().to_owned()
    }
}

/// What `lspipe` prints under these options, which need no tree.
#[test]
fn help_and_version() {
    let short = lspipe(["-V"]).run().expect(0);
    assert_eq!(short.text(), concat!("lspipe ", env!("CARGO_PKG_VERSION"), "\n"));
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../../schema/lspipe.schema.json")).expect("JSON");
    let schema = &schema["properties"]["schema_version"]["const"];
    assert!(schema.is_u64(), "{schema}");
    // That of the build, which may be older than what is checked out by now; packages.rs has which one build.rs takes.
    let commit = if env!("LSPIPE_COMMIT").is_empty() { "" } else { concat!(env!("LSPIPE_COMMIT"), ", ") };
    let long = lspipe(["--version"]).run().expect(0);
    assert_eq!(long.text(), format!("{} ({commit}schema {schema})\n", short.text().trim_end()));

    let [long, short] = [["--help"], ["-h"]].map(|args| lspipe(args).run().expect(0));
    assert!(long.text().len() > short.text().len(), "the long help says more");
    for help in [&long, &short] {
        assert_eq!(help.stderr, "");
        let text = help.text();
        // What it is for comes first, in a line.
        let first = text.lines().next().unwrap_or_default();
        assert!(first.contains("pipes and FIFOs") && text.lines().nth(1) == Some(""), "{text}");
        assert!(!text.contains('\x1b') && text.lines().all(|line| line.chars().count() <= 100), "{text}");
        for part in ["Usage: lspipe", "Selection:", "Output:", "Source:", "fds "] {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
    }
    // Every option, each with what it does.
    for option in [
        "--pid <PID>",
        "--descendants",
        "--command <NAME>",
        "--user <USER>",
        "--kind <KIND>",
        "--no-reader",
        "--no-writer",
        "--endpoints",
        "--output <COLUMNS>",
        "--list-columns",
        "--probe",
        "--noheadings",
        "--json",
        "--ndjson",
        "--csv",
        "--terse",
        "--readers",
        "--writers",
        "--color <WHEN>",
        "--repeat <SECONDS>",
        "--numeric-uid",
        "--quiet",
        "--require-complete",
        "--proc <DIR>",
        "--generate <KIND>",
        "--help",
        "--version",
    ] {
        assert!(long.text().contains(option), "--help lacks {option}");
        // `-p, --pid <PID>  …`, or without a letter.
        let mut lines = short.text().lines().map(str::trim_start);
        let told = lines.find_map(|line| {
            let long = line.split_once(", ").filter(|(letter, _)| letter.len() == 2);
            long.map_or(line, |(_, rest)| rest).strip_prefix(option)
        });
        assert!(told.is_some_and(|told| !told.trim().is_empty()), "-h does not say what {option} does");
    }
    for part in ["Examples:", "Exit status:", "possible values: anonymous, fifo"] {
        assert!(long.text().contains(part), "--help lacks {part}");
    }
    let audit = lspipe(["audit", "--help"]).run().expect(0);
    for option in [
        "--only <CODE>",
        "--ignore <CODE>",
        "--severity <SEVERITY>",
        "--fail-on <SEVERITY,CODE>",
        "--max-ends <N>",
        "--confirm <SECONDS>",
        "--explain [<CODE>]",
        "--baseline <FILE>",
        "--write-baseline <FILE>",
        "--ndjson",
        "--metrics",
        "--metrics-file <PATH>",
        "--probe",
        "--json",
        "--require-complete",
    ] {
        assert!(audit.text().contains(&format!("{option}\n")), "audit --help lacks {option}");
    }
    // What a command refuses is not in its help.
    for help in ["-h", "--help"] {
        let diff = lspipe(["diff", help]).run().expect(0);
        for (option, is_there) in [("--json", true), ("--repeat", false), ("--proc", false), ("--from", false)] {
            assert_eq!(diff.text().contains(option), is_there, "diff {help}: {option}");
        }
    }
    let fds = lspipe(["fds", "--help"]).run().expect(0);
    assert!(fds.text().contains("Usage: lspipe fds [OPTIONS] [PID]..."), "{}", fds.text());
}
