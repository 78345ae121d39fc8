//! `fifo-exposed`: other users may open a FIFO that root, or another user, has open.

use serde::{Deserialize, Serialize};

use super::phrases::lines;
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::model::{Class, Doubt, Doubts, Gid, Pipe, PipeFile, PipeId, Severity, Side, Uid};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Error, Severity::Warning, Severity::Info],
    explain: "\
Root has a FIFO open, and other users may open its other side: by the mode of
the FIFO, and by the directories above it, as its holder sees them.

Error if root reads what any user may write. Warning if root writes what any
user may read (a reader consumes data that is meant for another), and if any
user may replace the FIFO by another file, since a directory on its path is
writable to all and not sticky. Notice (info) if only the members of its group
or of that of a directory above may, or an owner of either that is not root; and
if the reader of what any user may write is not root.

Only modes are checked: access control lists and security modules may allow more
or less, and another hard link may be in another directory. Where the
directories could not be read, they may deny access: that is reported as a
doubt, and an error is a warning then. Needs permission to look into the root
directory of the holder.

Harmless where any user is meant to write, and the reader trusts nothing.

What to do: chmod(1) the FIFO to 600, or to 620 with a group of its own, or
move it to a directory that other users may not search.",
    summary: Some(["FIFO that other users may open", "FIFOs that other users may open"]),
    ..super::OF_AUDIT
};

/// The bits of others in the mode of a file; those of its group are three bits further up.
const READ: u16 = 0o4;
const WRITE: u16 = 0o2;

/// The owner and mode are in the report's pipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FifoExposed {
    /// The FIFO.
    pub pipe: PipeId,
    /// What other users may do, the most severe first; not empty.
    pub exposures: Vec<Exposure>,
}

/// What other users may do with a FIFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "may", rename_all = "lowercase")]
pub enum Exposure {
    /// Open the side other than the one that is held: write to what is read, or read what is written.
    Open {
        /// The side that is held.
        held: Side,
        /// The users that may.
        by: Class,
        /// Whether root is among those that hold it.
        root: bool,
    },
    /// Replace it with another file, which root opens next.
    Replace {
        /// The users that may.
        by: Class,
    },
}

impl Exposure {
    const fn severity(self) -> Severity {
        match self {
            Self::Open { held: Side::Read, by: Class::Others, root: true } => Severity::Error,
            Self::Open { held: Side::Write, by: Class::Others, root: true } | Self::Replace { by: Class::Others } => {
                Severity::Warning
            }
            Self::Open { .. } | Self::Replace { .. } => Severity::Info,
        }
    }

    /// What ends it.
    const fn remedy(self) -> &'static str {
        match self {
            Self::Open { by: Class::Others, .. } => {
                "`chmod o-rw` the FIFO, or move it to a directory that other users may not search"
            }
            Self::Open { by: Class::Group(_), .. } => {
                "`chmod g-rw` the FIFO, or move it to a directory that the group may not search"
            }
            Self::Open { by: Class::Owner(_), .. } => {
                "create it as root, or `chown root` it: the owner of a FIFO may change its mode, and then open it"
            }
            Self::Open { by: Class::Above(_), .. } | Self::Replace { by: Class::Above(_) | Class::Owner(_) } => {
                "keep it below directories that are all owned by root: one on its path is owned by another user"
            }
            Self::Replace { by: Class::Others } => {
                "`chmod o-w` the directories on its path that any user may write to, or make them sticky (`chmod +t`)"
            }
            Self::Replace { by: Class::Group(_) } => {
                "`chmod g-w` the directories on its path that the group may write to, or make them sticky (`chmod +t`)"
            }
        }
    }

    fn message(self, phrases: &Phrases<'_>, pipe: PipeId) -> String {
        let class = |class| match class {
            Class::Others => "any user".to_owned(),
            Class::Group(gid) => format!("group {gid}"),
            Class::Owner(uid) | Class::Above(uid) => phrases.user(uid),
        };
        match self {
            Self::Replace { by } => format!("{} may replace it with another file", class(by)),
            Self::Open { held, by, .. } => {
                let users = phrases.graph.pipe(pipe).map(|pipe| phrases.graph.users_on(pipe, held));
                let (class, holders) = (class(by), phrases.users(&users.unwrap_or_default()));
                match held {
                    Side::Read => format!("{class} may write to what {holders} reads"),
                    Side::Write => format!("{class} may read what {holders} writes"),
                }
            }
        }
    }
}

impl Kind for FifoExposed {
    fn severity(&self, doubted: bool) -> Severity {
        let worst = self.exposures.iter().map(|exposure| exposure.severity()).min().unwrap_or(Severity::Info);
        // An error has to be proven.
        if doubted { worst.max(Severity::Warning) } else { worst }
    }

    fn identity(&self) -> Identity {
        Identity::Pipe
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let exposures: Vec<String> = self.exposures.iter().map(|it| it.message(phrases, self.pipe)).collect();
        format!("{} is open to other users: {}", phrases.pipe(self.pipe), exposures.join("; "))
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let mode = lines(Role::Holder, mode(phrases, self.pipe), |line| line);
        [mode, phrases.holders(self.pipe, |pid| phrases.user_of(pid))].concat()
    }

    /// No command contains the path: other users choose it, and root may paste the command.
    fn advice(&self, _: &Phrases<'_>, _: &Doubts) -> String {
        let mut remedies: Vec<&str> = Vec::new();
        for remedy in self.exposures.iter().map(|exposure| exposure.remedy()) {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        format!("To prevent: {}.", remedies.join(". Also "))
    }
}

/// `mode 0622, owner user 7, group 7`, and whether other users may search the directories above it.
fn mode(phrases: &Phrases<'_>, pipe: PipeId) -> Option<String> {
    let file = phrases.graph.pipe(pipe)?.file?;
    let directories = match file.directories {
        Some(directories) if directories.others => "; any user may search every directory on its path",
        Some(_) => "; other users may not search one of the directories on its path",
        None => "",
    };
    let owner = phrases.user(file.owner);
    Some(format!("mode {:04o}, owner {owner}, group {}{directories}", file.mode, file.group))
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    case.each_pipe(of_pipe)
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe) -> Option<Judgement> {
    let file = pipe.file.filter(|_| pipe.has_name())?;
    let [readers, writers] = Side::BOTH.map(|side| case.graph.users_on(pipe, side));
    let mut exposures = Vec::new();
    for (held, users) in [(Side::Read, &readers), (Side::Write, &writers)] {
        let root = users.contains(&Uid(0));
        // If another user holds it, it matters only that any user may write to it.
        let matters = |by: &Class| root || (held == Side::Read && !users.is_empty() && *by == Class::Others);
        exposures.extend(opener(&file, held).filter(matters).map(|by| Exposure::Open { held, by, root }));
    }
    if readers.contains(&Uid(0)) || writers.contains(&Uid(0)) {
        exposures.extend(replacer(&file).map(|by| Exposure::Replace { by }));
    }
    if exposures.is_empty() {
        return None;
    }
    exposures.sort_by_key(|exposure| exposure.severity());
    let mut doubts = Doubts::default();
    doubts.extend(file.directories.is_none().then_some(Doubt::Directories(pipe.id)));
    Some(Judgement { doubts, ..case.of_all_on(pipe, Details::FifoExposed(FifoExposed { pipe: pipe.id, exposures })) })
}

/// The widest class that may open the other side of the one that is held, except root; none if no other user may.
fn opener(file: &PipeFile, held: Side) -> Option<Class> {
    let bit = match held {
        Side::Read => WRITE,
        Side::Write => READ,
    };
    let PipeFile { owner, group, mode, directories } = *file;
    if mode & bit != 0 && directories.is_none_or(|way| way.others) {
        Some(Class::Others)
    } else if mode >> 3 & bit != 0 && group != Gid(0) && directories.is_none_or(|way| way.group) {
        Some(Class::Group(group))
    } else if owner != Uid(0) && directories.is_none_or(|way| way.owner) {
        // An owner may change the mode.
        Some(Class::Owner(owner))
    } else {
        let passing = directories.and_then(|way| way.owner_passes).filter(|_| mode & bit != 0);
        passing.map(Class::Above)
    }
}

/// The widest class that may replace the FIFO with another file, except root.
fn replacer(file: &PipeFile) -> Option<Class> {
    let way = file.directories?;
    let owner = way.owner_replaces.map(Class::Above);
    let group = way.group_replaces.map(Class::Group);
    way.replaceable.then_some(Class::Others).or(group).or(owner)
}
