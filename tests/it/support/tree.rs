//! Proc trees made of plain files and links: the seam through which lspipe reads what no live process would show.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The mount that everything but anonymous pipes is on.
const FILES: u32 = 25;

/// A proc tree under construction.
pub(crate) struct ProcTree {
    root: PathBuf,
}

impl ProcTree {
    /// An empty tree there, with what every /proc has.
    pub(crate) fn new(root: &Path) -> Self {
        fs::create_dir_all(root.join("sys/kernel/random")).expect("create the tree");
        let write = |name: &str, text: &str| fs::write(root.join(name), text).expect("write into the tree");
        write("stat", "cpu  0 0 0 0 0 0 0 0 0 0\nbtime 1700000000\n");
        write("sys/kernel/hostname", "fixture\n");
        write("sys/kernel/osrelease", "6.1.0\n");
        write("sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n");
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Adds a process without descriptors, a child of process 1 that belongs to root.
    pub(crate) fn process(&self, pid: u32, command: &str) -> &Self {
        self.child(pid, 1, 0, command)
    }

    /// The same with its parent and its user.
    pub(crate) fn child(&self, pid: u32, parent: u32, uid: u32, command: &str) -> &Self {
        let dir = self.root.join(pid.to_string());
        for folder in ["fd", "fdinfo", &format!("task/{pid}")] {
            fs::create_dir_all(dir.join(folder)).expect("create a process");
        }
        let write = |name: &str, text: String| {
            fs::write(dir.join(name), text).expect("write into a process");
        };
        let zeros = "0 ".repeat(30);
        write(
            "stat",
            format!("{pid} ({command}) S {parent} {pid} {pid} 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 {zeros}\n"),
        );
        write(
            "status",
            format!(
                "Name:\t{command}\nPid:\t{pid}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nNSpid:\t{pid}\nThreads:\t1\nSigCgt:\t0000000000000000\n"
            ),
        );
        write("comm", format!("{command}\n"));
        write("cmdline", format!("{command}\0"));
        write("cgroup", "0::/\n".to_owned());
        self
    }

    /// Says where the process has the file system mounted that its files are on.
    pub(crate) fn mount(&self, pid: u32, point: &str) -> &Self {
        let info = format!("{FILES} 1 0:99 / {point} rw - fuse fuse rw\n");
        fs::write(self.root.join(pid.to_string()).join("mountinfo"), info).expect("write mountinfo");
        self
    }

    /// Adds a descriptor: where its link leads, and its open flags as fdinfo has them, in octal.
    pub(crate) fn fd(&self, pid: u32, fd: u32, target: impl AsRef<Path>, flags: &str) -> &Self {
        self.descriptor(&pid.to_string(), fd, target.as_ref(), flags)
    }

    /// Says what the only thread of a process does: its state letter, its system call, and where in the kernel it sleeps.
    pub(crate) fn blocked(&self, pid: u32, state: char, syscall: &str, wchan: &str) -> &Self {
        let dir = self.root.join(pid.to_string());
        let stat = fs::read_to_string(dir.join("stat")).expect("a process");
        fs::write(dir.join("stat"), stat.replacen(") S ", &format!(") {state} "), 1)).expect("write stat");
        fs::write(dir.join("syscall"), format!("{syscall} 0x0 0x0 0x7ffc0000 0x7f000000\n")).expect("write syscall");
        fs::write(dir.join("wchan"), wchan).expect("write wchan");
        self
    }

    /// Adds threads to a process, each of which does what its first thread does.
    pub(crate) fn threads(&self, pid: u32, tids: impl IntoIterator<Item = u32>) -> &Self {
        let dir = self.root.join(pid.to_string());
        let first = dir.join(format!("task/{pid}"));
        for tid in std::iter::once(pid).chain(tids) {
            let task = dir.join(format!("task/{tid}"));
            fs::create_dir_all(&task).expect("create a thread");
            for file in ["stat", "status", "comm", "syscall", "wchan"] {
                if !first.join(file).exists() {
                    fs::copy(dir.join(file), first.join(file)).expect("copy of a process");
                }
                if tid != pid {
                    fs::hard_link(first.join(file), task.join(file)).expect("copy to a thread");
                }
            }
        }
        self
    }

    /// Puts a process into a process group and a session.
    pub(crate) fn session(&self, pid: u32, pgid: u32, sid: u32) -> &Self {
        let path = self.root.join(pid.to_string()).join("stat");
        let stat = fs::read_to_string(&path).expect("a process");
        let (head, rest) = stat.split_once(") ").expect("a stat line");
        let mut fields: Vec<String> = rest.split(' ').map(str::to_owned).collect();
        (fields[2], fields[3]) = (pgid.to_string(), sid.to_string());
        fs::write(path, format!("{head}) {}", fields.join(" "))).expect("write stat");
        self
    }

    /// Says how a process is called in its PID namespace and in those between, the innermost last.
    pub(crate) fn numbers(&self, pid: u32, inner: &str) -> &Self {
        let path = self.root.join(pid.to_string()).join("status");
        let status = fs::read_to_string(&path).expect("a process");
        fs::write(path, status.replace(&format!("NSpid:\t{pid}\n"), &format!("NSpid:\t{pid}\t{inner}\n")))
            .expect("write status");
        self
    }

    /// Lists the children of the only thread of a process, as kernels do that have such a list.
    pub(crate) fn children(&self, pid: u32, children: &str) -> &Self {
        fs::write(self.root.join(format!("{pid}/task/{pid}/children")), children).expect("write children");
        self
    }

    /// Makes a process the first of a PID namespace, with these children, in the order in which it got them.
    pub(crate) fn init(&self, pid: u32, children: &[u32]) -> &Self {
        if pid != 1 {
            self.numbers(pid, "1");
        }
        self.children(pid, &children.iter().map(|child| format!("{child} ")).collect::<String>())
    }

    /// Adds a descriptor to the table of a thread.
    pub(crate) fn thread_fd(&self, pid: u32, tid: u32, fd: u32, target: impl AsRef<Path>, flags: &str) -> &Self {
        self.descriptor(&format!("{pid}/task/{tid}"), fd, target.as_ref(), flags)
    }

    fn descriptor(&self, owner: &str, fd: u32, target: &Path, flags: &str) -> &Self {
        let (links, infos) = (self.root.join(owner).join("fd"), self.root.join(owner).join("fdinfo"));
        for folder in [&links, &infos] {
            fs::create_dir_all(folder).expect("create an fd table");
        }
        symlink(target, links.join(fd.to_string())).expect("link a descriptor");
        // Pipes are on a mount of their own.
        let mount = if target.to_string_lossy().starts_with("pipe:[") { 15 } else { FILES };
        let info = format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t{mount}\n");
        fs::write(infos.join(fd.to_string()), info).expect("write fdinfo");
        self
    }
}
