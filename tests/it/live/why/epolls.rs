//! Epolls: what one watches is known whole, or not at all.

use std::collections::BTreeSet;

use super::{assert_claims, why};
use crate::support::need::{Need, need};
use crate::support::report::Wait;
use crate::support::scene::Scene;
use crate::support::turn;
use crate::support::user::User;

/// More lines than fit into 1 MiB of the fdinfo of an epoll.
const FILES: &str = "14000";

/// The pipe that an awake worker holds is found among all others, so that no deadlock is claimed.
#[test]
fn epoll_of_very_many_files() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_wide", user, &["epoll", FILES]);
        let [supervisor, idle] = ["/supervisor", "/idle"].map(|name| scene.truth.number(name));
        let report = why(user, [""; 0]);
        assert_claims(&scene, &report, &[]);
        let waits: Vec<&Wait> = report.waits().iter().filter(|wait| wait.pid == supervisor).collect();
        let polled: BTreeSet<String> = waits.iter().filter_map(|wait| wait.pipe.clone()).collect();
        let pipes: BTreeSet<String> = (0..40).map(|number| scene.truth.id(&format!("pipe{number}"))).collect();
        assert_eq!(polled, pipes);
        assert_eq!(waits.len(), pipes.len(), "one for each pipe, however many descriptors of it there are");
        assert!(waits.iter().all(|wait| wait.besides.is_none()), "{waits:#?}");
        assert!(report.waits().iter().any(|wait| wait.pid == idle));
    }
}

/// Another process holds the lock of an epoll, and will not let go of it: what the epoll watches is not known, and is not waited for.
#[test]
fn epoll_whose_lock_another_process_holds() {
    need!(Need::Root, Need::PYTHON, Need::Fuse);
    let _turn = turn::take();
    let scene = Scene::start("why_epoll_lock", User::Me);
    let waiter = scene.truth.number("/waiter");
    for args in [&[][..], &["-p", &waiter.to_string()]] {
        let report = why(User::Me, args);
        assert_claims(&scene, &report, &[]);
        assert!(report.waits().iter().all(|wait| wait.pid != waiter), "{:#?}", report.waits());
        let group = report.threads.iter().flatten().find(|group| group.pid == waiter).expect("listed");
        let sleep = group.tasks[0].sleep.as_ref().expect("it sleeps");
        assert_eq!(sleep.on, "some-files");
    }
}
