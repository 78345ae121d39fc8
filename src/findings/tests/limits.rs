//! What runs out: descriptors and pages.

use super::*;
use crate::findings::end_hoard::{EndHoard, HolderKind, ThresholdCrossed};
use crate::findings::pipe_pages::{LimitCrossed, PipePages};
use crate::model::{Certainty, Probed, UserPages};

fn user_of(judgement: &Judgement) -> Option<Uid> {
    match judgement.details.kind().identity() {
        Identity::User(user) => Some(user),
        _ => None,
    }
}

/// A process with so many ends and such a limit.
fn hoarder(ends: u64, fd_limit: Option<u64>) -> PipeGraph {
    let process = Process { fd_limit, ..process(1, 7, 1) };
    let ends = (0..ends).map(|fd| end(1, u32::try_from(fd).unwrap(), AccessMode::Read));
    with(machine([process]), ID, &ends.collect::<Vec<_>>())
}

#[test]
fn hoards_begin_at_half_and_at_nine_tenths_of_a_limit() {
    let passed = |ends, limit| {
        only(&hoarder(ends, limit), Code::EndHoard).map(|finding| match finding.details {
            Details::EndHoard(EndHoard { holder: HolderKind::Process { threshold, .. }, ends: found, .. }) => {
                assert_eq!(found, ends);
                threshold
            }
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(passed(49, Some(100)), None);
    assert_eq!(passed(50, Some(100)), Some(ThresholdCrossed::Half));
    assert_eq!(passed(89, Some(100)), Some(ThresholdCrossed::Half));
    assert_eq!(passed(90, Some(100)), Some(ThresholdCrossed::NearlyAll));
    // Few are never many, and a limit may be lower than what is open already.
    assert_eq!(passed(31, Some(0)), None);
    assert_eq!(passed(32, Some(0)), Some(ThresholdCrossed::NearlyAll));
    assert_eq!(passed(1024, Some(u64::MAX)), None);
    assert_eq!(passed(1025, None), Some(ThresholdCrossed::MaxEnds));
    assert_eq!(severity(&hoarder(90, Some(100)), Code::EndHoard), Some(Severity::Error));
    assert_eq!(severity(&hoarder(50, Some(100)), Code::EndHoard), Some(Severity::Warning));
    assert_eq!(severity(&hoarder(1025, None), Code::EndHoard), Some(Severity::Warning));
}

#[test]
fn limit_is_one_of_each_table() {
    let mut graph = hoarder(100, Some(200));
    for (number, end) in graph.pipes[0].ends.iter_mut().enumerate() {
        end.tid = (number % 2 == 0).then_some(Tid(2));
    }
    assert_eq!(only(&graph, Code::EndHoard), None, "two tables of fifty each");
    let finding = found(&graph, Some(99)).pop().expect("a hundred in all");
    assert_eq!(finding.code(), Code::EndHoard);
}

#[test]
fn users_hoard_in_several_processes() {
    let graph = |counts: &[u32]| {
        let processes = (1..).zip(counts).map(|(pid, _)| process(pid, 7, 1));
        let ends = (1..).zip(counts).flat_map(|(pid, count)| (0..*count).map(move |fd| end(pid, fd, AccessMode::Read)));
        with(machine(processes), ID, &ends.collect::<Vec<_>>())
    };
    let of_user = |counts: &[u32]| {
        let findings = found(&graph(counts), Some(10));
        let mut findings = findings.into_iter().filter(|finding| user_of(finding).is_some());
        let first = findings.next();
        assert_eq!(findings.next(), None);
        first
    };
    assert_eq!(of_user(&[10, 10, 10, 10]), None);
    assert_eq!(of_user(&[41]), None, "that one process has them is reported already");
    let finding = of_user(&[10, 11, 10, 10]).expect("41 are more than four times ten");
    assert_eq!((user_of(&finding), finding.severity(), pids(&finding.tasks)), (Some(Uid(7)), Severity::Info, vec![2]));
}

/// A user who made so many pipes, and what is found of that.
fn pages(
    user: u32,
    pipes: u64,
    limits: PipeLimits,
    capacity: Option<u64>,
) -> Option<(Severity, Certainty, u64, (LimitCrossed, u64))> {
    let mut graph = machine([process(1, 0, 1)]);
    graph.limits = limits;
    for inode in 0..pipes {
        let id = PipeId::anonymous(inode);
        let ends = vec![reads(1), writes(1)];
        graph.pipes.push(Pipe { ends, file: Some(file(0o600, user, user, None)), ..Pipe::unknown(id) });
        graph.probed.insert(id, Probed { capacity, ..Probed::default() });
    }
    let finding = only(&graph, Code::PipePages)?;
    let (severity, certainty) = (finding.severity(), finding.certainty());
    assert_eq!((user_of(&finding), pids(&finding.tasks)), (Some(Uid(user)), vec![1]));
    let Details::PipePages(PipePages { pages, crossed, limit, pipes: found, .. }) = finding.details else { panic!() };
    assert_eq!(found, pipes);
    Some((severity, certainty, pages, (crossed, limit)))
}

#[test]
fn pages_of_a_user() {
    let soft = PipeLimits { user_pages_soft: Some(160), user_pages_hard: Some(0), page_size: Some(4096) };
    let near = |pages| Some((Severity::Info, Certainty::Inferred, pages, (LimitCrossed::NearSoft, 160)));
    let over = |pages| Some((Severity::Warning, Certainty::Inferred, pages, (LimitCrossed::Soft, 160)));
    assert_eq!(pages(7, 7, soft, None), None);
    assert_eq!(pages(7, 8, soft, None), near(128));
    assert_eq!(pages(7, 10, soft, None), near(160));
    // What comes then is small.
    assert_eq!(pages(7, 11, soft, None), over(162));
    assert_eq!(pages(7, 20, soft, None), over(180));
    // Where the kernel gave the capacity, none is assumed.
    let exact = |severity, pages, limit| Some((severity, Certainty::Proven, pages, limit));
    assert_eq!(pages(7, 64, soft, Some(8192)), exact(Severity::Info, 128, (LimitCrossed::NearSoft, 160)));
    assert_eq!(pages(7, 3, soft, Some(1 << 20)), exact(Severity::Warning, 768, (LimitCrossed::Soft, 160)));
    // Without a page size it cannot be reckoned.
    let unknown = PipeLimits { page_size: None, ..soft };
    assert_eq!(pages(7, 8, unknown, Some(4096)), near(128));

    let hard = PipeLimits { user_pages_hard: Some(192), ..soft };
    assert_eq!(pages(7, 20, hard, None), over(180));
    let reached = |pages| Some((Severity::Error, Certainty::Inferred, pages, (LimitCrossed::Hard, 192)));
    assert_eq!(pages(7, 26, hard, None), reached(192));
    let none = PipeLimits { user_pages_soft: Some(0), ..soft };
    assert_eq!(pages(7, 1000, none, None), None);
    assert_eq!(pages(7, 1000, PipeLimits::default(), None), None);
    let only_hard = PipeLimits { user_pages_hard: Some(192), ..none };
    assert_eq!(pages(7, 11, only_hard, None), None);
    assert_eq!(pages(7, 12, only_hard, None), reached(192));
    // One more of 16 pages would pass it; of the small ones there is room for some more.
    let odd = (LimitCrossed::Hard, 200);
    let only_hard = PipeLimits { user_pages_hard: Some(200), ..none };
    assert_eq!(pages(7, 11, only_hard, None), None);
    assert_eq!(pages(7, 12, only_hard, None), Some((Severity::Error, Certainty::Inferred, 192, odd)));
    let hard = PipeLimits { user_pages_hard: Some(200), ..soft };
    assert_eq!(pages(7, 29, hard, None), over(198));
    assert_eq!(pages(7, 30, hard, None), Some((Severity::Error, Certainty::Inferred, 200, odd)));

    // Root is exempt, or may be.
    assert_eq!(pages(0, 9, soft, None), None);
    assert_eq!(pages(0, 11, soft, None), Some((Severity::Info, Certainty::Inferred, 162, (LimitCrossed::Soft, 160))));
}

/// It knows of pipes that were not seen.
#[test]
fn count_of_the_kernel_is_no_estimate() {
    let mut graph = machine([process(1, 0, 1)]);
    graph.limits = PipeLimits { user_pages_soft: Some(160), user_pages_hard: Some(0), page_size: Some(4096) };
    let file = Some(file(0o600, 7, 7, None));
    let mut graph = with_pipe(graph, Pipe { ends: vec![reads(1), writes(1)], file, ..Pipe::unknown(ID) });
    let found = |graph: &PipeGraph| {
        let judgement = only(graph, Code::PipePages)?;
        let Details::PipePages(PipePages { pages, pipes, estimated, .. }) = judgement.details else { panic!() };
        Some((judgement.severity(), judgement.certainty(), pages, pipes, estimated))
    };
    assert_eq!(found(&graph), None);
    let of = |uid, pages| UserPages { uid: Uid(uid), pages };
    graph.user_pages = vec![of(3, 900), of(7, 200)];
    assert_eq!(found(&graph), Some((Severity::Warning, Certainty::Proven, 200, 1, false)));
    graph.user_pages = vec![of(3, 900), of(8, 900)];
    assert_eq!(found(&graph), None);
}

#[test]
fn fifo_counts_for_the_one_user_who_has_it() {
    let graph = |uids: &[u32]| {
        let mut graph = machine((1..).zip(uids).map(|(pid, uid)| process(pid, *uid, 1)));
        graph.limits.user_pages_soft = Some(16);
        let ends = (1..).zip(uids).map(|(pid, _)| reads(pid)).collect();
        // Whose the inode is does not matter.
        with_pipe(graph, Pipe { ends, file: Some(file(0o600, 9, 9, None)), ..Pipe::unknown(FIFO) })
    };
    assert_eq!(only(&graph(&[7, 7]), Code::PipePages).and_then(|finding| user_of(&finding)), Some(Uid(7)));
    assert_eq!(only(&graph(&[7, 8]), Code::PipePages), None);
}
