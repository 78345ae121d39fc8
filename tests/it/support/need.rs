//! Skipping a test that this machine cannot run: by name and aloud, and never in CI. The last line of the run says how many were skipped,
//! and why.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use super::user::is_root;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Need {
    Root,
    Program(&'static str),
    Fuse,
    /// A kernel that lists its open files, and the right to have it do so.
    Bpf,
    /// GNU make 4.4 or newer, whose jobserver is a FIFO, as `make` or as what `GNUMAKE` names.
    MakeWithFifo,
    /// systemd as PID 1. Without it a machine is a container, which is no fault: skipping is allowed in CI too.
    Systemd,
    /// The limits of pipe(7) as the kernel sets them at its start.
    UsualPipeLimits,
    /// Two CPUs on which a program may run.
    TwoCpus,
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
            Self::TwoCpus => {
                let cpus = std::thread::available_parallelism().map_or(1, usize::from);
                (cpus < 2).then(|| "two CPUs".to_owned())
            }
            Self::FirstPidNamespace => {
                let own = fs::read_link("/proc/self/ns/pid").expect("read a link of ns");
                (own.as_os_str() != FIRST_PID_NAMESPACE).then(|| "the first PID namespace".to_owned())
            }
            Self::MakeWithFifo => (!has_make_with_fifo()).then(|| "GNU make 4.4, or its path in GNUMAKE".to_owned()),
            Self::Systemd => (!PathBuf::from("/run/systemd/system").exists()).then(|| "systemd as PID 1".to_owned()),
            Self::Bpf => bpf_lack(),
            Self::Fuse => (!PathBuf::from("/dev/fuse").exists()).then(|| "/dev/fuse".to_owned()),
        }
    }
}

/// Whether something needed is missing; says so, or panics under `CI=true`, where a skipped test is a broken one.
pub(crate) fn is_missing(test: &str, needs: &[Need]) -> bool {
    let Some((need, lack)) = needs.iter().find_map(|need| Some((need, need.lack()?))) else {
        return false;
    };
    let name = test.trim_end_matches("::{{closure}}").trim_start_matches("it::");
    let is_fault = env::var_os("CI").is_some_and(|ci| ci == "true") && !matches!(need, Need::Systemd);
    assert!(!is_fault, "skipped: {name}: needs {lack}, and CI=true forbids skipping");
    // Not eprintln, which the test harness swallows.
    writeln!(std::io::stderr(), "skipped: {name}: needs {lack}").expect("stderr");
    let mut skipped = SKIPPED.lock().expect("no panic while it is held");
    skipped.entry(lack).or_default().insert(name.to_owned());
    true
}

/// The tests that were skipped, by what they lack. The first of them has the summary printed when the program ends.
static SKIPPED: LazyLock<Mutex<BTreeMap<String, BTreeSet<String>>>> = LazyLock::new(|| {
    // SAFETY: the function takes nothing, and cannot panic, since it ignores all errors.
    #[expect(unsafe_code, reason = "the harness has no hook for its end, and std none for that of a program")]
    let registered = unsafe { libc::atexit(summarize) };
    assert_eq!(registered, 0, "atexit(3)");
    Mutex::default()
});

extern "C" fn summarize() {
    let Ok(skipped) = SKIPPED.lock() else { return };
    let _ = writeln!(std::io::stderr(), "{}", summary(&skipped));
}

/// `skipped 3 tests: 2 need root, 1 needs zsh`.
fn summary(skipped: &BTreeMap<String, BTreeSet<String>>) -> String {
    let total: usize = skipped.values().map(BTreeSet::len).sum();
    let mut lacks: Vec<(usize, &String)> = skipped.iter().map(|(lack, tests)| (tests.len(), lack)).collect();
    // The most frequent one first.
    lacks.sort_by_key(|(count, _)| usize::MAX - count);
    let lacks =
        lacks.iter().map(|(count, lack)| format!("{count} {} {lack}", if *count == 1 { "needs" } else { "need" }));
    let tests = if total == 1 { "test" } else { "tests" };
    format!("skipped {total} {tests}: {}", lacks.collect::<Vec<_>>().join(", "))
}

#[test]
fn a_summary_counts_each_test_once_by_what_it_lacks() {
    let skipped = [("a shell", "one"), ("root", "two"), ("root", "three"), ("root", "two")];
    let mut by_lack = BTreeMap::<String, BTreeSet<String>>::new();
    for (lack, test) in skipped {
        by_lack.entry(lack.to_owned()).or_default().insert(test.to_owned());
    }
    assert_eq!(summary(&by_lack), "skipped 3 tests: 2 need root, 1 needs a shell");
    by_lack.remove("root");
    assert_eq!(summary(&by_lack), "skipped 1 test: 1 needs a shell");
}

/// This very program, asked by a user without rights for two tests that need root: its last line says so.
#[test]
fn the_last_line_of_a_run_says_how_many_tests_were_skipped() {
    need!(Need::Root, Need::Program("setpriv"));
    let own = env::current_exe().expect("own path");
    let home = super::run::public_dir(super::user::User::Nobody);
    let copy = home.path().join("it");
    // By another process: one that is open for writing cannot be run.
    assert!(Command::new("cp").arg(own).arg(&copy).status().expect("run cp").success());
    let output = Command::new(program("setpriv").expect("checked by need"))
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy)
        .args([
            "--exact",
            "completions::bash_completes_pids",
            "completions::zsh_completes_pids",
            "readme::the_two_commands_are_there_and_ci_runs_the_tests_by_the_same",
        ])
        .env_remove("CI")
        .output()
        .expect("run the tests");
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    assert!(stdout.contains("3 passed"), "{stdout}{stderr}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.last(), Some(&"skipped 2 tests: 2 need root"), "{stderr}");
    assert_eq!(lines.len(), 3, "{stderr}");
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

/// What is missing for a BPF iterator. That it does not load although all of this is there is a fault of lspipe.
fn bpf_lack() -> Option<String> {
    const SYS_ADMIN: u64 = 1 << 21;
    let status = fs::read_to_string("/proc/self/status").expect("read the status");
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("capabilities").trim();
    let capabilities = u64::from_str_radix(capabilities, 16).expect("a hexadecimal number");
    if capabilities & SYS_ADMIN == 0 {
        return Some("cap_sys_admin".to_owned());
    }
    let types = "/sys/kernel/btf/vmlinux";
    (!PathBuf::from(types).exists()).then(|| format!("the types of the kernel in {types}"))
}

fn has_make_with_fifo() -> bool {
    let make = env::var_os("GNUMAKE").unwrap_or_else(|| "make".into());
    let Ok(output) = Command::new(make).arg("--version").output() else { return false };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut version = text.strip_prefix("GNU Make ").unwrap_or_default().split(['.', '\n']);
    let mut number = || version.next().and_then(|word| word.parse::<u32>().ok()).unwrap_or_default();
    (number(), number()) >= (4, 4)
}

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
