//! With fewer rights less is known, and less is claimed.

use super::Scene;
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::lspipe;
use crate::support::user::User;

/// Options of setpriv(1).
const TRACER: &[&str] =
    &["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace"];

/// The system call may not be read then, but the place where a thread sleeps may: which pipe that means is a conclusion, or a guess.
#[test]
fn with_the_capability_to_trace_alone() {
    need!(Need::Root, Need::PYTHON, Need::Program("setpriv"));
    let ring = Scene::start_with("why_ring", User::Me, &["plain"]);
    let chain = Scene::start("why_chain", User::Me);
    let output = lspipe(["why", "--json"]).setpriv(TRACER).run();
    let report = Report::parse(&output.stdout);
    assert_eq!(output.code(), Some(report.status()));
    let told = |pid: u32| -> Vec<_> {
        let waits = report.waits().iter().filter(|wait| wait.pid == pid);
        waits.map(|wait| (wait.operation.as_str(), wait.pipe.clone(), wait.certainty.as_str())).collect()
    };
    for (place, pid) in ring.truth.numbers("ring").into_iter().enumerate() {
        let id = ring.truth.id(&format!("pipe{place}"));
        assert_eq!(told(pid), [("read", Some(id), "inferred")], "{pid} has one read end");
    }
    let mut guesses = told(chain.truth.number("/apart"));
    guesses.sort();
    let mut expected = ["other", "spare"].map(|name| ("read", Some(chain.truth.id(name)), "candidate"));
    expected.sort();
    assert_eq!(guesses, expected, "it has two read ends");
    let wrong: Vec<_> = report.findings().iter().filter(|finding| finding.is_deadlock()).collect();
    assert!(wrong.is_empty(), "nobody was seen in a system call: {wrong:#?}");
}
