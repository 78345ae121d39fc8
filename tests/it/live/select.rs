//! Selection: it chooses among whole pipes, and never hides the other end of one that is shown.
//!
//! The scene: alpha → beta → gamma by two pipes, alpha → gamma by a FIFO, one pipe of gamma's without a reader and one of
//! alpha's without a writer.

use std::collections::BTreeSet;

use super::ids;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::{User, is_root};

const EVERYTHING: [&str; 5] = ["ab", "bc", "deaf", "fifo", "lone"];

struct Choice {
    scene: Scene,
    user: User,
}

impl Choice {
    fn all() -> impl Iterator<Item = Self> {
        User::all().iter().map(|&user| Self { scene: Scene::start("choice", user), user })
    }

    fn pid(&self, name: &str) -> String {
        self.scene.truth.number(&format!("/pids/{name}")).to_string()
    }

    fn command(&self, name: &str) -> &str {
        self.scene.truth.text(&format!("/names/{name}"))
    }

    /// Asserts that these options select exactly these pipes on all the machine, each with all its ends.
    #[track_caller]
    fn assert_selects(&self, args: &[&str], names: &[&str]) {
        if names.is_empty() {
            return self.assert_nothing(args);
        }
        let report = lspipe(args).user(self.user).report();
        let expected: BTreeSet<String> = names.iter().map(|name| self.scene.truth.id(name)).collect();
        assert_eq!(ids(&report), expected, "{args:?} is to select {names:?}");
        for name in names {
            self.scene.truth.assert_pipe(name, &report);
        }
    }

    /// As [`Self::assert_selects`], for options that rightly select other people's pipes, too.
    #[track_caller]
    fn assert_selects_of_scene(&self, args: &[&str], names: &[&str]) {
        let report = lspipe(args).user(self.user).report();
        let known = self.scene.truth.ids();
        let found: BTreeSet<String> = ids(&report).intersection(&known).cloned().collect();
        assert_eq!(found, names.iter().map(|name| self.scene.truth.id(name)).collect(), "{args:?}: {names:?}");
        for name in names {
            self.scene.truth.assert_pipe(name, &report);
        }
    }

    /// Asserts that nothing is selected, which is status 1, an empty report, and a word on stderr.
    #[track_caller]
    fn assert_nothing(&self, args: &[&str]) {
        let mut args = args.to_vec();
        args.push("--json");
        let output = lspipe(&args).user(self.user).run().expect(1);
        let report = crate::support::report::Report::parse(&output.stdout);
        assert!(report.pipes.is_empty() && report.processes.is_empty());
        // Beside that, it may be said that not all could be read; and that is said of a selection of much, too.
        let lines = |stderr: &str| stderr.lines().filter(|line| line.starts_with("lspipe: ")).count();
        let something = lspipe(["--json", "-p", &self.pid("alpha")]).user(self.user).run().expect(0);
        assert!(lines(&output.stderr) > lines(&something.stderr), "nothing is said: {}", output.stderr);
    }
}

#[test]
fn by_pid() {
    need!(Need::PYTHON);
    for choice in Choice::all() {
        let (alpha, beta, gamma) = (choice.pid("alpha"), choice.pid("beta"), choice.pid("gamma"));
        choice.assert_selects(&["-p", &alpha], &["ab", "deaf", "fifo"]);
        choice.assert_selects(&["--pid", &beta], &["ab", "bc"]);
        choice.assert_selects(&["-p", &beta, "-p", &gamma], &["ab", "bc", "fifo", "lone"]);
        choice.assert_selects(&["-p", &format!("{alpha},{beta},{gamma}")], &EVERYTHING);
        choice.assert_selects(&["-p", &choice.scene.pid().to_string()], &[]);
    }
}

#[test]
fn by_descent() {
    need!(Need::PYTHON);
    for choice in Choice::all() {
        let (root, beta) = (choice.scene.pid().to_string(), choice.pid("beta"));
        choice.assert_selects(&["-p", &root, "--descendants"], &EVERYTHING);
        choice.assert_selects(&["-p", &beta, "--descendants"], &["ab", "bc"]);
    }
}

#[test]
fn by_command() {
    need!(Need::PYTHON);
    for choice in Choice::all() {
        let (alpha, gamma, stem) = (choice.command("alpha"), choice.command("gamma"), choice.scene.truth.text("/stem"));
        choice.assert_selects(&["-c", alpha], &["ab", "deaf", "fifo"]);
        choice.assert_selects(&["--command", alpha, "-c", gamma], &EVERYTHING);
        choice.assert_selects(&["-c", &format!("/^{stem}(beta|gamma)$/")], &["ab", "bc", "fifo", "lone"]);
        choice.assert_selects(&["-c", &format!("/{stem}/")], &EVERYTHING);
        // A name is a whole name.
        choice.assert_selects(&["-c", stem], &[]);
    }
}

#[test]
fn by_user() {
    need!(Need::PYTHON);
    for choice in Choice::all() {
        let uid = choice.user.uid().to_string();
        choice.assert_selects_of_scene(&["-u", &uid], &EVERYTHING);
        choice.assert_selects(&["-u", "3999999998"], &[]);
    }
    if is_root() {
        let scene = Scene::start_with("choice", User::Me, &["3999999998"]);
        let choice = Choice { scene, user: User::Me };
        choice.assert_selects(&["-u", "3999999998"], &["bc", "fifo", "lone"]);
        choice.assert_selects_of_scene(&["--user", "root"], &["ab", "bc", "deaf", "fifo"]);
        choice.assert_selects_of_scene(&["--user", "root,3999999998"], &EVERYTHING);
    }
}

#[test]
fn by_kind_and_missing_side() {
    need!(Need::PYTHON);
    for choice in Choice::all() {
        choice.assert_selects_of_scene(&["-k", "anonymous"], &["ab", "bc", "deaf", "lone"]);
        choice.assert_selects_of_scene(&["--kind", "fifo"], &["fifo"]);
        choice.assert_selects_of_scene(&["-k", "fifo,anonymous"], &EVERYTHING);
        choice.assert_selects_of_scene(&["--no-reader"], &["lone"]);
        choice.assert_selects_of_scene(&["--no-writer"], &["deaf"]);
    }
}

/// Values of one option widen, different options narrow.
#[test]
fn together() {
    need!(Need::PYTHON);
    for choice in Choice::all() {
        let (alpha, beta, gamma) = (choice.pid("alpha"), choice.pid("beta"), choice.pid("gamma"));
        choice.assert_selects(&["-p", &alpha, "-k", "fifo"], &["fifo"]);
        choice.assert_selects(&["-p", &alpha, "-k", "anonymous"], &["ab", "deaf"]);
        choice.assert_selects(&["-p", &alpha, "-c", choice.command("alpha")], &["ab", "deaf", "fifo"]);
        // One and the same end must be of that process and of that command.
        choice.assert_selects(&["-p", &alpha, "-c", choice.command("beta")], &[]);
        choice.assert_selects(&["-p", &alpha, "--no-writer"], &["deaf"]);
        choice.assert_selects(&["-p", &alpha, "--no-reader"], &[]);
        choice.assert_selects(&["-p", &alpha, "-p", &gamma, "--no-reader", "-k", "anonymous"], &["lone"]);
        choice.assert_selects(&["-p", &beta, "-k", "fifo"], &[]);
        let uid = choice.user.uid().to_string();
        choice.assert_selects(&["-p", &beta, "-u", &uid], &["ab", "bc"]);
    }
}
