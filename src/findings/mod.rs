//! The registry of findings, one file per code.
//!
//! A new code is a file, its `mod` line, and its line in the registry below. From that line it has its word in every output and option,
//! its `details` in JSON, and its place in `--explain`, in the selections of `why` and `audit`, in metrics, in the graph and in the closing
//! summary: each uses [`About`] or [`Kind`]. Rules evaluate an observation and read no files.

mod blocked_open;
mod case;
pub(crate) mod confirm;
mod crosses_containers;
mod crosses_users;
mod cycle;
mod deadlock;
mod deleted_fifo;
mod end_hoard;
mod fifo_exposed;
mod finding;
mod hidden_end;
mod inherited_end;
mod leaked_write_end;
mod marks;
mod missing_side;
pub(crate) mod narrow;
mod no_reader;
mod no_writer;
mod phrases;
mod pipe_pages;
mod scope;
mod self_deadlock;
mod stalled_reader;
mod stalled_writer;
#[cfg(test)]
mod tests;
mod unblock;

#[cfg(test)]
use self::tests::dummy;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::judge::Groups;
use crate::judge::dataflow::MarkKind;
use crate::judge::lineage::is_stdio;
use crate::judge::processes::{NO_THREADS, Processes};
use crate::model::words::words;
use crate::model::{Certainty, Doubts, PathName, Pid, Pipe, PipeGraph, PipeId, Severity, Side, TaskId, Uid};

use self::case::Case;
pub use self::finding::{Diagnosis, Evidence, Finding, Role};
pub(crate) use self::finding::{Judged, Judgement};
pub(crate) use self::narrow::narrow;
pub(crate) use self::phrases::{MOST_LINES, Phrases, list, pipe_name, thousands};
pub(crate) use self::scope::AuditScope;

/// One line per code: variant, module, word. Their order is that of findings of one severity in every output.
macro_rules! registry {
    ($($(#[$doc:meta])* $variant:ident: $module:ident = $word:literal,)+) => {
        words! {
            /// The name of a finding.
            pub enum Code {
                $($(#[$doc])* $variant = $word,)+
            }
        }

        impl Code {
            /// The facts of a code that do not depend on a finding.
            pub(crate) const fn about(self) -> &'static About {
                match self {
                    $(Self::$variant => &$module::ABOUT,)+
                }
            }

            fn find(self, case: &Case<'_>) -> Vec<Judgement> {
                match self {
                    $(Self::$variant => $module::find(case),)+
                }
            }
        }

        /// The data of a finding, by its code.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(tag = "code")]
        pub enum Details {
            $($(#[$doc])* #[serde(rename = $word)] $variant($module::$variant),)+
        }

        impl Details {
            /// Its code.
            #[must_use]
            pub const fn code(&self) -> Code {
                match self {
                    $(Self::$variant(_) => Code::$variant,)+
                }
            }

            fn kind(&self) -> &dyn Kind {
                match self {
                    $(Self::$variant(details) => details,)+
                }
            }
        }
    };
}

/// The codes, and what the tests add to them.
macro_rules! codes {
    ($($added:tt)*) => {
        registry! {
            /// Threads of several processes wait for each other.
            Deadlock: deadlock = "deadlock",
            /// The threads of one process wait for each other, or a thread for itself.
            SelfDeadlock: self_deadlock = "self-deadlock",
            /// A reader does not see EOF, since an unrelated process holds the write end.
            LeakedWriteEnd: leaked_write_end = "leaked-write-end",
            /// A writer is blocked on a full pipe, and no reader is about to read.
            StalledReader: stalled_reader = "stalled-reader",
            /// A reader is blocked on an empty pipe, and its writers are stopped.
            StalledWriter: stalled_writer = "stalled-writer",
            /// A process is blocked in open(2) of a FIFO that no process has open on the other side.
            BlockedOpen: blocked_open = "blocked-open",
            /// A pipe has an end that no fd table shows.
            HiddenEnd: hidden_end = "hidden-end",
            /// A pipe has writers and no reader.
            NoReader: no_reader = "no-reader",
            /// A pipe has readers and no writer.
            NoWriter: no_writer = "no-writer",
            /// Other users may open a FIFO that is in use.
            FifoExposed: fifo_exposed = "fifo-exposed",
            /// The ends of a pipe are held by different users.
            CrossesUsers: crosses_users = "crosses-users",
            /// The ends of a pipe are held in different containers or PID namespaces.
            CrossesContainers: crosses_containers = "crosses-containers",
            /// A process of another session also holds an end of a pipeline's pipe.
            InheritedEnd: inherited_end = "inherited-end",
            /// A process or user holds unusually many ends.
            EndHoard: end_hoard = "end-hoard",
            /// The pipes of a user are near the limit of their pages.
            PipePages: pipe_pages = "pipe-pages",
            /// A FIFO is in use that has been deleted.
            DeletedFifo: deleted_fifo = "deleted-fifo",
            $($added)*
        }
    };
}

#[cfg(not(test))]
codes! {}

/// What an explanation begins with, as one line.
pub(crate) fn first_clause(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = [": ", ". ", "; "].into_iter().filter_map(|end| words.find(end)).min();
    words[..end.unwrap_or(words.len())].trim_end_matches('.').to_owned()
}

#[cfg(test)]
codes! {
    /// Shows that a code takes one file and one line here.
    #[schemars(skip)]
    Dummy: dummy = "dummy",
}

/// Which command reports a code; `audit` reports those of `why`, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportedBy {
    Why,
    Audit,
}

/// When a later scan confirms a finding, for `--confirm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// If one of its blocked threads still waits, and one of the processes to act on is the same; others may differ.
    WhileBlocked,
    /// If it is about the same threads, and all that were blocked still wait.
    Unchanged,
    /// If the rule finds it among the ends that the same processes held in both scans.
    ByRule,
}

/// The properties of a code.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) reported_by: ReportedBy,
    /// The possible severities, the worst first.
    pub(crate) severities: &'static [Severity],
    /// The text of `--explain`, wrapped at 80 columns, without its name and without a newline at its end.
    pub(crate) explain: &'static str,
    /// Singular and plural, for notices that `why` only counts; the code alone if there is none.
    pub(crate) summary: Option<[&'static str; 2]>,
    /// Whether the rule needs facts that only an audit collects.
    pub(crate) needs_audit_facts: bool,
    /// Whether such a finding may be transient on a healthy machine, so that the second scan waits.
    pub(crate) may_pass: bool,
    /// Whether it depends on which processes may hold ends that no fd table shows.
    pub(crate) depends_on_hidden: bool,
    /// Whether it is about the processes that share a pipe: not reported for the pipeline that the audit itself writes to.
    pub(crate) about_sharing: bool,
    /// Whether a chain of waits shows all of the evidence.
    pub(crate) evidence_in_chain: bool,
    pub(crate) lasts: Lasts,
}

/// Defaults of the codes of `why`.
const OF_WHY: About = About {
    reported_by: ReportedBy::Why,
    severities: &[],
    explain: "",
    summary: None,
    needs_audit_facts: false,
    may_pass: true,
    depends_on_hidden: true,
    about_sharing: false,
    evidence_in_chain: false,
    lasts: Lasts::WhileBlocked,
};

/// Defaults of the codes that only an audit reports: their rules need no second scan of the threads.
const OF_AUDIT: About = About {
    reported_by: ReportedBy::Audit,
    needs_audit_facts: true,
    may_pass: false,
    depends_on_hidden: false,
    lasts: Lasts::ByRule,
    ..OF_WHY
};

/// Identifies a finding among those of the same code and pipes, across scans.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    /// The threads that are blocked. The path is that of a FIFO that could not be identified.
    Blocked(Vec<TaskId>, Option<PathName>),
    /// The pipe alone, whichever processes hold its ends.
    Pipe,
    User(Uid),
    Process(Pid),
}

impl Identity {
    /// The threads that the finding is about.
    pub(crate) fn blocked(&self) -> &[TaskId] {
        match self {
            Self::Blocked(tasks, _) => tasks,
            Self::Pipe | Self::User(_) | Self::Process(_) => &[],
        }
    }
}

/// The rules and texts of a code.
trait Kind {
    /// The severity; `doubted` if the finding is not proven.
    fn severity(&self, doubted: bool) -> Severity;

    fn certainty(&self, doubted: bool) -> Certainty {
        if doubted { Certainty::Suspected } else { Certainty::Proven }
    }

    fn identity(&self) -> Identity;

    /// The marks of blocked processes in the graph.
    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        Vec::new()
    }

    /// The write ends that keep a reader from EOF, by process.
    fn leaks(&self) -> Vec<(PipeId, Pid)> {
        Vec::new()
    }

    /// Whether a finding of `why` already reports all of it; `leaked` are the pipes of which it reports a leaked write end.
    fn is_covered_by(&self, _: &BTreeSet<PipeId>) -> bool {
        false
    }

    /// Other threads that are blocked because of it, if the rule looks for them.
    fn blocked_behind(&self) -> &[TaskId] {
        &[]
    }

    /// What is wrong, as a sentence without its full stop.
    fn message(&self, phrases: &Phrases<'_>, doubts: &Doubts) -> String;

    /// A line for each process involved.
    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence>;

    /// How to unblock it and how to prevent it, in full sentences.
    fn advice(&self, phrases: &Phrases<'_>, doubts: &Doubts) -> String;
}

/// The processes on either side of a pipe, those that are opening it, too.
fn all_on(pipe: &Pipe) -> BTreeSet<Pid> {
    Side::BOTH.into_iter().flat_map(|side| pipe.on(side)).collect()
}

/// What the threads wait for, and what `why` finds. Report only what a second scan confirms ([`confirm::diagnosis`]),
/// and only if the threads have not run in between.
pub(crate) fn diagnose(graph: &PipeGraph, groups: &Groups) -> Judged {
    let case = Case::new(graph, groups, None);
    let judgements = case.find(ReportedBy::Why);
    Judged { waits: case.waits, judgements }
}

/// What only an audit finds, the worst first, by the facts of [`Detail::Audit`](crate::observe::proc::Detail::Audit). What is not known is
/// not claimed.
pub(crate) fn audit(phrases: &Phrases<'_>, max_ends: Option<u64>) -> Vec<Finding> {
    let case = Case::new(phrases.graph, phrases.groups, max_ends);
    case.find(ReportedBy::Audit).into_iter().map(|judgement| judgement.word(phrases)).collect()
}

/// The findings of `why` and those of an audit as one list, the worst first. What both say is reported once.
pub(crate) fn merge(mut of_why: Vec<Finding>, of_audit: Vec<Finding>) -> Vec<Finding> {
    let leaks = of_why.iter().filter(|finding| finding.code == Code::LeakedWriteEnd);
    let leaked: BTreeSet<PipeId> = leaks.flat_map(|finding| finding.pipes.iter().copied()).collect();
    let is_new = |finding: &Finding| !finding.kind().is_some_and(|kind| kind.is_covered_by(&leaked));
    let new: Vec<Finding> = of_audit.into_iter().filter(is_new).collect();
    of_why.extend(new);
    of_why.sort_by_key(|finding| (finding.severity, finding.code));
    of_why
}

/// Removes findings about the pipeline that the audit itself writes to, such as `sudo lspipe audit | less`: pipes that are one of its
/// standard streams, and of which it and its ancestors alone hold that side.
pub(crate) fn exclude_own_pipeline(findings: &mut Vec<Finding>, graph: &PipeGraph, own: Pid) {
    let line: BTreeSet<Pid> = std::iter::once(own).chain(Processes::new(graph, &NO_THREADS).ancestors(own)).collect();
    let is_own = |pipe: &Pipe, side: Side| {
        pipe.side(side).any(|end| end.pid == own && is_stdio(end.fd)) && pipe.on(side).all(|pid| line.contains(&pid))
    };
    findings.retain(|finding| {
        let mut pipes = finding.pipes.iter().filter_map(|id| graph.pipe(*id));
        !(finding.code.about().about_sharing && pipes.any(|pipe| Side::BOTH.into_iter().any(|side| is_own(pipe, side))))
    });
}
