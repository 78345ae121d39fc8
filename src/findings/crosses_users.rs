//! `crosses-users`: the ends of one pipe are held by different users.

use serde::{Deserialize, Serialize};

use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases};
use crate::model::{Doubts, Pipe, PipeId, Severity, Side, Uid};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
The ends of one pipe are held by processes of different users, by their
effective user IDs.

Warning if root is on exactly one of two sides: if root reads, what other users
write reaches a process with full privileges; if root writes, other users read
what it writes. Otherwise notice (info), also where no process was seen on a
side. A process whose user could not be read is not counted.

Harmless where a privileged program starts another for a user and listens to
it, as cron(8), sudo(8) and su(1) do (`sudo cat FILE | less` is such a pipe), or
has workers that have dropped their privileges, as many servers do. What is
intended belongs in the baseline.

What to do: see which processes hold the ends. A program that runs as root has
to check what it reads from others, and must write no secrets to them. An end
that a process has by mistake should be closed before it changes its user, or be
O_CLOEXEC.",
    summary: Some(["pipe held by different users", "pipes held by different users"]),
    needs_audit_facts: false,
    about_sharing: true,
    ..super::OF_AUDIT
};

const ROOT: Uid = Uid(0);

/// The users that share the pipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CrossesUsers {
    /// The pipe.
    pub pipe: PipeId,
    /// The effective users on the read side, ascending.
    pub readers: Vec<Uid>,
    /// Those on the write side.
    pub writers: Vec<Uid>,
    /// The side that root is on, where it is on one only of two.
    pub root: Option<Side>,
}

impl Kind for CrossesUsers {
    fn severity(&self, _: bool) -> Severity {
        if self.root.is_some() { Severity::Warning } else { Severity::Info }
    }

    fn identity(&self) -> Identity {
        Identity::Pipe
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let pipe = phrases.pipe(self.pipe);
        // Where it matters that the users of a side are not root, root itself is not named.
        let others = |users: &[Uid]| -> Vec<Uid> { users.iter().copied().filter(|user| *user != ROOT).collect() };
        let (readers, writers) = match self.root {
            Some(Side::Read) => (self.readers.clone(), others(&self.writers)),
            Some(Side::Write) => (others(&self.readers), self.writers.clone()),
            None => (self.readers.clone(), self.writers.clone()),
        };
        let [reading, writing] = [&readers, &writers].map(|users| phrases.users(users));
        match (readers.is_empty(), writers.is_empty()) {
            (false, false) if readers.iter().any(|user| writers.binary_search(user).is_ok()) => {
                format!("{pipe} is shared by several users: {writing} may write, {reading} may read")
            }
            (false, false) => format!("{pipe} passes data from one user to another: {writing} to {reading}"),
            (false, true) => format!("the read end of {pipe} is shared by several users: {reading}"),
            (true, false) => format!("the write end of {pipe} is shared by several users: {writing}"),
            (true, true) => format!("{pipe} is shared by several users"),
        }
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        phrases.holders(self.pipe, |pid| phrases.user_of(pid))
    }

    fn advice(&self, _: &Phrases<'_>, _: &Doubts) -> String {
        match self.root {
            Some(Side::Read) => "Root reads data from another user: make sure that the reader treats it as untrusted input.",
            Some(Side::Write) => "Another user reads what root writes: make sure that it contains no secrets.",
            None => {
                "Nothing to do if these users are meant to share it, as with su(1) and services that drop their privileges."
            }
        }
        .to_owned()
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    case.each_pipe(of_pipe)
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe) -> Option<Judgement> {
    let [readers, writers] = Side::BOTH.map(|side| case.graph.users_on(pipe, side));
    let first = readers.first().or(writers.first())?;
    if readers.iter().chain(&writers).all(|user| user == first) {
        return None;
    }
    // One whose user is not known may be root's.
    let [knows_readers, knows_writers] = Side::BOTH.map(|side| pipe.on(side).all(|pid| case.user(pid).is_some()));
    // Where no process was seen on a side, nothing passes.
    let root = match (readers.contains(&ROOT), writers.contains(&ROOT)) {
        (true, false) if !writers.is_empty() && knows_writers => Some(Side::Read),
        (false, true) if !readers.is_empty() && knows_readers => Some(Side::Write),
        (true | false, true | false) => None,
    };
    Some(case.of_all_on(pipe, Details::CrossesUsers(CrossesUsers { pipe: pipe.id, readers, writers, root })))
}
