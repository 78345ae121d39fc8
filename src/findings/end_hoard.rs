//! `end-hoard`: a process or user holds unusually many pipe ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::phrases::lines;
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::model::words::words;
use crate::model::{Doubts, Pid, Severity, Tid, Uid};

/// Maximum number of ends of a process, unless `--max-ends` says otherwise.
pub(super) const DEFAULT_MAX_ENDS: u64 = 1024;

/// A user may hold this many times as many in all processes together.
const USER_FACTOR: u64 = 4;

/// Fewer ends are not many, however low the limit: some programs lower it to what they have, so that they can open no more.
const FEW: u64 = 32;

/// Maximum number of processes of a user that are listed.
const MOST_LISTED: usize = 8;

pub(super) const ABOUT: About = About {
    severities: &[Severity::Error, Severity::Warning, Severity::Info],
    explain: "\
A process holds unusually many pipe ends, or a user does in all processes
together.

Error if the ends of a process are nine tenths or more of the descriptors that
its soft limit (RLIMIT_NOFILE) allows: pipe(2), open(2) and accept(2) are about
to fail with EMFILE. Warning if they are half of them or more, or more than 1024
(--max-ends). Fewer than 32 are never too many, since some programs lower their
limit to what they have. Notice (info) if the processes of a user hold more than
four times --max-ends together. A descriptor counts once in each fd table, and
again in each process that shares the table of another (CLONE_FILES).

Harmless for a program that is made to have many children or threads, such as
the monitor of a container engine; then --max-ends can be raised.

What to do: list them with `lspipe fds PID`. If most have no process on the
other side, the program leaks them. Otherwise raise its limit.",
    summary: Some(["holder of many pipe ends", "holders of many pipe ends"]),
    ..super::OF_AUDIT
};

/// A holder of many ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EndHoard {
    /// The number of ends.
    pub ends: u64,
    /// `--max-ends` of the audit: the maximum number of ends of a process.
    pub max_ends: u64,
    /// By a process or by a user.
    #[serde(flatten)]
    pub holder: HolderKind,
}

/// What holds many ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "holder", rename_all = "lowercase")]
pub enum HolderKind {
    /// A process.
    Process {
        /// The process.
        pid: Pid,
        /// Its soft limit of open descriptors.
        fd_limit: Option<u64>,
        /// The number of its open descriptors.
        fds: Option<u64>,
        /// The threshold that it crossed.
        threshold: ThresholdCrossed,
    },
    /// A user, in all processes together.
    User {
        /// The user.
        uid: Uid,
        /// The number of processes.
        processes: usize,
        /// Those with the most ends; not empty.
        most: Vec<EndCount>,
    },
}

/// The number of ends that a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EndCount {
    /// The process.
    pub pid: Pid,
    /// The number of its ends.
    pub ends: u64,
}

words! {
    /// A threshold for the number of ends.
    pub enum ThresholdCrossed {
        /// `--max-ends`.
        MaxEnds = "max-ends",
        /// Half of the limit.
        Half = "half",
        /// Nine tenths of the limit.
        NearlyAll = "nearly-all",
    }
}

impl Kind for EndHoard {
    fn severity(&self, _: bool) -> Severity {
        match self.holder {
            HolderKind::Process { threshold: ThresholdCrossed::NearlyAll, .. } => Severity::Error,
            HolderKind::Process { threshold: ThresholdCrossed::Half | ThresholdCrossed::MaxEnds, .. } => {
                Severity::Warning
            }
            HolderKind::User { .. } => Severity::Info,
        }
    }

    fn identity(&self) -> Identity {
        match self.holder {
            HolderKind::Process { pid, .. } => Identity::Process(pid),
            HolderKind::User { uid, .. } => Identity::User(uid),
        }
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let ends = self.ends;
        match &self.holder {
            HolderKind::Process { pid, threshold, fd_limit, .. } => {
                let process = phrases.process(*pid, None);
                match (threshold, fd_limit) {
                    (ThresholdCrossed::MaxEnds, _) => {
                        format!("{process} holds {ends} pipe ends, more than {}", self.max_ends)
                    }
                    (_, Some(limit)) => {
                        format!("{process} holds {ends} pipe ends; its limit is {limit} (RLIMIT_NOFILE)")
                    }
                    (_, None) => format!("{process} holds {ends} pipe ends"),
                }
            }
            HolderKind::User { uid, processes, .. } => {
                format!("{} holds {ends} pipe ends in {processes} processes", phrases.user(*uid))
            }
        }
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let all = match &self.holder {
            HolderKind::Process { fds: Some(fds), fd_limit: Some(limit), .. } => {
                vec![format!("it has {fds} of {limit} descriptors in use")]
            }
            HolderKind::Process { .. } => Vec::new(),
            HolderKind::User { most, .. } => {
                most.iter().map(|it| format!("{} holds {}", phrases.process(it.pid, None), it.ends)).collect()
            }
        };
        lines(Role::Holder, all, |line| line)
    }

    fn advice(&self, _: &Phrases<'_>, _: &Doubts) -> String {
        match self.holder {
            HolderKind::Process { pid, .. } => format!(
                "List them with `lspipe fds {pid}`. If their number keeps growing, the program leaks them. Otherwise raise its limit with \
                 prlimit(1), or LimitNOFILE= of its systemd unit."
            ),
            HolderKind::User { uid, .. } => format!("List them with `lspipe -u {uid}`."),
        }
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let mut tables: BTreeMap<Pid, BTreeMap<Option<Tid>, u64>> = BTreeMap::new();
    let pipes = case.graph.pipes.iter().filter(|pipe| pipe.id.kind().is_pipe());
    for end in pipes.flat_map(|pipe| &pipe.ends) {
        *tables.entry(end.pid).or_default().entry(end.tid).or_default() += 1;
    }
    let mut found = Vec::new();
    let mut users: BTreeMap<Uid, Vec<EndCount>> = BTreeMap::new();
    for (pid, tables) in &tables {
        let ends = tables.values().sum();
        if let Some(user) = case.user(*pid) {
            users.entry(user).or_default().push(EndCount { pid: *pid, ends });
        }
        let process = case.graph.processes.get(pid);
        let fd_limit = process.and_then(|process| process.fd_limit);
        // The limit applies to each fd table.
        let most = tables.values().copied().max().unwrap_or_default();
        let share = fd_limit.filter(|_| most >= FEW).and_then(|limit| share(most, limit));
        if let Some(threshold) = share.or((ends > case.max_ends).then_some(ThresholdCrossed::MaxEnds)) {
            let fds = process.and_then(|process| process.fds);
            found.push(judgement(case, ends, *pid, HolderKind::Process { pid: *pid, fd_limit, fds, threshold }));
        }
    }
    found.extend(users.into_iter().filter_map(|(user, processes)| of_user(case, user, processes)));
    found
}

fn judgement(case: &Case<'_>, ends: u64, pid: Pid, holder: HolderKind) -> Judgement {
    let details = EndHoard { ends, max_ends: case.max_ends, holder };
    Judgement::new(Details::EndHoard(details), case.leaders([pid]), [])
}

/// The share of the limit that an fd table uses.
fn share(ends: u64, limit: u64) -> Option<ThresholdCrossed> {
    let (ends, limit) = (u128::from(ends), u128::from(limit));
    if ends * 10 >= limit * 9 {
        Some(ThresholdCrossed::NearlyAll)
    } else {
        (ends * 2 >= limit).then_some(ThresholdCrossed::Half)
    }
}

fn of_user(case: &Case<'_>, uid: Uid, mut most: Vec<EndCount>) -> Option<Judgement> {
    let ends = most.iter().map(|it| it.ends).sum();
    // One process alone is reported already.
    if ends <= case.max_ends.saturating_mul(USER_FACTOR) || most.len() < 2 {
        return None;
    }
    let processes = most.len();
    most.sort_by_key(|it| (std::cmp::Reverse(it.ends), it.pid));
    most.truncate(MOST_LISTED);
    let first = most.first()?.pid;
    Some(judgement(case, ends, first, HolderKind::User { uid, processes, most }))
}
