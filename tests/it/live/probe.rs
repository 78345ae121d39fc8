//! `--probe`: what the kernel says is what is so, and to ask for it neither hangs nor hurts anybody.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::need::{Need, need};
use crate::support::report::{Pipe, Report};
use crate::support::run::{LIMIT, lspipe, prompt};
use crate::support::scene::Scene;
use crate::support::table::Table;
use crate::support::text::{assert_facts, has_number};
use crate::support::turn;
use crate::support::user::User;

/// What a report with `--probe` says of the pipes of a scene's processes.
#[track_caller]
fn probed(scene: &Scene, user: User) -> (Report, String) {
    let pids: Vec<String> = scene.truth.pids().iter().map(u32::to_string).collect();
    let output = lspipe(["--json", "--probe", "-p", &pids.join(",")]).user(user).run().expect(0);
    (Report::parse(&output.stdout), output.stderr)
}

#[track_caller]
fn pipe<'a>(scene: &Scene, report: &'a Report, name: &str) -> &'a Pipe {
    report.pipe(&scene.truth.id(name)).expect("listed")
}

#[test]
fn bytes_room_and_missing_sides() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("queued", user);
        let (report, said) = probed(&scene, user);
        scene.truth.assert_whole(&report);
        for name in scene.truth.names() {
            let told = |fact: &str| u64::from(scene.truth.number(&format!("/{name}/{fact}")));
            let pipe = pipe(&scene, &report, name);
            let facts = (pipe.queued, pipe.capacity);
            assert_eq!(facts, (Some(told("queued")), Some(told("capacity"))), "{name}: {said}");
        }
        // Full by its bytes, by its pieces; and a pipe of one buffer that is in use.
        for (name, full) in [
            ("empty", Some(false)),
            ("partly", Some(false)),
            ("full", Some(true)),
            ("packets", Some(true)),
            ("small", Some(true)),
            ("no_reader", Some(false)),
            ("no_writer", None),
            ("fifo", Some(false)),
        ] {
            assert_eq!(pipe(&scene, &report, name).full, full, "{name}");
        }
        // A side that no process has, whatever could not be read; but of a FIFO that no writer ever opened, the kernel does not say.
        for (name, readers, writers) in [
            ("full", None, None),
            ("no_reader", Some(false), None),
            ("no_writer", None, Some(false)),
            ("fifo", None, None),
            ("waiting", None, None),
            ("left", None, Some(false)),
            ("deaf", Some(false), None),
        ] {
            let pipe = pipe(&scene, &report, name);
            assert_eq!((pipe.hidden_readers, pipe.hidden_writers), (readers, writers), "{name}");
        }
        if user == User::Nobody {
            // A small one of such a user is explained, and a user's own doing it may be.
            let of_user = said.lines().find(|line| line.contains("pipe-user-pages-soft")).expect("a note");
            assert_facts(of_user, &["1", "user 65534"]);
        }
    }
}

#[test]
fn table_has_the_kernels_word() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("queued", user);
        let pid = scene.pid().to_string();
        let output = lspipe(["-q", "--probe", "-p", &pid]).user(user).run().expect(0);
        let table = Table::parse(output.text());
        let cell = |name: &str, column: &str| table.cell(&scene.truth.id(name), column).to_owned();
        assert_eq!((cell("packets", "QUEUED"), cell("packets", "CAPACITY")), ("16".to_owned(), "65536".to_owned()));
        assert_eq!((cell("no_reader", "READERS"), cell("no_writer", "WRITERS")), ("-".to_owned(), "-".to_owned()));
        let plain = lspipe(["-q", "-p", &pid]).user(user).run().expect(0);
        let plain = Table::parse(plain.text());
        if plain.cell(&scene.truth.id("no_reader"), "READERS") == "?" {
            // Where the scan alone does not know, only probing does; and of this one even that does not.
            assert_eq!(cell("waiting", "WRITERS"), "?");
        }
        let ends =
            lspipe(["-q", "-e", "-n", "-o", "PIPE,PEERS,QUEUED", "--probe", "-p", &pid]).user(user).run().expect(0);
        let line = |name: &str, queued: &str| {
            let row = [&scene.truth.id(name), "-", queued].map(str::to_owned);
            ends.text().lines().any(|line| line.split_whitespace().eq(row.iter().map(String::as_str)))
        };
        assert!(line("no_reader", "5") && line("no_writer", "7"), "{}", ends.text());
    }
}

/// Without rights over a process nothing is known of its pipes, and that is said.
#[test]
fn who_may_not_attach_learns_nothing() {
    need!(Need::Root, Need::PYTHON, Need::Program("setpriv"));
    let _alone = turn::alone();
    const NOBODY: &[&str] = &["--reuid=65534", "--regid=65534", "--clear-groups"];
    const BOTH: &[&str] = &["--inh-caps=+sys_ptrace,+dac_read_search", "--ambient-caps=+sys_ptrace,+dac_read_search"];
    let scene = Scene::start("queued", User::Me);
    let pid = scene.pid().to_string();
    let run = |options: &[&'static str]| lspipe(["--json", "--probe", "-p", &pid]).setpriv(options).run();
    // With the two capabilities, which the helper has too, it is as root sees it.
    let report = Report::parse(&run(&[NOBODY, BOTH].concat()).expect(0).stdout);
    assert_eq!(pipe(&scene, &report, "partly").queued, Some(1000));
    assert_eq!(pipe(&scene, &report, "no_writer").hidden_writers, Some(false));
    // A pipe that root shares with `nobody`: that user sees an end of its own, and asks about that.
    let users = Scene::start("users", User::Me);
    let report = lspipe(["--probe"]).user(User::Nobody).report();
    let to_root = report.pipe(&users.truth.id("to_root")).expect("listed");
    assert_eq!((to_root.queued, to_root.hidden_readers), (Some(0), Some(true)));
    let root = users.truth.number("/root");
    let by = to_root.hidden_by.as_ref().expect("somebody");
    // Of many, some are named, and the report lists them all.
    let is_named = by.iter().any(|by| (by.how.as_str(), by.pid) == ("unreadable", Some(root)));
    let is_listed = report.unreadable.iter().any(|gap| gap.pid == root);
    assert!(is_named || (to_root.hidden_by_omitted > 0 && is_listed), "{by:?}");
}

#[test]
fn ends_that_no_table_shows() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("hidden", user);
        let (report, said) = probed(&scene, user);
        scene.truth.assert_whole(&report);

        let (receiver, fd) = (scene.truth.number("/receiver/pid"), scene.truth.number("/receiver/fd"));
        let sent = pipe(&scene, &report, "sent");
        assert_eq!((sent.hidden_readers, sent.hidden_writers), (None, Some(true)));
        let by = sent.hidden_by.as_ref().expect("somebody");
        let found = by.iter().find(|by| by.how == "scm-rights" && by.pid == Some(receiver)).expect("the receiver");
        assert_eq!((found.fd, found.command.as_deref()), (Some(fd), Some("python3")));
        let line = |name: &str| {
            let is_it = |line: &&str| line.starts_with("lspipe: ") && line.contains(&scene.truth.id(name));
            let line = said.lines().find(is_it).unwrap_or_else(|| panic!("not said of {name}: {said}"));
            assert!(line.contains("writer") && !line.contains("reader"), "{line}");
            line
        };
        // Some of the processes that may have it are named, and how many others there are.
        let facts = [receiver, fd].map(|number| has_number(line("sent"), number.into()));
        assert!(facts == [true; 2] || by.len() > 1, "{said}");

        let kept = pipe(&scene, &report, "kept");
        if scene.truth.more["ring"].is_null() {
            // The kernel has no io_uring for this user: then the end was closed.
            assert_eq!(kept.hidden_writers, Some(false));
        } else {
            assert_eq!(kept.hidden_writers, Some(true));
            let by: Vec<_> = kept.hidden_by.iter().flatten().map(|by| (by.how.as_str(), by.pid, by.fd)).collect();
            assert_eq!(by, [("io_uring", Some(scene.pid()), Some(scene.truth.number("/ring")))]);
            assert_facts(line("kept"), &[&scene.pid().to_string(), "python3"]);
        }

        let pid = scene.pid().to_string();
        let table = lspipe(["-q", "--probe", "-p", &pid]).user(user).run().expect(0);
        assert_eq!(Table::parse(table.text()).cell(&scene.truth.id("sent"), "WRITERS"), "hidden");
    }
}

/// The helpers that hold an end of that pipe.
fn helpers_on(pipe: &str) -> Vec<u32> {
    let pids = fs::read_dir("/proc")
        .expect("list /proc")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let holds = |pid: &u32| {
        let is_helper =
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"\0--probe-helper\0"));
        let fds = || fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        is_helper && fds().any(|fd| fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == pipe))
    };
    pids.filter(holds).collect()
}

/// A pipe whose lock is held by a call that never returns is not asked for more than poll(2) reports, and the others are.
#[test]
fn a_pipe_whose_lock_is_held_is_not_touched() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let usual = lspipe(["--json"]).run().took;
    let scene = Scene::start("stuck", User::Me);
    let pids: Vec<String> = scene.truth.pids().iter().map(u32::to_string).collect();
    let pids = pids.join(",");
    let output = prompt(usual, || lspipe(["--json", "--probe", "-p", &pids]).run().expect(0));
    let (report, said) = (Report::parse(&output.stdout), output.stderr);
    scene.truth.assert_whole(&report);

    let locked = pipe(&scene, &report, "locked");
    assert_eq!((locked.queued, locked.capacity), (None, None), "the scene would hang who asks");
    assert_eq!(locked.full, Some(false), "what poll says needs no lock");
    let id = scene.truth.id("locked");
    assert!(said.lines().any(|line| line.starts_with("lspipe: ") && line.contains(&id)), "{said}");
    assert!(!said.contains(&scene.truth.id("other")), "of the other there is nothing to say: {said}");
    assert_eq!(helpers_on(&id), [0; 0]);
    let other = pipe(&scene, &report, "other");
    assert_eq!((other.queued, other.capacity, other.full), (Some(3), Some(65536), Some(false)));

    // Of the third pipe the only writer is stuck in exiting.
    let lost = pipe(&scene, &report, "lost");
    assert_eq!(lost.hidden_writers, Some(true));
    let leaver = scene.truth.number("/leaver");
    let by = lost.hidden_by.as_ref().expect("somebody");
    assert!(by.iter().any(|by| (by.how.as_str(), by.pid) == ("exiting", Some(leaver))), "{by:?}");
}

/// Without the right to see that the lock is held, lspipe asks: that costs a helper, but neither the report nor the other pipes.
#[test]
fn a_pipe_that_gives_no_answer_is_left_behind() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let scene = Scene::start("stuck", User::Me);
    let pid = scene.truth.number("/bystander").to_string();
    let id = scene.truth.id("locked");
    let run = |args: &[&str]| lspipe([args, &["--probe", "-p", &pid]].concat()).user(User::Nobody);
    let output = run(&["--json"]).run().expect(0);
    let report = Report::parse(&output.stdout);
    let locked = pipe(&scene, &report, "locked");
    assert_eq!((locked.queued, locked.capacity), (None, None), "the scene does hang who asks");
    let said = &output.stderr;
    assert!(said.lines().any(|line| line.starts_with("lspipe: ") && line.contains(&id)), "{said}");
    assert_eq!(helpers_on(&id).len(), 1, "it was left behind");
    let other = pipe(&scene, &report, "other");
    assert_eq!((other.queued, other.capacity), (Some(3), Some(65536)));

    // Whoever reads the report gets to its end, also while a helper hangs: the runner reads until its end.
    let output = run(&["-q"]).run().expect(0);
    assert!(output.text().contains(&id), "{output:?}");

    // A report that is repeated does not ask again what cost it a helper.
    let before = helpers_on(&id).len();
    let mut running = run(&["-q", "-n", "-r", "0.1", &id]).spawn();
    let rows = running.lines().filter(|line| line.starts_with(&id)).take(4).count();
    assert_eq!(rows, 4);
    drop(running);
    assert_eq!(helpers_on(&id).len(), before + 1);

    // With the file system, all of them go.
    drop(scene);
    let end = Instant::now() + LIMIT;
    while !helpers_on(&id).is_empty() {
        assert!(Instant::now() < end, "helpers are left: {:?}", helpers_on(&id));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// While it looks, again and again, no reader misses a byte or waits for the end, and no writer goes on without a reader.
#[test]
fn nobody_notices() {
    let own = std::process::id().to_string();
    let mut running = lspipe(["-q", "--ndjson", "-r", "0.001", "--probe", "-p", &own]).spawn();
    let mut seen = running.lines();
    for _ in 0..60 {
        let mut writer = Command::new("sh")
            .args(["-c", "head -c 200000 /dev/zero; sleep 0.01"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run sh");
        let mut bytes = Vec::new();
        let started = Instant::now();
        writer.stdout.take().expect("captured").read_to_end(&mut bytes).expect("read");
        assert_eq!(bytes.len(), 200_000);
        assert!(started.elapsed() < LIMIT, "the end came after {:?}", started.elapsed());
        writer.wait().expect("wait");

        let mut endless = Command::new("yes").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("run yes");
        let mut some = [0; 1000];
        endless.stdout.take().expect("captured").read_exact(&mut some).expect("read");
        let end = Instant::now() + LIMIT;
        while endless.try_wait().expect("wait").is_none() {
            assert!(Instant::now() < end, "it writes although nobody reads");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(seen.any(|line| line.contains("\"capacity\":65536")), "it did look meanwhile");
}
