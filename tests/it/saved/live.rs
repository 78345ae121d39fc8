//! Scenes of real processes that are over when their report is asked.

use std::collections::BTreeSet;

use super::Folder;
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::text;
use crate::support::user::User;

/// What the lines of a text say of these processes: how each is drawn, and which processes, pipes and descriptors it names. Others come
/// and go, and so do the lines about them.
fn about(text: &str, pids: &BTreeSet<u32>) -> Vec<text::Named> {
    let of_line = |line: &str| {
        let named: BTreeSet<u32> = text::pids(line).intersection(pids).copied().collect();
        let is_ours = !named.is_empty();
        is_ours.then(|| (text::drawing(line).to_owned(), named, text::pipes(line), text::fds(line)))
    };
    text.lines().filter_map(of_line).collect()
}

#[test]
fn names_made_to_break_things_survive_in_the_file() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let folder = Folder::of(user);
        let scene = Scene::start("hostile", user);
        let truth = scene.truth.clone();
        let pids: Vec<String> = truth.pids().iter().map(u32::to_string).collect();
        let selection = ["-q", "-p", &pids.join(",")];
        let saved = folder.save_as(user, "report", selection);
        let [table, ends] =
            [&[][..], &["-e"]].map(|form| lspipe([&selection[..], form].concat()).user(user).run().expect(0).stdout);
        drop(scene);
        truth.assert_whole(&Report::parse(&saved.ask(&["-q", "-J"]).expect(0).stdout));
        assert_eq!(saved.ask(&["-q"]).expect(0).stdout, table);
        assert_eq!(saved.ask(&["-q", "-e"]).expect(0).stdout, ends);
        // Each FIFO is found by its name, and each process by its own.
        for pipe in
            Report::parse(&saved.bytes()).pipes.iter().filter(|pipe| pipe.kind == "fifo" && pipe.path_bytes.is_none())
        {
            let path = pipe.path.as_deref().expect("a FIFO has a name");
            let found = Report::parse(&saved.ask(&["-q", "-J", path]).expect(0).stdout);
            assert_eq!(found.pipes.iter().map(|pipe| &pipe.id).collect::<Vec<_>>(), [&pipe.id], "{path:?}");
        }
        let found = saved.ask(&["-q", "-t", "--writers", "-c", "new\nline"]).expect(0);
        assert!(!found.text().is_empty());
    }
}

#[test]
fn hidden_ends_stay_hidden_and_who_may_hold_them_is_told() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let folder = Folder::of(user);
        let scene = Scene::start("hidden", user);
        let truth = scene.truth.clone();
        let pids: Vec<String> = truth.pids().iter().map(u32::to_string).collect();
        let saved = folder.save_as(user, "report", ["-q", "--probe", "-p", &pids.join(",")]);
        let table = lspipe(["-q", "--probe", "-o", "PIPE,READERS,WRITERS,QUEUED", &truth.id("sent")])
            .user(user)
            .run()
            .expect(0);
        drop(scene);
        let report = Report::parse(&saved.ask(&["-q", "-J"]).expect(0).stdout);
        truth.assert_whole(&report);
        let pipe = report.pipe(&truth.id("sent")).expect("listed");
        assert_eq!((pipe.hidden_readers, pipe.hidden_writers), (None, Some(true)));
        let suspects = pipe.hidden_by.as_deref().expect("who it may be");
        let (pid, fd) = (truth.number("/receiver/pid"), truth.number("/receiver/fd"));
        let is_receiver = |who: &&crate::support::report::Suspect| {
            (&*who.how, who.pid, who.fd) == ("scm-rights", Some(pid), Some(fd))
        };
        assert_eq!(suspects.iter().filter(is_receiver).count(), 1, "{suspects:?}");
        let asked = saved.ask(&["-q", "-o", "PIPE,READERS,WRITERS,QUEUED", &truth.id("sent")]).expect(0);
        assert_eq!(asked.stdout, table.stdout);
        assert!(asked.text().contains("hidden"), "{}", asked.text());
    }
}

/// What `why` said of processes that waited, it says when they are gone: the very findings, and the chain of each process.
#[test]
fn hangs_are_told_when_they_are_over() {
    need!(Need::PYTHON, Need::Program("cat"));
    for &user in User::all() {
        for (name, kind, code, pids) in [
            ("why_popen", "writes", "deadlock", ["/parent", "/child"]),
            ("why_leaks", "daemon", "leaked-write-end", ["/reader", "/holder"]),
            ("why_fork", "waits", "self-deadlock", ["/child", "/parent"]),
        ] {
            let folder = Folder::of(user);
            let scene = Scene::start_with(name, user, &[kind]);
            let truth = scene.truth.clone();
            let pids = pids.map(|pid| truth.number(pid).to_string());
            let saved = folder.save_as(user, "why", ["why", "-q"]);
            let questions: Vec<Vec<&str>> = pids.iter().map(|pid| vec!["why", "-q", "-p", pid]).collect();
            let live: Vec<_> = questions.iter().map(|question| lspipe(question).user(user).run().expect(1)).collect();
            let then: Vec<_> = questions.iter().map(|question| saved.ask(question).expect(1)).collect();
            let whole = saved.ask(&["why", "-q"]);
            drop(scene);

            truth.assert_pipes(&Report::parse(&saved.ask(&["-q", "-J"]).expect(0).stdout));
            for (question, (live, then)) in questions.iter().zip(live.iter().zip(&then)) {
                let now = saved.ask(question).expect(1);
                assert_eq!(now.text(), then.text(), "a file does not change when its processes end");
                assert_eq!(about(now.text(), &truth.pids()), about(live.text(), &truth.pids()), "{question:?}");
                let heads = |text: &str| -> Vec<(String, String)> {
                    text::blocks(text).0.iter().map(|it| (it.severity.to_owned(), it.code.to_owned())).collect()
                };
                assert_eq!(heads(now.text()), heads(live.text()), "{question:?}");
                assert_eq!(heads(now.text()).iter().map(|head| &*head.1).collect::<Vec<_>>(), [code], "{}", now.text());
                let told = text::pids(now.text());
                assert!(pids.iter().all(|pid| told.contains(&pid.parse().expect("a PID"))), "{}", now.text());
                // What is run here now is not to be run by those numbers: it is said whose they are.
                let host = Report::parse(&saved.bytes()).host.hostname.expect("a name");
                assert!(now.text().contains(&host) && !live.text().contains(&host), "{}", now.text());
            }
            assert_eq!(saved.ask(&["why", "-q"]).text(), whole.text());
            let report = saved.ask(&["why", "-q", "-J"]);
            assert_eq!(report.text(), String::from_utf8(saved.bytes()).expect("UTF-8"));
            assert_eq!(report.code(), Some(Report::parse(&report.stdout).status()));
        }
    }
}
