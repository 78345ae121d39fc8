//! Scenes: programs of `tests/scenes` that build real processes with real pipes, print the truth about them, and hold still.
//!
//! A scene talks over a socket, so that the test adds no pipe to it, and ends itself with all its descendants when that
//! socket is closed: also when the test panics, and when the test program is killed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use super::need::program;
use super::run::public_dir;
use super::truth::Truth;
use super::turn::{self, Turn};
use super::user::User;

/// How long a scene may take to build what it shows, and again to tear it down.
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) struct Scene {
    pub(crate) truth: Truth,
    child: Child,
    control: UnixStream,
    dir: TempDir,
    _turn: Turn,
}

impl Scene {
    /// Starts `tests/scenes/NAME.py` as this user, and returns once it holds everything.
    #[track_caller]
    pub(crate) fn start(name: &str, user: User) -> Self {
        Self::start_with(name, user, &[])
    }

    #[track_caller]
    pub(crate) fn start_with(name: &str, user: User, args: &[&str]) -> Self {
        let turn = turn::share();
        let dir = public_dir(user);
        // Copied, since the user may not be able to read where the sources are.
        let scripts = dir.path().join("scenes");
        copy_scripts(&scripts);
        let stage = dir.path().join("stage");
        fs::create_dir(&stage).expect("create the stage");
        user.own(&stage);

        let said = dir.path().join("stderr");
        let (control, theirs) = UnixStream::pair().expect("socketpair");
        let theirs = OwnedFd::from(theirs);
        let mut command = Command::new(program("python3").expect("python3"));
        user.apply(&mut command);
        command
            .arg("-BEsS")
            .arg(scripts.join(name).with_extension("py"))
            .args(args)
            .current_dir(&stage)
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C.UTF-8")
            .process_group(0)
            .stdin(Stdio::from(theirs.try_clone().expect("dup")))
            .stdout(Stdio::from(theirs))
            .stderr(File::create(&said).expect("create the scene's stderr"));
        let mut child = command.spawn().expect("start python3");
        // The command holds the other side of the socket, whose closing is how the scene's failure would be known.
        drop(command);

        control.set_read_timeout(Some(LIMIT)).expect("set a timeout");
        let mut line = String::new();
        let read = BufReader::new(&control).read_line(&mut line);
        if read.is_err() || line.is_empty() {
            end(&mut child, &control);
            panic!("scene {name} failed: {read:?}\n{}", fs::read_to_string(&said).unwrap_or_default());
        }
        let truth = serde_json::from_str(&line).unwrap_or_else(|error| panic!("scene {name} said {line}: {error}"));
        Self { truth, child, control, dir, _turn: turn }
    }

    /// Lets the scene do its next step, and returns what it printed once that was done.
    #[track_caller]
    pub(crate) fn go_on(&self) -> Value {
        (&self.control).write_all(b"\n").expect("tell the scene to go on");
        let mut line = String::new();
        BufReader::new(&self.control).read_line(&mut line).expect("hear from the scene");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the scene said {line:?}: {error}"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A folder for the test's own files, open to the scene's user and gone with the scene.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        end(&mut self.child, &self.control);
    }
}

/// Lets the scene tear itself down, and kills what is left of it if it does not. It must not panic: it is part of a drop.
fn end(child: &mut Child, control: &UnixStream) {
    let _ = control.shutdown(std::net::Shutdown::Both);
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

fn copy_scripts(to: &Path) {
    fs::create_dir(to).expect("create the scripts' folder");
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenes");
    for script in fs::read_dir(from).expect("list tests/scenes") {
        let script = script.expect("list tests/scenes");
        if script.path().extension().is_some_and(|extension| extension == "py") {
            fs::copy(script.path(), to.join(script.file_name())).expect("copy a script");
        }
    }
}
