//! Anonymous pipes, as shells, Python and plain fork make them.

use super::assert_scene;
use crate::support::need::{Need, need};

#[test]
fn fork_with_ends_closed_and_forgotten() {
    need!(Need::PYTHON);
    assert_scene("anonymous", |scene, report| {
        let truth = &scene.truth;
        assert_eq!(truth.ends_of("good").len(), 2);
        assert_eq!(truth.ends_of("leaked").len(), 3, "the reader forgot to close its own write end");
        assert!(report.pipe(&truth.id("no_reader")).is_some_and(|pipe| pipe.readers.is_empty()));
        assert!(report.pipe(&truth.id("no_writer")).is_some_and(|pipe| pipe.writers.is_empty()));
    });
}

#[test]
fn many_descriptors_in_one_process() {
    need!(Need::PYTHON);
    assert_scene("duplicates", |scene, report| {
        let truth = &scene.truth;
        assert_eq!(truth.ends_of("dup").iter().filter(|end| end.3 == "r").count(), 3);
        let both: Vec<_> = truth.ends_of("both").iter().map(|end| end.3).collect();
        assert_eq!(both, ["rw"], "one descriptor is all there is");
        let packet = report.pipe(&truth.id("packet")).expect("listed");
        assert_eq!(packet.writers[0].flags.as_deref(), Some(&["O_CLOEXEC".to_owned(), "O_DIRECT".to_owned()][..]));
        let endless = format!("pipe:[{}]", truth.number("/endless"));
        assert!(report.pipe(&endless).is_none(), "O_PATH is no end, so that nobody is on this pipe");
    });
}

#[test]
fn popen_stdout_as_stdin_of_two_others() {
    need!(Need::PYTHON);
    assert_scene("popen", |scene, report| {
        let pipe = report.pipe(&scene.truth.id("shared")).expect("listed");
        let readers: Vec<u32> = pipe.readers.iter().map(|end| end.pid).collect();
        // The parent, too, still has what it handed on.
        let truth = [scene.pid(), scene.truth.number("/readers/0"), scene.truth.number("/readers/1")];
        assert!(truth.iter().all(|pid| readers.contains(pid)) && readers.len() == 3, "{readers:?} {truth:?}");
        assert_eq!(pipe.writers.len(), 1);
        assert_eq!((pipe.writers[0].pid, pipe.writers[0].fd), (scene.truth.number("/first"), 1));
    });
}

#[test]
fn script_spoken_to_through_two_pipes() {
    need!(Need::PYTHON);
    assert_scene("script", |scene, _| {
        let child = scene.truth.number("/child");
        let of_child = |name| scene.truth.ends_of(name).into_iter().find(|end| end.0 == child);
        assert_eq!(of_child("to_child"), Some((child, None, 0, "r")));
        assert_eq!(of_child("from_child"), Some((child, None, 1, "w")));
    });
}

#[test]
fn shell_pipelines_of_real_programs() {
    need!(Need::PYTHON, Need::Program("sh"), Need::Program("cat"), Need::Program("grep"), Need::Program("ps"));
    assert_scene("shell", |scene, _| {
        let truth = &scene.truth;
        let (ls, grep) = (truth.number("/ls_ls"), truth.number("/ls_grep"));
        assert_eq!(truth.ends_of("ls_grep"), [(ls, None, 1, "w"), (grep, None, 0, "r")]);
        let (cat, grep) = (truth.number("/cat_cat"), truth.number("/cat_grep"));
        assert_eq!(truth.ends_of("cat_grep"), [(cat, None, 1, "w"), (grep, None, 0, "r")]);
        assert!(truth.ends_of("in").contains(&(cat, None, 3, "r")));
    });
}

/// A table that is too large for one thread of the scan is read by several: nothing is lost between them or listed twice.
#[test]
fn thousands_of_pipes_in_one_process() {
    need!(Need::PYTHON);
    assert_scene("huge", |scene, _| assert!(scene.truth.ids().len() > 300));
}
