//! A scene of real programs in a PID namespace of its own, in which lspipe sees nothing else.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::need::program;
use crate::support::run::{Output, lspipe, public_dir};
use crate::support::user::User;

/// How long a scene may take until all of its parts have started: some are compiled first.
const START: Duration = Duration::from_secs(240);

pub(super) struct Stage {
    /// unshare(1), whose child is PID 1 of the namespace.
    unshare: Child,
    init: u32,
    roles: BTreeMap<String, u32>,
    dir: TempDir,
}

impl Stage {
    /// Starts `tests/programs/SCRIPT`, and returns once it says that it is ready.
    #[track_caller]
    pub(super) fn start(script: &str) -> Self {
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
        let dir = public_dir(User::Me);
        let work = dir.path().join("work");
        fs::create_dir(&work).expect("create the working directory");
        let file = |name: &str| File::create(dir.path().join(name)).expect("create a file for output");
        let tool = |name: &str| program(name).expect("checked by need");
        // It must end with the test, also if that is killed. Mounts are followed, or a file system that another test unmounts would stay.
        let path = env::var_os("PATH").unwrap_or_default();
        let path =
            ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from).into_iter().chain(env::split_paths(&path));
        let unshare = Command::new(tool("setpriv"))
            .args(["--pdeathsig", "KILL", "--"])
            .arg(tool("unshare"))
            .args(["--pid", "--fork", "--mount-proc", "--propagation=slave", "--kill-child", "--"])
            .args([tool("python3"), "-B".into(), programs.join("init.py"), programs.join(script)])
            .current_dir(&work)
            // The programs of the system come first: a wrapper in another folder would be one process more.
            .env("PATH", env::join_paths(path).expect("paths"))
            // Names made of a PID, which is small here, would be taken by what another scene left.
            .env("TMPDIR", &work)
            .stdin(Stdio::null())
            .stdout(file("said"))
            .stderr(file("errors"))
            .spawn()
            .expect("start unshare");
        let mut stage = Self { unshare, init: 0, roles: BTreeMap::new(), dir };
        let end = Instant::now() + START;
        while !stage.is_ready() {
            let has_ended = stage.unshare.try_wait().expect("wait for unshare").is_some();
            assert!(!has_ended && Instant::now() < end, "{script} does not start: {}", stage.log());
            thread::sleep(Duration::from_millis(50));
        }
        let pid = stage.unshare.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it runs");
        stage.init = children.trim().parse().expect("one child");
        stage
    }

    /// Reads the roles once the scene has printed them.
    fn is_ready(&mut self) -> bool {
        let said = self.read("said");
        let Some(roles) = said.strip_suffix('\n').and_then(|said| said.strip_prefix("ready")) else { return false };
        let role = |word: &str| word.split_once('=').map(|(name, pid)| (name.to_owned(), pid.parse().expect("a PID")));
        self.roles = roles.split_whitespace().filter_map(role).collect();
        true
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.dir.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The PID of a role, as in the namespace.
    #[track_caller]
    pub(super) fn pid(&self, role: &str) -> u32 {
        *self.roles.get(role).unwrap_or_else(|| panic!("no role {role} in {:?}", self.roles))
    }

    pub(super) fn is_role(&self, name: &str) -> bool {
        self.roles.contains_key(name)
    }

    /// A path for a file of the test.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs lspipe in the namespace.
    #[track_caller]
    pub(super) fn lspipe(&self, args: &[&str]) -> Output {
        lspipe(args).inside(self.init).run()
    }

    /// What the scene and its parts printed, for a test that fails.
    pub(super) fn log(&self) -> String {
        let tail =
            |text: String| text.chars().rev().take(2000).collect::<Vec<_>>().into_iter().rev().collect::<String>();
        format!("{:?}\n{}\n{}", self.roles, tail(self.read("errors")), tail(self.read("work/log")))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The end of PID 1 is the end of its namespace. It must not panic: it is part of a drop.
        match i32::try_from(self.init).ok().and_then(Pid::from_raw) {
            Some(init) => drop(kill_process(init, Signal::KILL)),
            None => drop(self.unshare.kill()),
        }
        let _ = self.unshare.wait();
    }
}
