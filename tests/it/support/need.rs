//! Skipping a test that this machine cannot run: by name and aloud, and never in CI.

use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::user::is_root;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Need {
    Root,
    Program(&'static str),
    Fuse,
    /// The limits of pipe(7) as the kernel sets them at its start.
    UsualPipeLimits,
    /// The first PID namespace: in a container less is certain, since processes outside are not listed.
    FirstPidNamespace,
}

/// `PROC_PID_INIT_INO` of `include/linux/proc_ns.h` in the kernel.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

impl Need {
    /// What every scene is written in.
    pub(crate) const PYTHON: Self = Self::Program("python3");

    fn lack(self) -> Option<String> {
        match self {
            Self::Root => (!is_root()).then(|| "root".to_owned()),
            Self::Program(name) => program(name).is_none().then(|| name.to_owned()),
            Self::UsualPipeLimits => {
                let limit =
                    |name| fs::read_to_string(format!("/proc/sys/fs/pipe-user-pages-{name}")).unwrap_or_default();
                ([limit("soft"), limit("hard")] != ["16384\n", "0\n"]).then(|| "the usual limits of pipes".to_owned())
            }
            Self::FirstPidNamespace => {
                let own = fs::read_link("/proc/self/ns/pid").expect("read a link of ns");
                (own.as_os_str() != FIRST_PID_NAMESPACE).then(|| "the first PID namespace".to_owned())
            }
            Self::Fuse => (!PathBuf::from("/dev/fuse").exists()).then(|| "/dev/fuse".to_owned()),
        }
    }
}

/// Whether something needed is missing; says so, or panics under `CI=true`, where a skipped test is a broken one.
pub(crate) fn is_missing(test: &str, needs: &[Need]) -> bool {
    let Some(lack) = needs.iter().find_map(|need| need.lack()) else {
        return false;
    };
    let name = test.trim_end_matches("::{{closure}}").trim_start_matches("it::");
    let is_fault = env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!is_fault, "skipped: {name}: needs {lack}, and CI=true forbids skipping");
    // Not eprintln, which the test harness swallows.
    writeln!(std::io::stderr(), "skipped: {name}: needs {lack}").expect("stderr");
    true
}

/// Ends the test early, aloud, unless everything it needs is here: `need!(Need::Root, Need::Fuse)`.
macro_rules! need {
    ($($need:expr),+ $(,)?) => {
        if $crate::support::need::is_missing(std::any::type_name_of_val(&|| ()), &[$($need),+]) {
            return;
        }
    };
}
pub(crate) use need;

/// Where a program is. The folders of the system come first: what stands in them every user may run.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        .into_iter()
        .map(PathBuf::from)
        .chain(env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
