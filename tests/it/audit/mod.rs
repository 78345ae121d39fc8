//! `lspipe audit`: what it knows, confirms, counts and writes, on trees of which all is known and on live processes.

mod baseline;
mod broken;
mod confirm;
mod forms;
mod holders;
mod metrics;
mod replace;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::run::{Output, lspipe};
use crate::support::tree::ProcTree;

/// The rules have tests of their own: these are about findings whose processes are here for all to see.
const ONLY: &str = "--only=self-deadlock,leaked-write-end,stalled-reader,no-reader";

/// A machine on which all of `ONLY` is wrong, and a folder for files.
///
/// | finding          | processes                                          |
/// |------------------|----------------------------------------------------|
/// | self-deadlock    | sh, which has both ends of the pipe that it reads  |
/// | leaked-write-end | tee, and mydaemon of mydaemon.service              |
/// | stalled-reader   | yes, and less, which is stopped, of a login        |
/// | no-reader        | backup, which writes two such pipes                |
struct Machine {
    tree: ProcTree,
    /// What is added to each PID.
    base: u32,
    dir: TempDir,
}

impl Machine {
    /// The machine at one of its starts: PIDs, inodes and the number of the login are others at each.
    fn start(boot: u32) -> Self {
        let dir = TempDir::new().expect("temporary directory");
        let tree = ProcTree::new(&dir.path().join("proc"));
        let machine = Self { tree, base: boot * 1000, dir };
        let (tree, base) = (&machine.tree, machine.base);
        let inode = |number: u32| format!("pipe:[{}]", boot * 7000 + number);
        tree.child(1, 0, 0, "init").blocked(1, 'S', "230 0x1 0x1 0x7ffc 0x0", "hrtimer_nanosleep");

        machine.job(1, "sh").fd(base + 1, 3, inode(1), "02000000").fd(base + 1, 4, inode(1), "02000001");
        machine.reads(1, 3);

        machine.job(10, "tee").fd(base + 10, 0, inode(2), "00");
        machine.reads(10, 0);
        tree.child(base + 11, 1, 1000, "mydaemon").session(base + 11, base + 11, base + 11);
        tree.fd(base + 11, 1, inode(2), "01").blocked(base + 11, 'S', "230 0x1 0x1 0x7ffc 0x0", "hrtimer_nanosleep");
        machine.cgroup(11, "/system.slice/mydaemon.service");

        machine.job(20, "yes").fd(base + 20, 1, inode(3), "01");
        machine.writes(20, 1);
        machine.job(21, "less").fd(base + 21, 0, inode(3), "00");
        machine.stops(21);
        for pid in [20, 21] {
            machine.cgroup(pid, &format!("/user.slice/user-1000.slice/session-{}.scope", boot * 3));
        }

        tree.child(base + 30, 1, 34, "backup").fd(base + 30, 1, inode(4), "01").fd(base + 30, 2, inode(5), "01");
        machine
    }

    /// A process of the usual user, all in one session.
    fn job(&self, pid: u32, command: &str) -> &ProcTree {
        self.tree.child(self.base + pid, 1, 1000, command).session(self.base + pid, self.base, self.base)
    }

    fn reads(&self, pid: u32, fd: u32) {
        self.tree.blocked(self.base + pid, 'S', &format!("0 {fd:#x} 0x7f00 0x1000 0x0"), "anon_pipe_read");
    }

    fn writes(&self, pid: u32, fd: u32) {
        self.tree.blocked(self.base + pid, 'S', &format!("1 {fd:#x} 0x7f00 0x1000 0x0"), "anon_pipe_write");
    }

    fn stops(&self, pid: u32) {
        self.tree.blocked(self.base + pid, 'T', "0 0x0 0x7f00 0x1000 0x0", "do_signal_stop");
    }

    fn cgroup(&self, pid: u32, path: &str) {
        fs::write(self.process(pid).join("cgroup"), format!("0::{path}\n")).expect("write cgroup");
    }

    fn process(&self, pid: u32) -> PathBuf {
        self.tree.root().join((self.base + pid).to_string())
    }

    fn ends(&self, pid: u32) {
        fs::remove_dir_all(self.process(pid)).expect("remove a process");
    }

    /// Where a file of the test is to be.
    fn file(&self, name: &str) -> String {
        path(&self.dir.path().join(name))
    }

    /// `lspipe audit` here, with the options of `ONLY`.
    fn audit(&self, args: &[&str]) -> Output {
        self.audit_all(&[&[ONLY], args].concat())
    }

    /// The same with whatever the rules find, too.
    fn audit_all(&self, args: &[&str]) -> Output {
        lspipe(self.args(args)).run()
    }

    fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let root = self.tree.root().to_str().expect("UTF-8");
        [&["audit", "--proc", root], args].concat()
    }
}

fn path(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}
