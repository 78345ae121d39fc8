//! `fds`: what a descriptor without a path is, and whether the process waits for it, against what the process made.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::need::{Need, need};
use crate::support::report::{Descriptor, Report};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::table::Table;
use crate::support::user::User;

fn descriptors(pid: u32, user: User) -> BTreeMap<u32, Descriptor> {
    let output = lspipe(["fds", "--json", &pid.to_string()]).user(user).run().expect(0);
    let report = Report::parse(&output.stdout);
    report.descriptors.into_iter().map(|descriptor| (descriptor.fd, descriptor)).collect()
}

/// What the scene made at each descriptor.
fn files(scene: &Scene) -> BTreeMap<u32, Value> {
    let files: Vec<(u32, Value)> = serde_json::from_value(scene.truth.more["files"].clone()).expect("files");
    files.into_iter().collect()
}

#[test]
fn what_each_descriptor_is() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("fds_files", user);
        let made = files(&scene);
        let found = descriptors(scene.pid(), user);
        for (fd, details) in &made {
            assert_eq!(&found[fd].details.clone().unwrap_or_default(), details, "descriptor {fd}");
        }
        assert!(made.values().filter(|details| !details.is_null()).count() > 30);
        // What has a path, or is a pipe, has no more to say.
        let other = |descriptor: &&Descriptor| !made.contains_key(&descriptor.fd) && descriptor.fd > 2;
        assert!(found.values().filter(other).all(|it| it.details.is_none() || it.file_type.as_deref() == Some("SOCK")));
        // An epoll's flags are read with what it watches.
        assert!(found.values().all(|descriptor| descriptor.flags.is_some()));
    }
}

#[test]
fn what_a_process_waits_for() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("fds_files", user);
        let cases = scene.truth.more["cases"].as_array().expect("cases").clone();
        assert_eq!(cases.len(), 9);
        for case in &cases {
            let pid = u32::try_from(case["pid"].as_u64().expect("a PID")).expect("a PID");
            let found = descriptors(pid, user);
            let polled = |of: &str| -> Vec<Option<bool>> {
                let fds = case[of].as_array().expect("descriptors");
                fds.iter().map(|fd| found[&u32::try_from(fd.as_u64().unwrap()).unwrap()].polled).collect()
            };
            assert!(polled("waited").iter().all(|it| *it == Some(true)), "{case}: {:?}", polled("waited"));
            assert!(polled("others").iter().all(|it| *it == Some(false)), "{case}: {:?}", polled("others"));
            // A file that was watched by another number, or that a call on it may wait for.
            assert!(polled("perhaps").iter().all(Option::is_none), "{case}: {:?}", polled("perhaps"));
            let epolls: Vec<(u32, Value)> = serde_json::from_value(case["epolls"].clone()).expect("epolls");
            for (fd, details) in epolls {
                assert_eq!(found[&fd].details, Some(details), "{case}");
            }
            // The same in the rows of a report, where it is asked for.
            let output = lspipe(["-p", &pid.to_string(), "-o", "PID,FD,POLLED"]).user(user).run().expect(0);
            let table = Table::parse(output.text());
            let own: BTreeMap<u32, String> = table
                .rows()
                .iter()
                .filter_map(|row| {
                    let cells: Vec<&str> = row.split_whitespace().collect();
                    (cells[0] == pid.to_string()).then(|| (cells[1].parse().unwrap(), cells[2].to_owned()))
                })
                .collect();
            for (fd, polled) in &own {
                let expected = if found[fd].polled == Some(true) { "yes" } else { "-" };
                assert_eq!(polled, expected, "{case}: {fd}");
            }
            assert!(!own.is_empty());
        }
        // An epoll watches these, and a thread reads the terminal.
        let found = descriptors(scene.pid(), user);
        let slave = scene.truth.number("/slave");
        for fd in scene.truth.numbers("watched").into_iter().chain([slave]) {
            assert_eq!(found[&fd].polled, Some(true), "{fd}");
        }
        assert_eq!(found[&scene.truth.number("/master")].polled, Some(false));
    }
}

/// The columns: by default, by name, all of them, and as comma-separated values with the same facts.
#[test]
fn columns_of_the_list() {
    need!(Need::PYTHON);
    let scene = Scene::start("fds_files", User::Me);
    let pid = scene.pid().to_string();
    let run = |args: &[&str]| lspipe([&["fds", &pid], args].concat()).run().expect(0);
    let table = Table::parse(run(&[]).text());
    assert_eq!(table.header().join(" "), "FD MODE TYPE FLAGS POLLED PEERS SHARED DETAILS TARGET");
    let master = scene.truth.number("/master").to_string();
    let name = scene.truth.more["name"].as_str().expect("a name");
    assert_eq!(table.cell(&master, "DETAILS"), format!("master,{name}"));
    let of_pidfd = files(&scene).into_iter().find(|(_, details)| details["command"] == "fds target").expect("a pidfd");
    let cell = format!("pid={},fds\\x20target", of_pidfd.1["pid"]);
    assert_eq!(table.cell(&of_pidfd.0.to_string(), "DETAILS"), cell);
    for (fd, details) in files(&scene) {
        let shown = table.cell(&fd.to_string(), "DETAILS").to_owned();
        let facts = ["local", "peer", "path"].map(|fact| details[fact].as_str().map(str::to_owned));
        let missing: Vec<&String> = facts.iter().flatten().filter(|fact| !shown.contains(fact.as_str())).collect();
        assert!(missing.is_empty(), "{fd}: {shown} lacks {missing:?}");
        assert_eq!(shown == "-", details.is_null() && fd.to_string() != master, "{fd}: {shown}");
    }

    let table = Table::parse(run(&["-o", "fd,details"]).text());
    assert_eq!(table.header(), ["FD", "DETAILS"]);
    assert_eq!(table.rows().len(), descriptors(scene.pid(), User::Me).len());
    let table = Table::parse(run(&["-o", "+PID,USER"]).text());
    assert_eq!(table.header().join(" "), "FD MODE TYPE FLAGS POLLED PEERS SHARED DETAILS TARGET PID USER");
    assert_eq!(table.cell(&master, "PID"), pid);

    let listed = lspipe(["fds", "-H"]).run().expect(0);
    let columns: Vec<&str> = listed.text().lines().filter_map(|line| line.split_whitespace().next()).collect();
    for column in ["FD", "DETAILS", "TARGET", "TYPE", "POLLED", "PIPE"] {
        assert!(columns.contains(&column), "{columns:?}");
    }
    // The list of the report is that of the columns that it accepts.
    assert!(!lspipe(["-H"]).run().expect(0).text().contains("DETAILS"));

    let csv = run(&["--csv"]);
    let lines: Vec<&str> = csv.text().split("\r\n").collect();
    assert_eq!(lines[0], "PID,TID,FD,MODE,TYPE,FLAGS,POLLED,PEERS,SHARED,DETAILS,TARGET");
    let row = lines.iter().find(|line| line.starts_with(&format!("{pid},,{master},"))).expect("a record");
    assert!(row.contains(&format!(",master {name},")), "{row}");
    let csv = run(&["--csv", "-n", "-o", "FD,DETAILS"]);
    assert!(csv.text().contains(&format!("{},pid={} fds target\r\n", of_pidfd.0, of_pidfd.1["pid"])), "{}", csv.text());
}
