//! Files are replaced in one stroke: whatever becomes of lspipe in the middle of it, there is the old file or the new one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, mkfifoat};

use super::{Machine, path};
use crate::support::need::{Need, need};
use crate::support::run::{Lspipe, lspipe, public_dir};
use crate::support::user::{NOBODY, User, is_root};

/// As many findings as make a file that is not written in an instant, of one name or the other.
fn crowd(name: &str) -> Machine {
    let machine = Machine::start(1);
    for pid in 100..400 {
        let unit = format!("/system.slice/{name}-{}.service", pid.to_string().repeat(60));
        machine.tree.child(pid, 1, 0, name).fd(pid, 1, format!("pipe:[{pid}]"), "01");
        fs::write(machine.tree.root().join(format!("{pid}/cgroup")), format!("0::{unit}\n")).expect("write cgroup");
    }
    machine
}

fn mode(file: &str) -> u32 {
    fs::metadata(file).expect("a file").permissions().mode() & 0o7777
}

/// Files that are there but for these, in a directory.
fn strangers(dir: &Path, known: &[&str]) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("list").map(|entry| entry.expect("list").file_name());
    let names = entries.map(|name| name.into_string().expect("UTF-8"));
    names.filter(|name| !known.contains(&name.as_str())).collect()
}

#[test]
fn killed_in_the_middle_it_leaves_the_old_file_or_the_new_one() {
    let dir = tempfile::TempDir::new().expect("temporary directory");
    let (baseline, metrics) = (path(&dir.path().join("known.json")), path(&dir.path().join("lspipe.prom")));
    let machines = [crowd("one"), crowd("two")];
    let audit = |machine: &Machine| -> Lspipe {
        lspipe(machine.args(&["--only=no-reader", "--write-baseline", &baseline, "--metrics-file", &metrics]))
    };
    let mut whole = Vec::new();
    let mut longest = Duration::ZERO;
    for machine in &machines {
        let started = Instant::now();
        audit(machine).run().expect(0);
        longest = longest.max(started.elapsed());
        whole.push(fs::read(&baseline).expect("the baseline"));
    }
    assert!(whole.iter().all(|bytes| bytes.len() > 50_000) && whole[0] != whole[1]);
    const STEPS: u32 = 120;
    for step in 0..STEPS {
        let mut running = audit(&machines[step as usize % 2]).stdout(std::process::Stdio::null()).spawn();
        thread::sleep(longest * step / STEPS);
        running.child.kill().expect("kill");
        running.child.wait().expect("reap");
        let found = fs::read(&baseline).expect("it is always there");
        assert!(whole.contains(&found), "{} bytes that are neither file, at step {step}", found.len());
        let found = fs::read_to_string(&metrics).expect("it is always there");
        assert!(found.starts_with("# HELP lspipe_pipes") && found.ends_with("} 1\n"), "{found}");
    }
    // What a kill left is no file that anybody would read for the other.
    let left = strangers(dir.path(), &["known.json", "lspipe.prom"]);
    let is_hidden = |name: &String| {
        (name.starts_with(".known.json.") || name.starts_with(".lspipe.prom.")) && !name.ends_with(".prom")
    };
    assert!(left.iter().all(is_hidden), "{left:?}");
    // It blocks no other process, and the next one removes it.
    audit(&machines[0]).run().expect(0);
    assert_eq!(strangers(dir.path(), &["known.json", "lspipe.prom"]), [""; 0]);
    assert_eq!(fs::read(&baseline).expect("the baseline"), whole[0]);
}

/// A process that reads all the time sees only whole files.
#[test]
fn a_reader_sees_whole_files_only() {
    let machines = [crowd("one"), crowd("two")];
    let file = machines[0].file("known.json");
    let write = |machine: &Machine| {
        machine.audit_all(&["--only=no-reader", "--write-baseline", &file]).expect(0);
        fs::read(&file).expect("the baseline")
    };
    let whole: Vec<Vec<u8>> = machines.iter().map(write).collect();
    thread::scope(|scope| {
        let writer = scope.spawn(|| (0..10).for_each(|turn| drop(write(&machines[turn % 2]))));
        while !writer.is_finished() {
            let found = fs::read(&file).expect("it is always there");
            assert!(whole.contains(&found), "{} bytes that are neither file", found.len());
        }
    });
}

#[test]
fn links_and_modes_are_kept() {
    let machine = Machine::start(1);
    let (dir, file) = (machine.dir.path(), machine.file("known.json"));
    machine.audit(&["--write-baseline", &file]).expect(0);
    let probe = machine.file("probe");
    fs::write(&probe, "").expect("write");
    assert_eq!(mode(&file), mode(&probe), "a new file has the mode that any has");
    fs::remove_file(probe).expect("remove");

    fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("chmod");
    fs::write(&file, "old").expect("write");
    fs::create_dir(dir.join("links")).expect("mkdir");
    let link = path(&dir.join("links/link.json"));
    symlink("../known.json", &link).expect("symlink");
    machine.audit(&["--write-baseline", &link]).expect(0);
    assert!(fs::symlink_metadata(&link).expect("stat").is_symlink());
    assert_eq!(mode(&file), 0o640);
    machine.audit(&["--baseline", &file]).expect(0);
    assert_eq!(strangers(dir, &["known.json", "links", "proc"]), [""; 0], "nothing is left over");
    assert_eq!(strangers(&dir.join("links"), &["link.json"]), [""; 0]);

    // It is not the program that got these rights.
    fs::set_permissions(&file, Permissions::from_mode(0o7754)).expect("chmod");
    machine.audit(&["--write-baseline", &file]).expect(0);
    assert_eq!(mode(&file), 0o754);
    fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("chmod");

    if is_root() {
        // What root replaces stays its owner's.
        chown(&file, Some(NOBODY), Some(NOBODY)).expect("chown");
        machine.audit(&["--write-baseline", &file]).expect(0);
        let now = fs::metadata(&file).expect("stat");
        assert_eq!((now.uid(), now.gid(), mode(&file)), (NOBODY, NOBODY, 0o640));
    }

    // The longest name that there can be.
    let long = machine.file(&"n".repeat(255));
    machine.audit(&["--write-baseline", &long]).expect(0);
    machine.audit(&["--baseline", &long]).expect(0);
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let machine = Machine::start(1);
    let fifo = machine.file("fifo");
    mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).expect("mkfifo");
    let _socket = std::os::unix::net::UnixListener::bind(machine.file("socket")).expect("bind");
    let dangling = machine.file("dangling");
    symlink("nowhere", &dangling).expect("symlink");
    let cases = [
        ("/dev/null".to_owned(), "device"),
        ("/dev/stdout".to_owned(), "FIFO"),
        ("/proc/self/comm".to_owned(), "no file can be created in its directory"),
        (fifo, "FIFO"),
        (machine.file("socket"), "socket"),
        (machine.file(""), "directory"),
        (machine.file("proc/.."), "directory"),
        (dangling, "symbolic link"),
        (machine.file("missing/known.json"), "directory"),
        (machine.file("proc/stat/known.json"), "Not a directory"),
    ];
    for (file, words) in cases {
        for option in ["--write-baseline", "--metrics-file"] {
            let before = fs::symlink_metadata(&file).ok().map(|found| found.file_type());
            let output = machine.audit(&[option, &file]).expect(2);
            assert_eq!(output.text(), "", "{file}");
            let line = output.stderr.strip_suffix('\n').unwrap_or_default();
            assert!(line.starts_with(&format!("lspipe: {file}: ")) && line.contains(words), "{file}: {line}");
            assert_eq!(
                fs::symlink_metadata(&file).ok().map(|found| found.file_type()),
                before,
                "{file} is what it was"
            );
        }
    }
}

/// The capabilities of the program file are for looking at processes: they open no file that its user may not open.
#[test]
fn files_are_those_of_the_user() {
    const BOTH: &[&str] = &[
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=+dac_read_search,+dac_override",
        "--ambient-caps=+dac_read_search,+dac_override",
    ];
    need!(Need::Root, Need::Program("setpriv"));
    let theirs = public_dir(User::Nobody);
    let ours = public_dir(User::Me);
    let secret = path(&ours.path().join("secret"));
    fs::write(&secret, "secret\n").expect("write");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("chmod");
    let run = |args: &[&str]| lspipe([&["audit", "-q", "--only=deadlock"], args].concat()).setpriv(BOTH).run();

    for (option, file) in [
        ("--baseline", secret.clone()),
        ("--write-baseline", secret.clone()),
        ("--write-baseline", path(&ours.path().join("new"))),
    ] {
        let output = run(&[option, &file]).expect(2);
        assert!(output.stderr.contains("Permission denied") && !output.stderr.contains("line 1"), "{}", output.stderr);
    }
    assert_eq!(fs::read_to_string(&secret).expect("read"), "secret\n");
    assert_eq!(strangers(ours.path(), &["secret"]), [""; 0]);
    let own = path(&theirs.path().join("known.json"));
    run(&["--write-baseline", &own]).expect(0);
    run(&["--baseline", &own]);
    assert!(fs::read_to_string(&own).expect("read").contains("baseline_version"));
}

/// Somebody else decides which of root's files a link leads to: none of them is touched.
#[test]
fn links_of_strangers_are_not_followed() {
    need!(Need::Root);
    let machine = Machine::start(1);
    let (theirs, ours) = (public_dir(User::Nobody), public_dir(User::Me));
    let victim = ours.path().join("victim");
    fs::write(&victim, "precious").expect("write");
    fs::set_permissions(&victim, Permissions::from_mode(0o600)).expect("chmod");
    let link = |target: &Path, name: &str, owner: u32| {
        let link = theirs.path().join(name);
        symlink(target, &link).expect("symlink");
        lchown(&link, Some(owner), Some(owner)).expect("chown");
        path(&link)
    };
    link(ours.path(), "folder", NOBODY);
    let refused = [
        link(&victim, "m.prom", NOBODY),
        link(Path::new("m.prom"), "chain", 0),
        link(&ours.path().join("new"), "dangling", NOBODY),
        path(&theirs.path().join("folder/victim")),
        path(&theirs.path().join("folder/new")),
    ];
    for file in &refused {
        for option in ["--metrics-file", "--write-baseline"] {
            let output = machine.audit(&[option, file]).expect(2);
            assert!(output.stderr.contains("is a symbolic link of user 65534"), "{file}: {}", output.stderr);
        }
    }
    assert_eq!(fs::read_to_string(&victim).expect("read"), "precious");
    assert_eq!(strangers(ours.path(), &["victim"]), [""; 0]);
    assert_eq!(strangers(theirs.path(), &["folder", "m.prom", "chain", "dangling"]), [""; 0]);

    // Its own links, and those of root, are followed; in a folder that only root may write to, all are.
    let own = path(&theirs.path().join("own"));
    fs::write(&own, "old").expect("write");
    chown(&own, Some(NOBODY), Some(NOBODY)).expect("chown");
    let by_own = link(Path::new("own"), "by-own", NOBODY);
    let args = ["audit", "-q", "--only=deadlock", "--write-baseline", &by_own];
    lspipe(args).user(User::Nobody).run().expect(0);
    assert!(fs::read_to_string(&own).expect("read").contains("baseline_version"));
    machine.audit(&["--metrics-file", &link(&victim, "by-root", 0)]).expect(1);
    assert!(fs::read_to_string(&victim).expect("read").starts_with("# HELP"));
    fs::set_permissions(ours.path(), Permissions::from_mode(0o755)).expect("chmod");
    let moved = ours.path().join("link");
    symlink("victim", &moved).expect("symlink");
    lchown(&moved, Some(NOBODY), Some(NOBODY)).expect("chown");
    machine.audit(&["--write-baseline", &path(&moved)]).expect(0);
    assert!(fs::read_to_string(&victim).expect("read").contains("baseline_version"));
}

#[test]
fn one_file_by_two_names_is_not_overwritten() {
    let machine = Machine::start(1);
    let (known, other) = (machine.file("known.json"), machine.file("other"));
    machine.audit(&["--write-baseline", &known]).expect(0);
    fs::hard_link(&known, &other).expect("link");
    let written = fs::read(&known).expect("read");
    for option in ["--baseline", "--write-baseline"] {
        let output = machine.audit(&[option, &known, "--metrics-file", &other]).expect(2);
        assert!(output.stderr.contains("would overwrite the baseline"), "{}", output.stderr);
        assert_eq!(fs::read(&known).expect("read"), written);
    }
}

/// A file that is mounted by itself, as into a container, cannot be replaced. A folder that is mounted twice is one folder.
#[test]
fn mounts_are_noticed() {
    need!(Need::Root, Need::Program("unshare"), Need::Program("mount"));
    let machine = Machine::start(1);
    let (file, mounted) = (machine.file("file"), machine.file("mounted"));
    let (folder, twin) = (machine.file("folder"), machine.file("twin"));
    for file in [&file, &mounted] {
        fs::write(file, "old").expect("write");
    }
    for folder in [&folder, &twin] {
        fs::create_dir(folder).expect("mkdir");
    }
    let script = r#"mount --bind "$1" "$2" && mount --bind "$3" "$4" && shift 4 && exec "$@""#;
    let run = |args: &[&str]| {
        let output = std::process::Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh", &file, &mounted, &folder, &twin])
            .arg(env!("CARGO_BIN_EXE_lspipe"))
            .args(machine.args(args))
            .output()
            .expect("start unshare");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let stderr = run(&["--metrics-file", &mounted]);
    assert!(stderr.contains("mount its directory instead"), "{stderr}");
    assert_eq!(fs::read_to_string(&file).expect("read"), "old");
    let [one, other] = [&folder, &twin].map(|folder| format!("{folder}/new"));
    let stderr = run(&["--write-baseline", &one, "--metrics-file", &other]);
    assert!(stderr.contains("would overwrite the baseline"), "{stderr}");
    assert_eq!(strangers(Path::new(&folder), &[]), [""; 0]);
}

/// setrlimit(2) of `RLIMIT_FSIZE`: an error like others, after which nothing is left.
#[test]
fn a_limit_of_the_size_is_an_error() {
    let machine = Machine::start(1);
    let file = machine.file("m.prom");
    fs::write(&file, "old").expect("write");
    let output = std::process::Command::new("bash")
        .args(["-c", r#"ulimit -f 1; exec "$@""#, "bash", env!("CARGO_BIN_EXE_lspipe")])
        .args(machine.args(&["--metrics-file", &file]))
        .output()
        .expect("start bash");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("File too large"), "{stderr}");
    assert_eq!(fs::read_to_string(&file).expect("read"), "old");
    assert_eq!(strangers(machine.dir.path(), &["m.prom", "proc"]), [""; 0]);
}

/// A FIFO that nobody writes to is not waited for; the pipe of a process substitution is.
#[test]
fn a_baseline_comes_through_a_pipe_and_a_fifo_is_not_waited_for() {
    let machine = Machine::start(1);
    let (known, fifo) = (machine.file("known.json"), machine.file("fifo"));
    machine.audit(&["--write-baseline", &known]).expect(0);
    mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).expect("mkfifo");
    let output = machine.audit(&["--baseline", &fifo]).expect(2);
    assert!(output.stderr.contains("no process has written to this FIFO"), "{}", output.stderr);
    let output = lspipe(["--from", &fifo]).run().expect(2);
    assert!(output.stderr.contains("no process has written to this FIFO"), "{}", output.stderr);
    let output = std::process::Command::new("bash")
        .args(["-c", r#"known=$1; shift; exec "$@" --baseline <(sleep 0.1; cat "$known")"#, "bash", &known])
        .arg(env!("CARGO_BIN_EXE_lspipe"))
        .args(machine.args(&[]))
        .output()
        .expect("start bash");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
