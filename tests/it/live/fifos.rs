//! FIFOs: every way to open one, and every way in which its name misleads.

use super::assert_scene;
use crate::support::need::{Need, need};

#[test]
fn opened_in_every_way() {
    need!(Need::PYTHON);
    assert_scene("fifos", |scene, report| {
        let path_only = scene.truth.text("/path_only/path").as_bytes().to_vec();
        let listed = report.pipes.iter().any(|pipe| pipe.path().is_some_and(|path| path == path_only));
        assert!(!listed, "O_PATH is no end, so that nobody is on this FIFO");
        assert_eq!(scene.truth.ends_of("every_way").len(), 6, "the seventh descriptor is O_PATH");
    });
}

#[test]
fn names_linked_deleted_and_misleading() {
    need!(Need::PYTHON);
    assert_scene("names", |scene, report| {
        let path = |name| report.pipe(&scene.truth.id(name)).and_then(|pipe| pipe.path.clone()).expect("a path");
        let deleted = |name| report.pipe(&scene.truth.id(name)).expect("listed").deleted;
        assert!(path("deleted").ends_with("/gone") && deleted("deleted"));
        assert!(path("looks_deleted").ends_with("/x (deleted)") && !deleted("looks_deleted"));
        assert!(path("deleted_twice").ends_with("/y (deleted)") && deleted("deleted_twice"));
        assert!(!deleted("one_name_left"));
        assert!(path("like_anonymous").ends_with("/pipe:[1]"));
        assert!(path("renamed").ends_with("/after"));
    });
}
