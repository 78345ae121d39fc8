//! Circles of processes: found however long, in whatever call they wait, and not claimed where there is a way out.

use std::collections::BTreeSet;

use super::{assert_certain, assert_claims, assert_waits, claim, fd_of, waits_of, why};
use crate::support::need::{Need, need};
use crate::support::report::Finding;
use crate::support::scene::Scene;
use crate::support::user::User;

/// The pipe that the process at this place of the ring reads.
fn pipe(place: usize) -> String {
    format!("pipe{place}")
}

/// Asserts that the processes are listed in the order in which they wait for each other.
#[track_caller]
fn assert_circle(finding: &Finding, ring: &[u32]) {
    let told: Vec<u32> = finding.processes.iter().map(|task| task.pid).collect();
    let is_turned = |by: usize| [&ring[by..], &ring[..by]].concat() == told;
    assert!((0..ring.len()).any(is_turned), "{told:?} is not the circle {ring:?}");
}

#[test]
fn four_in_a_circle() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_ring", user, &["plain"]);
        let ring = scene.truth.numbers("ring");
        let report = why(user, [""; 0]);
        scene.truth.assert_whole(&report);
        let findings = assert_claims(&scene, &report, &[claim("deadlock", ring.clone(), &scene.truth.ids())]);
        assert_certain(&report, findings[0]);
        // Each reads from the next.
        assert_circle(findings[0], &ring);
        let ids: Vec<String> = (0..4).map(|place| scene.truth.id(&pipe(place))).collect();
        let wakers: Vec<[u32; 1]> = (0..4).map(|place| [ring[(place + 1) % 4]]).collect();
        let waits: Vec<_> = (0..4)
            .map(|place| {
                let fd = fd_of(&scene, ring[place], &pipe(place), "r");
                (ring[place], "read", fd, Some(&ids[place]), &wakers[place][..])
            })
            .collect();
        assert_waits(&scene, &report, &waits);
    }
}

/// A process that only sleeps could write to one of the four: it is not for ever.
#[test]
fn circle_with_a_way_out() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_ring", user, &["free"]);
        let (ring, free) = (scene.truth.numbers("ring"), scene.truth.numbers("free"));
        let report = why(user, [""; 0]);
        scene.truth.assert_whole(&report);
        assert_claims(&scene, &report, &[]);
        let waits = waits_of(&report, &ring.iter().copied().collect());
        let third = waits.iter().find(|wait| wait.3 == Some(scene.truth.id("pipe2"))).expect("a wait");
        let wakers: BTreeSet<u32> = third.4.iter().copied().collect();
        assert_eq!(wakers, BTreeSet::from([ring[3], free[0]]), "both could end it");
    }
}

/// Poll, select and epoll are waits as any other, where there is no timeout and nothing but pipes to wait for.
#[test]
fn circle_of_pollers() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_polls", user, &["nobody", "nothing"]);
        let ring = scene.truth.numbers("ring");
        let report = why(user, [""; 0]);
        let findings = assert_claims(&scene, &report, &[claim("deadlock", ring.clone(), &scene.truth.ids())]);
        assert_certain(&report, findings[0]);
        assert_circle(findings[0], &ring);
        let ids: Vec<String> = (0..3).map(|place| scene.truth.id(&pipe(place))).collect();
        let wakers: Vec<[u32; 1]> = (0..3).map(|place| [ring[(place + 1) % 3]]).collect();
        let waits: Vec<_> = (0..3)
            .map(|place| {
                let fd = fd_of(&scene, ring[place], &pipe(place), "r");
                (ring[place], "poll", fd, Some(&ids[place]), &wakers[place][..])
            })
            .collect();
        assert_waits(&scene, &report, &waits);
    }
}

#[test]
fn pollers_that_something_else_may_wake() {
    need!(Need::PYTHON);
    for &user in User::all() {
        // A socket pair of its own would be a channel like the pipes.
        for (how, besides) in [("timeout", "timeout")] {
            for (odd, call) in ["polls", "selects", "epolls"].into_iter().enumerate() {
                let scene = Scene::start_with("why_polls", user, &[call, how]);
                let ring = scene.truth.numbers("ring");
                let report = why(user, [""; 0]);
                assert_claims(&scene, &report, &[]);
                let mut found = waits_of(&report, &scene.truth.pids());
                found.retain(|wait| !wait.3.as_ref().is_some_and(|pipe| pipe.starts_with("unix:")));
                found.sort();
                let mut expected: Vec<_> = (0..3)
                    .map(|place| {
                        let fd = fd_of(&scene, ring[place], &pipe(place), "r");
                        let besides = (place == odd).then(|| besides.to_owned());
                        let id = Some(scene.truth.id(&pipe(place)));
                        (ring[place], "poll".to_owned(), fd, id, vec![ring[(place + 1) % 3]], besides)
                    })
                    .collect();
                expected.sort();
                assert_eq!(found, expected, "{call} with a {how}");
            }
        }
    }
}
