//! The rules, each on observations made by hand: where each begins and ends, and what is not claimed since it is not known.

mod confirm;
mod counts;
mod cycles;
pub(super) mod dummy;
mod fifos;
mod file_locks;
mod hangs;
mod leaks;
mod leftovers;
mod limits;
mod opens;
mod phrases;
mod registry;
mod sides;
mod stalls;
mod testing;
mod texts;
mod unknown;

use self::testing::{FIFO, ID, Scene, end, machine, process, reads, task, with, with_pipe, writes};
use super::*;
use crate::model::{AccessMode, Directories, Endpoint, Fd, Gid, OpenFlags, PipeFile, PipeLimits, Process, Tid, Users};

/// What is found, after checking what holds for all of it.
fn found(graph: &PipeGraph, max_ends: Option<u64>) -> Vec<Judgement> {
    let groups = Groups::new();
    let judgements = Case::new(graph, &groups, max_ends).find(ReportedBy::Audit);
    for judgement in &judgements {
        assert!(judgement.code().about().severities.contains(&judgement.severity()), "{judgement:#?}");
        assert!(judgement.tasks.iter().all(|task| task.pid.0 == task.tid.0), "{judgement:#?}");
        assert!(judgement.tasks.is_sorted() && !judgement.tasks.is_empty(), "{judgement:#?}");
    }
    judgements
}

/// The same in words.
fn audited(graph: &PipeGraph, groups: &Groups) -> Vec<Finding> {
    audit(&Phrases { graph, groups, users: &Users::default() }, None)
}

/// The only finding of a code, or none.
fn only(graph: &PipeGraph, code: Code) -> Option<Judgement> {
    let mut judgements = found(graph, None);
    judgements.retain(|judgement| judgement.code() == code);
    assert!(judgements.len() < 2, "{judgements:#?}");
    judgements.pop()
}

fn severity(graph: &PipeGraph, code: Code) -> Option<Severity> {
    only(graph, code).map(|judgement| judgement.severity())
}

fn pids(tasks: &[TaskId]) -> Vec<u32> {
    tasks.iter().map(|task| task.pid.0).collect()
}

fn file(mode: u16, owner: u32, group: u32, directories: Option<Directories>) -> PipeFile {
    PipeFile { owner: Uid(owner), group: Gid(group), mode, directories }
}

#[test]
fn explanations_are_of_eighty_columns_and_name_each_severity() {
    for code in Code::ALL {
        let text = code.about().explain;
        assert!(text.lines().all(|line| line.len() <= 80 && line == line.trim_end()), "{code}: {text}");
        assert_eq!(text, text.trim(), "{code}");
        for severity in code.about().severities {
            assert!(text.to_lowercase().contains(severity.as_str()), "{code} may be {severity:?}");
        }
        assert!(text.contains("What to do: ") && text.to_lowercase().contains("harmless"), "{code}: {text}");
    }
}

/// What a code says of itself agrees with itself.
#[test]
fn facts_of_a_code_agree() {
    for code in Code::ALL {
        let about = code.about();
        assert!(about.severities.is_sorted() && !about.severities.is_empty(), "{code}");
        let may_be_counted = about.severities.contains(&Severity::Info);
        assert_eq!(about.summary.is_some(), may_be_counted, "{code}: a notice is counted in the summary");
        assert_eq!(about.lasts == Lasts::ByRule, about.reported_by == ReportedBy::Audit, "{code}");
        assert_eq!(code.as_str().parse(), Ok(*code));
    }
}
