//! Proc trees made of plain files and links: the seam through which lspipe reads what no live process would show.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A proc tree under construction.
pub(crate) struct ProcTree {
    root: PathBuf,
}

impl ProcTree {
    /// An empty tree there, with what every /proc has.
    pub(crate) fn new(root: &Path) -> Self {
        fs::create_dir_all(root.join("sys/kernel/random")).expect("create the tree");
        let write =
            |name: &str, text: &str| fs::write(root.join(name), text).expect("write into the tree");
        write("stat", "cpu  0 0 0 0 0 0 0 0 0 0\nbtime 1700000000\n");
        write("sys/kernel/hostname", "fixture\n");
        write("sys/kernel/osrelease", "6.1.0\n");
        write(
            "sys/kernel/random/boot_id",
            "11111111-2222-3333-4444-555555555555\n",
        );
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Adds a process without descriptors.
    pub(crate) fn process(&self, pid: u32, command: &str) -> &Self {
        let dir = self.root.join(pid.to_string());
        for folder in ["fd", "fdinfo", &format!("task/{pid}")] {
            fs::create_dir_all(dir.join(folder)).expect("create a process");
        }
        let write = |name: &str, text: String| {
            fs::write(dir.join(name), text).expect("write into a process")
        };
        let zeros = "0 ".repeat(30);
        write(
            "stat",
            format!(
                "{pid} ({command}) S 1 {pid} {pid} 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 {zeros}\n"
            ),
        );
        write(
            "status",
            format!(
                "Name:\t{command}\nPid:\t{pid}\nUid:\t0\t0\t0\t0\nNSpid:\t{pid}\nThreads:\t1\n"
            ),
        );
        write("comm", format!("{command}\n"));
        write("cmdline", format!("{command}\0"));
        write("cgroup", "0::/\n".to_owned());
        self
    }

    /// Adds a descriptor: where its link leads, and its open flags as fdinfo has them, in octal.
    pub(crate) fn fd(&self, pid: u32, fd: u32, target: impl AsRef<Path>, flags: &str) -> &Self {
        let dir = self.root.join(pid.to_string());
        symlink(&target, dir.join("fd").join(fd.to_string())).expect("link a descriptor");
        // Pipes are on a mount of their own.
        let mount = if target.as_ref().to_string_lossy().starts_with("pipe:[") {
            15
        } else {
            25
        };
        let info = format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t{mount}\n");
        fs::write(dir.join("fdinfo").join(fd.to_string()), info).expect("write fdinfo");
        self
    }
}
