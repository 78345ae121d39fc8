//! `lspipe fds PID`: the whole fd table of a process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::assert_scene;
use crate::support::need::{Need, need};
use crate::support::report::{Descriptor, End};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::table::Table;
use crate::support::user::User;

/// The descriptors of a process and what they lead to, as the kernel links them.
fn links(pid: u32) -> BTreeMap<u32, String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("list fd");
    let link = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).expect("a link").into_os_string().into_string().expect("UTF-8");
        (entry.file_name().to_str().and_then(|name| name.parse().ok()).expect("a number"), target)
    };
    entries.map(|entry| link(entry.expect("an entry"))).collect()
}

#[test]
fn whole_tables() {
    need!(Need::PYTHON);
    for name in ["duplicates", "fifos", "huge", "names"] {
        assert_scene(name, |scene, _| {
            let pid = scene.pid();
            let links = links(pid);
            let report = lspipe(["fds", &pid.to_string()]).report();
            let told: BTreeMap<u32, &Descriptor> = report.descriptors.iter().map(|found| (found.fd, found)).collect();
            assert_eq!(told.keys().collect::<Vec<_>>(), links.keys().collect::<Vec<_>>());
            assert_eq!(told.len(), report.descriptors.len(), "one process, one table: {report:#?}");
            for (fd, found) in &told {
                assert_eq!((found.pid, found.tid), (pid, None));
                assert_eq!(found.target.as_ref(), Some(&links[fd]));
                // The control channel is a pair of sockets.
                let is_channel = matches!(found.file_type.as_deref(), Some("FIFO" | "SOCK"));
                assert_eq!(found.pipe.is_some(), is_channel, "{found:?}");
                // The pipe is listed with this end; an O_PATH descriptor is none, and its pipe may have no end at all.
                let pipe = found.pipe.as_ref().and_then(|id| report.pipe(id));
                let end = pipe.and_then(|pipe| pipe.ends().find(|end| (end.pid, end.fd) == (pid, *fd)));
                assert_eq!(end.is_some(), found.pipe.is_some() && found.access.is_some(), "{found:?}");
                let is_so = |end: &End| end.access == "r" && found.file_type.as_deref() == Some("SOCK");
                let is_same = |end: &End| Some(&end.access) == found.access.as_ref() || is_so(end);
                assert!(end.is_none_or(|end| is_same(end) && end.flags == found.flags));
            }
            // The control channel and the file for stderr.
            let type_of = |fd| told[&fd].file_type.as_deref();
            assert_eq!((type_of(0), type_of(1), type_of(2)), (Some("SOCK"), Some("SOCK"), Some("REG")));
            assert_eq!(told[&2].access.as_deref(), Some("w"));
            // The pipes are whole, with the ends that other processes have.
            for name in scene.truth.names() {
                if scene.truth.ends_of(name).iter().any(|end| end.0 == pid) {
                    scene.truth.assert_pipe(name, &report);
                }
            }
        });
    }
}

#[test]
fn path_only_descriptor_is_there_without_access() {
    need!(Need::PYTHON);
    let scene = Scene::start("duplicates", User::Me);
    let report = lspipe(["fds", &scene.pid().to_string()]).report();
    let fd = scene.truth.number("/path_only_fd");
    let found = report.descriptors.iter().find(|found| found.fd == fd).expect("listed");
    assert_eq!((found.access.as_deref(), found.file_type.as_deref()), (None, Some("FIFO")));
    assert!(found.flags.as_ref().is_some_and(|flags| flags.iter().any(|flag| flag == "O_PATH")), "{found:?}");
}

#[test]
fn tables_of_threads() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("threads", user);
        let pid = scene.pid();
        let report = lspipe(["fds", &pid.to_string()]).user(user).report();
        let mut by_table: BTreeMap<Option<u32>, BTreeSet<u32>> = BTreeMap::new();
        for found in &report.descriptors {
            assert!(by_table.entry(found.tid).or_default().insert(found.fd), "twice: {found:?}");
        }
        assert_eq!(by_table.len(), 3, "the process's, one thread's alone, and one of two threads: {by_table:?}");
        assert_eq!(by_table[&None], links(pid).into_keys().collect());
        for (tid, fds) in by_table.iter().filter_map(|(tid, fds)| Some((tid.as_ref()?, fds))) {
            assert_eq!(*fds, links(*tid).into_keys().collect(), "the table of thread {tid}");
        }
    }
}

#[test]
fn as_a_table() {
    need!(Need::PYTHON);
    let scene = Scene::start("duplicates", User::Me);
    let output = lspipe(["fds", &scene.pid().to_string()]).run().expect(0);
    let table = Table::parse(output.text());
    assert_eq!(table.header(), ["FD", "MODE", "TYPE", "FLAGS", "POLLED", "PEERS", "SHARED", "DETAILS", "TARGET"]);
    let links = links(scene.pid());
    assert_eq!(table.rows().len(), links.len());
    let targets: BTreeMap<u32, &str> = links.keys().map(|fd| (*fd, table.cell(&fd.to_string(), "TARGET"))).collect();
    assert_eq!(targets, links.iter().map(|(fd, target)| (*fd, target.as_str())).collect());
    // Of the pipe that it has twice over, the other ends stand beside each.
    let dup: BTreeSet<u32> = scene.truth.ends_of("dup").iter().map(|end| end.2).collect();
    for fd in &dup {
        let row = fd.to_string();
        let others = ["PEERS", "SHARED"]
            .into_iter()
            .flat_map(|column| table.cell(&row, column).split(';'))
            .filter(|end| *end != "-")
            .filter_map(|end| end.rsplit(',').next())
            .map(|end| end.trim_end_matches(['r', 'w']).parse().expect("FDmode"));
        assert_eq!(others.collect::<BTreeSet<u32>>(), dup.iter().copied().filter(|other| other != fd).collect());
    }
}

#[test]
fn of_nobody_and_of_somebody_else() {
    need!(Need::PYTHON);
    // Larger than any PID can be.
    for (pid, status) in [("4194305", 2), ("0", 2), ("-1", 2), ("no-such-name", 1)] {
        let output = lspipe(["fds", pid]).run().expect(status);
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{pid}: {output:?}");
    }
    if User::all().len() > 1 {
        let scene = Scene::start("anonymous", User::Me);
        let output = lspipe(["fds", &scene.pid().to_string()]).user(User::Nobody).run().expect(2);
        assert!(output.stderr.contains("EACCES") || output.stderr.contains("Permission"), "{}", output.stderr);
    }
}
