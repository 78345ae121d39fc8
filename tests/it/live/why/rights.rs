//! With fewer rights less is known, and less is claimed.

use super::{Scene, why};
use crate::support::need::{Need, need};
use crate::support::report::{Finding, Report};
use crate::support::run::lspipe;
use crate::support::text::{blocks, has_reservation};
use crate::support::user::{NOBODY, User};

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

/// Who sees a part only of those on a side does not know what the others are about to do.
#[test]
fn what_strangers_hold_is_no_proof_for_whoever_does_not_see_everybody() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start_with("why_half", User::Me, &[&NOBODY.to_string()]);
    let pid = |name: &str| scene.truth.number(&format!("/{name}"));
    let report = why(User::Nobody, [""; 0]);
    let seen = |code: &str, pipe: &str, pids: [u32; 2], unseen: u32| {
        let is_it = |it: &&Finding| it.code == code && it.pipes.contains(&scene.truth.id(pipe));
        let finding = report.findings().iter().find(is_it).unwrap_or_else(|| panic!("{:#?}", report.findings()));
        assert_eq!(finding.pids(), pids.into());
        assert_eq!((finding.severity.as_str(), finding.certainty.as_str()), ("warning", "suspected"), "{finding:#?}");
        // Of many, some are named, and the report lists them all.
        let is_named = finding.doubts.iter().any(|doubt| doubt.pid == Some(unseen));
        let is_listed = report.unreadable.iter().any(|gap| gap.pid == unseen);
        assert!(is_named || (finding.doubts_omitted > 0 && is_listed), "{finding:#?}");
        // The doubt is in the text, too.
        let text = lspipe(["why", "-q", "-p", &pids[0].to_string()]).user(User::Nobody).run().expect(1);
        let (blocks, _) = blocks(text.text());
        let block = blocks.iter().find(|block| block.code == code).unwrap_or_else(|| panic!("{}", text.text()));
        assert!(has_reservation(block, finding), "{}", text.text());
    };
    seen("leaked-write-end", "from", [pid("reads"), pid("holder")], pid("writer"));
    seen("stalled-reader", "to", [pid("writes"), pid("stopped")], pid("reader"));

    // Whoever may still write is no stranger to root.
    let report = why(User::Me, [""; 0]);
    let leaked: Vec<_> = report.findings().iter().filter(|it| it.pipes.contains(&scene.truth.id("from"))).collect();
    assert!(leaked.is_empty(), "{leaked:#?}");
}
