//! UNIX sockets and pseudoterminals: each direction is a pipe, and what a thread waits for in one is known by its descriptor.

use serde::Deserialize;

use super::why;
use crate::support::need::{Need, need};
use crate::support::report::{End, Report};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

/// A process that waits, and the only one on the other side.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    operation: String,
    waiter: u32,
    fd: u32,
    peer: u32,
    peer_fd: u32,
    /// What it waits for, and the other direction.
    pipe: String,
    back: String,
    path: Option<String>,
}

impl Case {
    /// The ends of a pipe on one side.
    #[track_caller]
    fn ends<'a>(&self, report: &'a Report, pipe: &str) -> [Vec<(u32, u32, &'a str)>; 2] {
        let pipe = report.pipe(pipe).unwrap_or_else(|| panic!("{pipe} is not listed: {self:?}"));
        assert_eq!(pipe.path, self.path, "{self:?}");
        assert!(!pipe.deleted, "{self:?}");
        let all = |ends: &'a [End]| ends.iter().map(|end| (end.pid, end.fd, &*end.access)).collect();
        [all(&pipe.readers), all(&pipe.writers)]
    }

    /// Both directions, with these two processes alone.
    #[track_caller]
    fn check_ends(&self, report: &Report) {
        let (own, other) = ((self.waiter, self.fd), (self.peer, self.peer_fd));
        let (reader, writer) = if self.operation == "read" { (own, other) } else { (other, own) };
        let ends =
            |reader: (u32, u32), writer: (u32, u32)| [vec![(reader.0, reader.1, "r")], vec![(writer.0, writer.1, "w")]];
        assert_eq!(self.ends(report, &self.pipe), ends(reader, writer), "{self:?}");
        assert_eq!(self.ends(report, &self.back), ends(writer, reader), "{self:?}");
    }
}

fn cases(scene: &Scene) -> Vec<Case> {
    Deserialize::deserialize(&scene.truth.more["cases"]).expect("the cases of the scene")
}

#[test]
fn each_wait_is_for_the_direction_that_the_call_uses() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("why_channels", user);
        let report = why(user, [""; 0]);
        for case in cases(&scene) {
            let waits: Vec<_> = report.waits().iter().filter(|wait| wait.pid == case.waiter).collect();
            let [wait] = waits.as_slice() else { panic!("{} waits so: {waits:#?}", case.name) };
            assert_eq!(
                (&wait.operation, wait.fd, wait.pipe.as_ref()),
                (&case.operation, Some(case.fd), Some(&case.pipe))
            );
            assert_eq!((wait.certainty.as_str(), &wait.besides), ("seen", &None), "{case:?}");
            assert_eq!(wait.waker_keys(), [(case.peer, None, Some(case.peer_fd))], "{case:?}");
            case.check_ends(&report);
        }
        let none = scene.truth.numbers("none");
        assert!(report.waits().iter().all(|wait| !none.contains(&wait.pid)), "{:#?}", report.waits());
        let is_theirs = |end: &End| none.contains(&end.pid);
        assert!(!report.pipes.iter().any(|pipe| pipe.ends().any(is_theirs)), "{none:?} have no connection");
    }
}

/// A list has them where they are asked for: by kind, by a descriptor, by the name of a socket or a terminal.
#[test]
fn a_list_has_them_only_where_they_are_asked_for() {
    need!(Need::PYTHON);
    let scene = Scene::start("why_channels", User::Me);
    let list = |args: &[&str]| {
        let output = lspipe(["--json"].iter().chain(args)).run();
        assert_eq!(output.code(), Some(0), "{args:?}");
        Report::parse(&output.stdout)
    };
    let is_pipe = |id: &String| id.starts_with("pipe:") || id.starts_with("fifo:");
    assert!(list(&[]).pipes.iter().all(|pipe| is_pipe(&pipe.id)));
    let report = list(&["-k", "unix,pty"]);
    assert!(!report.pipes.iter().any(|pipe| is_pipe(&pipe.id)));
    for case in cases(&scene) {
        case.check_ends(&report);
        let mut ids = [case.pipe.clone(), case.back.clone()];
        ids.sort();
        let by = |name: &str| {
            let mut found: Vec<String> = list(&[name]).pipes.into_iter().map(|pipe| pipe.id).collect();
            found.sort();
            assert_eq!(found, ids, "{name}: {case:?}");
        };
        by(&format!("/proc/{}/fd/{}", case.waiter, case.fd));
        by(&format!("/proc/{}/task/{}/fd/{}", case.peer, case.peer, case.peer_fd));
        // Several cases share no path, and an abstract name is none.
        if let Some(path) = case.path.as_deref().filter(|path| path.starts_with('/')) {
            by(path);
        }
    }
}
