//! `end-hoard`: a process or user holds unusually many pipe ends.

use std::collections::BTreeMap;

use super::Case;
use crate::model::{Finding, Hoarder, Passed, Pid, Risk, Tid, Uid};

/// So many ends a process may hold, unless `--max-ends` says otherwise.
pub(super) const USUAL: u64 = 1024;

/// So many times as many a user may hold in all processes.
const USER_FACTOR: u64 = 4;

/// Fewer ends are not many, however low the limit: some programs lower it to what they have, so that they can open no more.
const FEW: u64 = 32;

/// So many of a user's processes are named.
const MOST_NAMED: usize = 8;

pub(super) const EXPLAIN: &str = "\
A process holds unusually many pipe ends, or a user does in all processes
together.

Error if the ends of a process are nine tenths or more of the descriptors that
its soft limit (RLIMIT_NOFILE) allows: pipe(2), open(2) and accept(2) are about
to fail with EMFILE. Warning if they are half of them or more, or more than
1024 (--max-ends). Fewer than 32 are never too many, since some programs lower
their limit to what they have. Info if the processes of a user hold more than
four times --max-ends together. A descriptor counts once in each fd table, and
again in each process that shares the table of another (CLONE_FILES).

Harmless for a program that is made to have many children or threads, such as
the monitor of a container engine; then --max-ends can be raised.

What to do: look at them with `lspipe fds PID`. If most have nobody on the other
side, the program forgets to close them. Else raise its limit.";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut tables: BTreeMap<Pid, BTreeMap<Option<Tid>, u64>> = BTreeMap::new();
    for end in case.graph.pipes.iter().flat_map(|pipe| &pipe.ends) {
        *tables.entry(end.pid).or_default().entry(end.tid).or_default() += 1;
    }
    let mut findings = Vec::new();
    let mut users: BTreeMap<Uid, Vec<(Pid, u64)>> = BTreeMap::new();
    for (pid, tables) in &tables {
        let ends = tables.values().sum();
        if let Some(user) = case.user(*pid) {
            users.entry(user).or_default().push((*pid, ends));
        }
        let process = case.graph.processes.get(pid);
        let fd_limit = process.and_then(|process| process.fd_limit);
        // The limit is one of each table.
        let most = tables.values().copied().max().unwrap_or_default();
        let share = fd_limit.filter(|_| most >= FEW).and_then(|limit| share(most, limit));
        let usual = (ends > case.max_ends).then_some(Passed::Usual(case.max_ends));
        if let Some(passed) = share.or(usual) {
            let hoarder =
                Hoarder::Process { pid: *pid, fd_limit, fds: process.and_then(|process| process.fds), passed };
            findings.push(case.finding(Risk::EndHoard { hoarder, ends }, [*pid], Vec::new(), Vec::new()));
        }
    }
    findings.extend(users.into_iter().filter_map(|(user, processes)| of_user(case, user, processes)));
    findings
}

/// What part of its limit a table has.
fn share(ends: u64, limit: u64) -> Option<Passed> {
    let ends = u128::from(ends);
    let limit = u128::from(limit);
    if ends * 10 >= limit * 9 { Some(Passed::NearlyAll) } else { (ends * 2 >= limit).then_some(Passed::Half) }
}

fn of_user(case: &Case<'_>, user: Uid, mut held: Vec<(Pid, u64)>) -> Option<Finding> {
    let ends = held.iter().map(|(_, ends)| ends).sum();
    // One alone is told of already.
    if ends <= case.max_ends.saturating_mul(USER_FACTOR) || held.len() < 2 {
        return None;
    }
    let processes = held.len();
    held.sort_by_key(|(pid, ends)| (std::cmp::Reverse(*ends), *pid));
    held.truncate(MOST_NAMED);
    let first = held.first()?.0;
    let hoarder = Hoarder::User { user, processes, most: held };
    Some(case.finding(Risk::EndHoard { hoarder, ends }, [first], Vec::new(), Vec::new()))
}
