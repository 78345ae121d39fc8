//! Running lspipe: as this user or that, in a mount namespace or here, and never for longer than a limit.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::need::program;
use super::report::Report;
use super::user::{User, is_public};

/// Long enough for a very busy machine, where a run may get a thirtieth of a processor; a report that takes longer hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) pid: u32,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Output {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("output is UTF-8")
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Asserts that the run ended with this status, and shows all of it if not.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            Some(code),
            "stdout: {}\nstderr: {}",
            String::from_utf8_lossy(&self.stdout),
            self.stderr
        );
        self
    }
}

/// A run of lspipe to be.
#[must_use]
pub(crate) struct Lspipe {
    args: Vec<OsString>,
    user: User,
    nsenter: Vec<String>,
    setpriv: Vec<&'static str>,
    prlimit: Option<String>,
    without: Option<i64>,
    program: Option<PathBuf>,
    shell: bool,
    env: (&'static str, String),
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
}

/// `lspipe` with these arguments.
pub(crate) fn lspipe<I: IntoIterator<Item: AsRef<OsStr>>>(args: I) -> Lspipe {
    let args = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    Lspipe {
        args,
        user: User::Me,
        nsenter: Vec::new(),
        setpriv: Vec::new(),
        prlimit: None,
        without: None,
        program: None,
        shell: false,
        // Whatever the rights of the tests: what the kernel's own list changes, tests/it/backends.rs says.
        env: ("LSPIPE_BACKEND", "proc".to_owned()),
        stdin: None,
        stdout: None,
    }
}

impl Lspipe {
    pub(crate) fn user(mut self, user: User) -> Self {
        self.user = user;
        self
    }

    /// Runs it in the mount namespace of that process.
    pub(crate) fn mounts_of(mut self, pid: u32) -> Self {
        self.nsenter = vec!["--mount".to_owned(), format!("--target={pid}")];
        self
    }

    /// Runs it in the PID namespace of that process, and in its mount namespace, which has a /proc of that.
    pub(crate) fn inside(mut self, pid: u32) -> Self {
        self = self.mounts_of(pid);
        self.nsenter.push("--pid".to_owned());
        self
    }

    /// Runs it as setpriv(1) with these options makes it, which needs root.
    pub(crate) fn setpriv(mut self, options: &[&'static str]) -> Self {
        self.setpriv = options.to_vec();
        self
    }

    /// Runs it under this limit, an option of prlimit(1).
    pub(crate) fn prlimit(mut self, option: String) -> Self {
        self.prlimit = Some(option);
        self
    }

    /// Runs it where the system call of this number does not work.
    pub(crate) fn without(mut self, call: i64) -> Self {
        self.without = Some(call);
        self
    }

    /// Runs this copy.
    pub(crate) fn program(mut self, copy: &Path) -> Self {
        self.program = Some(copy.to_owned());
        self
    }

    /// Has a shell start it. A user who was root when the program was started keeps the capabilities of root up to then, and would be
    /// asked for no more.
    pub(crate) fn through_shell(mut self) -> Self {
        self.shell = true;
        self
    }

    /// Sets a variable of its environment, instead of the one that makes it walk /proc.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env = (name, value.to_owned());
        self
    }

    /// Gives it this as its standard input, which is empty otherwise.
    pub(crate) fn stdin(mut self, stdin: Stdio) -> Self {
        self.stdin = Some(stdin);
        self
    }

    /// Sends its output there instead of into [`Output::stdout`].
    pub(crate) fn stdout(mut self, stdout: Stdio) -> Self {
        self.stdout = Some(stdout);
        self
    }

    /// Runs it to its end, which must come within the limit.
    #[track_caller]
    pub(crate) fn run(self) -> Output {
        let started = Instant::now();
        let mut running = self.spawn();
        let stdout = running.child.stdout.take().map(collect);
        let stderr = running.child.stderr.take().map(collect).expect("stderr is captured");
        let status = running.wait(LIMIT);
        let took = started.elapsed();
        let stdout = stdout.map(|thread| thread.join().expect("read stdout")).unwrap_or_default();
        let stderr = String::from_utf8(stderr.join().expect("read stderr")).expect("stderr is UTF-8");
        assert!(!stderr.contains("panicked"), "lspipe panicked: {stderr}");
        Output { pid: running.child.id(), status, stdout, stderr, took }
    }

    /// Starts it and leaves it running.
    pub(crate) fn spawn(mut self) -> Running {
        let user = if self.setpriv.is_empty() { self.user } else { User::Nobody };
        let (binary, _home) = match self.program.take() {
            Some(copy) => (copy, None),
            None => binary_for(user),
        };
        let tool = |name: &str| program(name).expect("checked by need").into_os_string();
        let mut words: Vec<OsString> = Vec::new();
        if !self.nsenter.is_empty() {
            words.push(tool("nsenter"));
            words.extend(self.nsenter.iter().map(OsString::from));
        }
        if let Some(option) = &self.prlimit {
            words.extend([tool("prlimit"), option.into()]);
        }
        if !self.setpriv.is_empty() {
            words.push(tool("setpriv"));
            words.extend(self.setpriv.iter().map(OsString::from));
        }
        if let Some(call) = self.without {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenes/refuse.py");
            words.extend([tool("python3"), "-BE".into(), script.into(), call.to_string().into()]);
        }
        if self.shell {
            words.extend([tool("sh"), "-c".into(), "\"$0\" \"$@\"".into()]);
        }
        words.push(binary.into_os_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        self.user.apply(&mut command);
        let stdin = self.stdin.take().unwrap_or_else(Stdio::null);
        let stdout = self.stdout.take().unwrap_or_else(Stdio::piped);
        command
            .args(&self.args)
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env(self.env.0, &self.env.1)
            .current_dir("/")
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped());
        Running { child: command.spawn().expect("start lspipe"), _home }
    }

    /// `--json` added: the report, after checking that it keeps every promise that holds for any report.
    #[track_caller]
    pub(crate) fn report(mut self) -> Report {
        self.args.push("--json".into());
        Report::parse(&self.run().expect(0).stdout)
    }
}

/// Runs what must not wait for anything, and asserts that it takes not much longer than is usual. A machine may be busy for a while, and
/// what waits does so each time: the best of a few runs counts.
#[track_caller]
pub(crate) fn prompt(usual: Duration, run: impl Fn() -> Output) -> Output {
    let limit = usual * 3 + Duration::from_secs(5);
    let mut best = run();
    for _ in 0..9 {
        if best.took < limit {
            break;
        }
        best = run();
    }
    assert!(best.took < limit, "took {:?}, and {usual:?} before", best.took);
    best
}

/// A run that has not ended. It is killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    _home: Option<TempDir>,
}

impl Running {
    #[track_caller]
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait for lspipe") {
                return status;
            }
            assert!(Instant::now() < end, "lspipe did not end within {limit:?}: {}", self.threads());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Its lines while it runs; waiting for one too long is a failure. The pipe is closed after the iterator is dropped, once
    /// there is one more line.
    pub(crate) fn lines(&mut self) -> impl Iterator<Item = String> {
        let stdout = BufReader::new(self.child.stdout.take().expect("captured"));
        let (send, receive) = mpsc::channel();
        thread::spawn(move || stdout.lines().try_for_each(|line| send.send(line.expect("UTF-8"))));
        std::iter::from_fn(move || match receive.recv_timeout(LIMIT) {
            Ok(line) => Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("no line from lspipe within {LIMIT:?}"),
        })
    }

    /// Its child, which does the looking.
    #[track_caller]
    pub(crate) fn looker(&self) -> u32 {
        let pid = self.child.id();
        let end = Instant::now() + LIMIT;
        loop {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it runs");
            if let Some(child) = children.split_whitespace().next() {
                return child.parse().expect("a PID");
            }
            assert!(Instant::now() < end, "it has no child");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What each of its threads is doing, to find out why it hangs.
    fn threads(&self) -> String {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let told = tasks.map(|task| {
            let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let status = read("status");
            let state = status.lines().find(|line| line.starts_with("State:")).unwrap_or_default();
            format!("\n{state}, {}, {}", read("wchan"), read("syscall").trim())
        });
        told.collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("read output");
        bytes
    })
}

/// The binary where this user may run it: a copy, where the build folder is not open to all.
fn binary_for(user: User) -> (PathBuf, Option<TempDir>) {
    let built = Path::new(env!("CARGO_BIN_EXE_lspipe"));
    if user == User::Me || is_public(built) {
        return (built.to_owned(), None);
    }
    let home = public_dir(user);
    let copy = home.path().join("lspipe");
    // By another process: a file open for writing here could be inherited by what another test just forks, and a program
    // that is open for writing cannot be run.
    let status = Command::new("cp").arg(built).arg(&copy).status().expect("run cp");
    assert!(status.success(), "copy lspipe");
    (copy, Some(home))
}

/// A new directory that belongs to this user and that every user may read.
pub(crate) fn public_dir(user: User) -> TempDir {
    // The folder for temporary files may be one of our own, which other users cannot enter.
    let usual = env::temp_dir();
    let parent = if is_public(&usual) { usual } else { PathBuf::from("/tmp") };
    let dir = tempfile::Builder::new().prefix("lspipe-test-").tempdir_in(parent).expect("temporary directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    user.own(dir.path());
    dir
}
