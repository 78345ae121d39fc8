//! Proc trees that no kernel would show: whatever stands in a file of one process, lspipe neither panics nor hangs, says
//! what it could not read, and reports every other process whole.

mod files;
mod numbers;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::report::{End, Report};
use crate::support::run::{Output, lspipe, public_dir};
use crate::support::tree::ProcTree;
use crate::support::user::{User, is_root};

/// The process whose files are spoilt: descriptors 3 and 4 are the ends of `pipe:[2000]`.
const VICTIM: u32 = 200;

/// What the neighbours hold: from 100 to 101. Whatever happens to the victim, this pipe is reported whole.
const HEALTHY: &str = "pipe:[1000]";

/// Of this one 101 is the only reader. Whether it has a writer is not known where the victim could not be read.
const ONE_SIDED: &str = "pipe:[1001]";

/// The tables.
const TABLES: [&[&str]; 2] = [&[], &["-e"]];

/// What they say, and what the JSON says, where nothing is spoilt.
static UNHARMED: LazyLock<([String; 2], Value)> = LazyLock::new(|| {
    let stage = Stage::new();
    let table = |form| stage.run(form).expect(0).text().to_owned();
    (TABLES.map(table), json(&stage.run(&["--json"]).expect(0)))
});

/// What is done to a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Missing,
    /// A file of no bytes, or a folder of no entries.
    Empty,
    /// The first half of what was there.
    Short,
    /// What was there, and 8 MB behind it.
    Huge,
    /// Every byte there is, and no text.
    Binary,
    /// A link to itself.
    Loop,
    /// A folder in place of a file.
    Folder,
    /// A file in place of a folder or link.
    File,
    /// To open it would hang for ever.
    Fifo,
    /// There, and not for us to read.
    Denied,
}

impl Damage {
    /// Whether nothing of what was there can be read any more.
    fn leaves_nothing(self) -> bool {
        !matches!(self, Self::Short | Self::Huge)
    }

    fn apply(self, path: &Path) {
        let was_folder = path.is_dir() && !path.is_symlink();
        let bytes = if was_folder { Vec::new() } else { fs::read(path).unwrap_or_default() };
        if self == Self::Denied {
            return fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("chmod");
        }
        if was_folder {
            fs::remove_dir_all(path).expect("remove a folder");
        } else {
            fs::remove_file(path).expect("remove a file");
        }
        let write = |bytes: &[u8]| fs::write(path, bytes).expect("write");
        match self {
            Self::Missing | Self::Denied => {}
            Self::Empty if was_folder => fs::create_dir(path).expect("mkdir"),
            Self::Empty => write(b""),
            Self::Short => write(&bytes[..bytes.len() / 2]),
            Self::Huge => {
                let mut file = File::create(path).expect("create");
                file.write_all(&bytes).expect("write");
                file.write_all(&vec![b'x'; 8 << 20]).expect("write");
            }
            Self::Binary => write(&(0..=255).cycle().take(4096).collect::<Vec<u8>>()),
            Self::Loop => symlink(path.file_name().expect("a name"), path).expect("symlink"),
            Self::Folder => fs::create_dir(path).expect("mkdir"),
            Self::File => write(b"a plain file\n"),
            Self::Fifo => mkfifoat(CWD, path, Mode::from_raw_mode(0o600)).expect("mkfifo"),
        }
    }
}

/// A tree with the victim and its neighbours, everything in it as it should be.
struct Stage {
    tree: ProcTree,
    user: User,
    // Removed at the end, after `tree`.
    _dir: TempDir,
}

impl Stage {
    fn new() -> Self {
        let dir = public_dir(User::Me);
        let tree = ProcTree::new(&dir.path().join("proc"));
        tree.process(100, "writer").fd(100, 1, HEALTHY, "01");
        tree.process(101, "reader").fd(101, 0, HEALTHY, "00").fd(101, 5, ONE_SIDED, "00");
        tree.child(VICTIM, 100, 1000, "victim").fd(VICTIM, 0, "/dev/null", "02");
        tree.fd(VICTIM, 3, "pipe:[2000]", "00").fd(VICTIM, 4, "pipe:[2000]", "02001");
        let stage = Self { tree, user: User::Me, _dir: dir };
        // So that a fact that gets lost is seen to be lost.
        let status = fs::read_to_string(stage.victim("status")).expect("read");
        stage.write("status", status.replace("NSpid:\t200", "NSpid:\t200\t7"));
        stage.write("cgroup", format!("0::/system.slice/docker-{}.scope\n", "0123456789abcdef".repeat(4)));
        stage
    }

    /// A file of the victim, or with no name its folder.
    fn victim(&self, file: &str) -> PathBuf {
        let folder = self.tree.root().join(VICTIM.to_string());
        if file.is_empty() { folder } else { folder.join(file) }
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        fs::write(self.victim(file), text).expect("write");
    }

    fn spoil(&mut self, path: &Path, damage: Damage) {
        if damage == Damage::Denied && is_root() {
            // Nothing is denied to root.
            let status = Command::new("chmod").args(["-R", "a+rX"]).arg(self.tree.root()).status();
            assert!(status.expect("chmod").success());
            self.user = User::Nobody;
        }
        damage.apply(path);
    }

    fn run(&self, args: &[&str]) -> Output {
        let root = self.tree.root().to_str().expect("UTF-8");
        let args = [args, &["-l", "--proc", root]].concat();
        lspipe(args).user(self.user).run()
    }

    /// Runs every form of the report, asserts what holds whatever happened to the victim, and returns the JSON.
    #[track_caller]
    fn survive(&self) -> Value {
        for (form, text) in TABLES.into_iter().zip(&UNHARMED.0) {
            let output = self.run(form).expect(0);
            assert!(output.stderr.lines().all(|line| line.starts_with("lspipe: ")), "{}", output.stderr);
            assert_eq!(rows(output.text(), HEALTHY), rows(text, HEALTHY), "{form:?}");
        }
        let (report, unharmed) = (json(&self.run(&["--json"]).expect(0)), &UNHARMED.1);
        for id in [HEALTHY, ONE_SIDED] {
            assert_eq!(find(&report["pipes"], "id", id), find(&unharmed["pipes"], "id", id));
        }
        for pid in [100, 101] {
            assert_eq!(find(&report["processes"], "pid", pid), find(&unharmed["processes"], "pid", pid));
        }
        self.assert_exit_status(&report);
        report
    }

    /// `--require-complete` fails where, and only where, something was not read; `fds` fails where
    /// the table was not.
    #[track_caller]
    fn assert_exit_status(&self, json: &Value) {
        let complete = json["scan"]["complete"] == true;
        self.run(&["--json", "--require-complete"]).expect(if complete { 0 } else { 2 });
        let there = self.tree.root().join(VICTIM.to_string()).symlink_metadata().is_ok();
        let unread = json["unreadable"].as_array().expect("an array").iter().any(|gap| gap["what"] == "fd_table");
        let table = self.run(&["fds", &VICTIM.to_string()]);
        let code = if unread {
            2
        } else if there {
            0
        } else {
            1
        };
        table.expect(code);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A folder that denies us is not removed either. Root is denied nothing.
        let _ = Command::new("chmod").args(["-R", "u+rwX"]).arg(self.tree.root()).status();
    }
}

/// The report, which keeps every promise that holds for any.
#[track_caller]
fn json(output: &Output) -> Value {
    Report::parse(&output.stdout);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The item of a list in which this field has this value.
fn find(list: &Value, field: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    let found = list.as_array().expect("an array").iter().find(|item| item[field] == value);
    found.unwrap_or_else(|| panic!("no {field} {value} in {list:#}")).clone()
}

/// The rows of a table that have this cell; how wide they are depends on the others.
fn rows(table: &str, cell: &str) -> Vec<Vec<String>> {
    let words = |row: &str| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    table.lines().map(words).filter(|row| row.iter().any(|word| word == cell)).collect()
}

/// The descriptors by which the victim is on a pipe, in ascending order.
fn victims_ends(report: &Value) -> Vec<u32> {
    let report: Report = serde_json::from_value(report.clone()).expect("the contract");
    let ends = report.pipes.iter().flat_map(|pipe| pipe.ends().cloned().collect::<Vec<End>>());
    let mut fds: Vec<u32> = ends.filter(|end| end.pid == VICTIM).map(|end| end.fd).collect();
    fds.sort_unstable();
    fds
}
