//! Every form in which a pipe can be named on the command line.

use std::fs;
use std::os::unix::fs::symlink;

use super::ids;
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

struct Named<'a> {
    scene: &'a Scene,
    user: User,
}

impl Named<'_> {
    #[track_caller]
    fn assert_names(&self, args: &[&str], names: &[&str]) {
        let report = lspipe(args).user(self.user).report();
        let expected = names.iter().map(|name| self.scene.truth.id(name)).collect();
        assert_eq!(ids(&report), expected, "{args:?}");
        for name in names {
            self.scene.truth.assert_pipe(name, &report);
        }
    }
}

#[test]
fn every_form() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("choice", user);
        let truth = &scene.truth;
        let named = Named { scene: &scene, user };
        let id = |name| truth.id(name);
        named.assert_names(&[&id("ab")], &["ab"]);
        named.assert_names(&[&id("fifo")], &["fifo"]);
        named.assert_names(&[&id("ab"), &id("fifo"), &id("lone")], &["ab", "fifo", "lone"]);
        // A bare inode number may belong to a FIFO of any file system, too.
        let report = lspipe([truth.inode("bc").to_string()]).user(user).report();
        truth.assert_pipe("bc", &report);
        assert!(report.pipes.iter().all(|pipe| pipe.inode == truth.inode("bc")));
        // By any of its names, though it was opened by one: a hard link, a symbolic link, a detour.
        let (fifo, link) = (truth.text("/fifo"), truth.text("/link"));
        let symbolic = scene.dir().join("symbolic");
        symlink(fifo, &symbolic).expect("symlink");
        let symbolic = symbolic.to_str().expect("UTF-8");
        let detour = fifo.replace("/stage/", "/stage/../stage/./");
        for path in [fifo, link, symbolic, &detour] {
            named.assert_names(&[path], &["fifo"]);
        }
        for name in ["ab", "bc", "lone", "deaf", "fifo"] {
            let (pid, _, fd, _) = truth.ends_of(name)[0];
            named.assert_names(&[&format!("/proc/{pid}/fd/{fd}")], &[name]);
        }
        // With a selection: both must hold.
        let alpha = truth.number("/pids/alpha").to_string();
        named.assert_names(&["-p", &alpha, &id("ab"), &id("bc")], &["ab"]);
    }
}

#[test]
fn what_is_no_pipe() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("choice", user);
        let plain = scene.dir().join("plain");
        fs::write(&plain, "").expect("write");
        let plain = plain.to_str().expect("UTF-8");
        let missing = format!("{plain}-missing");
        for (arg, said) in [
            (plain, plain),
            (&missing, &missing),
            ("/", "/"),
            ("pipe:[x]", "pipe:[x]"),
            ("", ""),
            ("fifo:[1:2]", "fifo:[1:2]"),
        ] {
            let output = lspipe([arg]).user(user).run().expect(2);
            assert!(output.stdout.is_empty(), "{arg}");
            assert!(output.stderr.starts_with("lspipe: ") && output.stderr.contains(said), "{arg}: {}", output.stderr);
        }
        // Right in form, but no process has it.
        let output = lspipe(["pipe:[4294967295]", "--json"]).user(user).run().expect(1);
        assert!(Report::parse(&output.stdout).pipes.is_empty());
        assert!(output.stderr.contains("pipe:[4294967295]"), "{}", output.stderr);
    }
}

#[test]
fn a_pid_in_the_place_of_a_pipe_gets_a_hint() {
    need!(Need::PYTHON);
    let scene = Scene::start("choice", User::Me);
    let pid = scene.truth.number("/pids/alpha");
    let report = lspipe(super::PLAIN).report();
    if report.pipes.iter().any(|pipe| pipe.inode == u64::from(pid)) {
        // A pipe happens to have this number: then it is that pipe that is meant.
        return;
    }
    let output = lspipe([pid.to_string()]).run().expect(1);
    assert!(output.stderr.contains(&format!("-p {pid}")), "{}", output.stderr);
}
