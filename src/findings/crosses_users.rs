//! `crosses-users`: the ends of one pipe are held by different users. Anonymous pipes between the same users and commands are one finding:
//! a server has as many as it has workers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::phrases::verb;
use super::{
    About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role, all_on, crosses_containers, thousands,
};
use crate::model::{CommandName, Doubts, Pid, Pipe, PipeId, Severity, Side, Uid};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
The ends of one pipe are held by processes of different users, by their
effective user IDs.

Warning if root is on exactly one of two sides: if root reads, what other users
write reaches a process with full privileges; if root writes, other users read
what it writes. Otherwise notice (info), also where no process was seen on a
side. A process whose user could not be read is not counted.

Also notice (info) if the pipe is anonymous and all of its other holders
descend from one of root: it has started them, as cron(8) does and many servers
with workers that have dropped their privileges. Likewise if root created the
anonymous pipe, by the owner of its inode: root has passed it on, as a shell of
root does for `COMMAND | setpriv --reuid USER FILTER`. What remains is a pipe
that another user created and a privileged program uses, such as one that
sudo(8) started. If crosses-containers reports such a pipe as usual, this does
not report it again. Anonymous pipes between processes of the same users and
commands are one finding.

Harmless where a program of one user is meant to listen to one of another:
`sudo cat FILE | less` is such a pipe. What is intended belongs in the baseline.

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
    /// The pipe; the first of several.
    pub pipe: PipeId,
    /// How many pipes there are between processes of the same users and commands; missing for one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: usize,
    /// The effective users on the read side, ascending.
    pub readers: Vec<Uid>,
    /// Those on the write side.
    pub writers: Vec<Uid>,
    /// The side that root is on, where it is on one only of two.
    pub root: Option<Side>,
    /// True if all holders that are not of root descend from one that is; otherwise missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub started_by_root: bool,
    /// True if root created the anonymous pipe, and so has handed it on; otherwise, and where that is not known, missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub created_by_root: bool,
}

const fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_one(count: &usize) -> bool {
    *count == 1
}

impl Kind for CrossesUsers {
    fn severity(&self, _: bool) -> Severity {
        if self.root.is_some() && !self.started_by_root && !self.created_by_root {
            Severity::Warning
        } else {
            Severity::Info
        }
    }

    fn identity(&self) -> Identity {
        Identity::Pipe
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let (pipe, is_several) = (phrases.pipe(self.pipe), self.count > 1);
        let pipe = match self.count {
            ..=1 => pipe,
            2 => format!("{pipe} and another pipe"),
            count => format!("{pipe} and {} more pipes", thousands(count - 1)),
        };
        let (is, end) = if is_several { ("are", "ends") } else { ("is", "end") };
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
                format!("{pipe} {is} shared by several users: {writing} may write, {reading} may read")
            }
            (false, false) => {
                let passes = verb(self.count, "passes", "pass");
                format!("{pipe} {passes} data from one user to another: {writing} to {reading}")
            }
            (false, true) => format!("the read {end} of {pipe} {is} shared by several users: {reading}"),
            (true, false) => format!("the write {end} of {pipe} {is} shared by several users: {writing}"),
            (true, true) => format!("{pipe} {is} shared by several users"),
        }
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let mut lines = phrases.holders(self.pipe, |pid| phrases.user_of(pid));
        let more = self.count.saturating_sub(1);
        let text = || format!("and {} more between processes of the same commands and users", thousands(more));
        lines.extend((more > 0).then(|| Evidence { role: Role::Holder, text: text() }));
        lines
    }

    fn advice(&self, _: &Phrases<'_>, _: &Doubts) -> String {
        match self.root {
            Some(_) if self.started_by_root => {
                "Nothing to do if that process of root is meant to start programs for other users, or workers that drop their privileges."
            }
            Some(_) if self.created_by_root => {
                "Nothing to do if root is meant to pass this pipe to a program of another user: root created it."
            }
            Some(Side::Read) => "Root reads data from another user: make sure that the reader treats it as untrusted input.",
            Some(Side::Write) => "Another user reads what root writes: make sure that it contains no secrets.",
            None => {
                "Nothing to do if these users are meant to share it, as with su(1) and services that drop their privileges."
            }
        }
        .to_owned()
    }
}

/// What the pipes of one finding have in common: what it says of them, but for the pipe, and the commands on each side.
type Common = (Option<PipeId>, Option<Side>, [bool; 2], [Vec<Uid>; 2], [BTreeSet<CommandName>; 2]);

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let mut groups: BTreeMap<Common, Vec<&Pipe>> = BTreeMap::new();
    for pipe in case.graph.pipes.iter().filter(|pipe| pipe.id.kind().is_pipe()) {
        if let Some(common) = common(case, pipe) {
            groups.entry(common).or_default().push(pipe);
        }
    }
    let judgement =
        |((_, root, [started_by_root, created_by_root], [readers, writers], _), pipes): (Common, Vec<&Pipe>)| {
            let pipe = pipes.first()?.id;
            let tasks = case.leaders(pipes.iter().flat_map(|pipe| all_on(pipe)));
            let count = pipes.len();
            let details = CrossesUsers { pipe, count, readers, writers, root, started_by_root, created_by_root };
            Some(Judgement::new(Details::CrossesUsers(details), tasks, pipes.into_iter().map(|pipe| pipe.id)))
        };
    let mut found: Vec<Judgement> = groups.into_iter().filter_map(judgement).collect();
    found.sort_by(|one, other| one.pipes.cmp(&other.pipes));
    found
}

/// None if it has one user, or is one that another finding reports as usual.
fn common(case: &Case<'_>, pipe: &Pipe) -> Option<Common> {
    let users @ [readers, writers] = &Side::BOTH.map(|side| case.graph.users_on(pipe, side));
    let first = readers.first().or(writers.first())?;
    if readers.iter().chain(writers).all(|user| user == first) {
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
    let is_anonymous = !pipe.id.kind().is_named();
    let started_by_root = is_anonymous && root.is_some_and(|side| has_started_others(case, pipe, side));
    // Another user cannot make it root's: see chown(2).
    let created_by_root = is_anonymous && root.is_some() && pipe.file.is_some_and(|file| file.owner == ROOT);
    let is_notice = root.is_none() || started_by_root || created_by_root;
    if is_anonymous && is_notice && crosses_containers::is_usual(case, pipe) {
        return None;
    }
    let name = |pid: Pid| case.processes.name(pid).cloned().unwrap_or_default();
    let commands = Side::BOTH.map(|side| pipe.on(side).map(name).collect());
    let by_root = [started_by_root, created_by_root];
    Some(((!is_anonymous).then_some(pipe.id), root, by_root, users.clone(), commands))
}

/// Whether all holders that are not of root descend from one of root on this side, as far as users and ancestors are known.
fn has_started_others(case: &Case<'_>, pipe: &Pipe, side: Side) -> bool {
    let may_be_root = |pid: &Pid| case.user(*pid).is_none_or(|user| user == ROOT);
    let others: Vec<Pid> = all_on(pipe).into_iter().filter(|pid| !may_be_root(pid)).collect();
    let may_descend =
        |pid: Pid, from: Pid| case.processes.is_ancestor(from, pid) || !case.processes.knows_ancestors(pid);
    let starters: BTreeSet<Pid> = pipe.on(side).filter(may_be_root).collect();
    starters.into_iter().any(|root| others.iter().all(|pid| may_descend(*pid, root)))
}
