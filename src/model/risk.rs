//! What an audit finds beyond `why`: who shares a pipe that should not, and what runs out.

use super::{Code, Endpoint, Gid, Pid, PipeId, Severity, Side, Uid};

/// Something that works, and may not stay so, or should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Risk {
    /// The ends of a pipe are held by different users.
    CrossesUsers {
        /// The pipe.
        pipe: PipeId,
        /// The effective users on the read side, ascending.
        readers: Vec<Uid>,
        /// Those on the write side.
        writers: Vec<Uid>,
        /// The side that root is on, where it is on one only.
        root: Option<Side>,
    },
    /// The holders of a pipe are in different containers or PID namespaces.
    CrossesContainers {
        /// The pipe.
        pipe: PipeId,
        /// Where they are, by container and namespace.
        places: Vec<Place>,
        /// Whether it is to be expected: only their namespaces differ, or it is a standard stream of a container, which a single process
        /// outside has.
        usual: bool,
    },
    /// Others may open a FIFO that somebody has open.
    FifoExposed {
        /// The FIFO.
        pipe: PipeId,
        /// What they may do, the worst first; not empty.
        exposures: Vec<Exposure>,
    },
    /// A FIFO is in use that has no name left.
    DeletedFifo {
        /// The FIFO.
        pipe: PipeId,
        /// The side that surely nobody is on, and that nobody can open by name any more.
        lacks: Option<Side>,
    },
    /// A process or user holds unusually many ends.
    EndHoard {
        /// Who.
        hoarder: Hoarder,
        /// How many.
        ends: u64,
    },
    /// The pipes of a user come near a limit of their pages.
    PipePages(PipePages),
    /// A process of another session holds an end beside the pipeline's own.
    InheritedEnd {
        /// The pipe.
        pipe: PipeId,
        /// The session that has a reader and a writer.
        session: u32,
        /// The ends in other sessions, ordered as ends are; not empty.
        ends: Vec<Endpoint>,
        /// Whether those who hold them all descend from one that holds the pipeline's own.
        descend: bool,
    },
}

/// A container and PID namespace, and who of the holders of a pipe is in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The container; none for the host, or a container that does not show.
    pub container: Option<String>,
    /// The inode of the PID namespace, where it could be read.
    pub namespace: Option<u64>,
    /// Who, ascending.
    pub pids: Vec<Pid>,
}

/// What others may do with a FIFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// They may open the side other than this one, which is held: write to what is read, or read what is written.
    Opened {
        /// The side that is held.
        held: Side,
        /// Who may.
        by: Class,
        /// Whether root is among those who hold it.
        root: bool,
    },
    /// They may put another file in its place, for root to open it next.
    Replaced {
        /// Who may.
        by: Class,
    },
}

/// Whom the mode of a file is for; see inode(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Everybody.
    Others,
    /// The members of its group.
    Group(Gid),
    /// Its owner.
    Owner(Uid),
    /// The owner of a directory above it.
    Above(Uid),
}

/// Who holds many ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hoarder {
    /// A process.
    Process {
        /// Which.
        pid: Pid,
        /// How many descriptors it may have, by its soft limit.
        fd_limit: Option<u64>,
        /// How many it has.
        fds: Option<u64>,
        /// What it passed.
        passed: Passed,
    },
    /// A user, in all processes together.
    User {
        /// Which.
        user: Uid,
        /// In how many processes.
        processes: usize,
        /// Those with the most ends, and how many; not empty.
        most: Vec<(Pid, u64)>,
    },
}

/// From where on ends are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Passed {
    /// The number that is usual.
    Usual(u64),
    /// Half of the limit.
    Half,
    /// Nine tenths of the limit.
    NearlyAll,
}

/// How near the pipes of a user come to a limit of pipe(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipePages {
    /// Who made the pipes.
    pub user: Uid,
    /// How many were seen.
    pub pipes: u64,
    /// The pages that their buffers may take.
    pub pages: u64,
    /// Whether that was counted from what pipes usually have, since the kernel was not asked of each.
    pub estimated: bool,
    /// The limit.
    pub limit: PageLimit,
    /// The process that holds the most ends of them.
    pub most: Pid,
}

/// A limit of the pages in the pipes of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageLimit {
    /// `pipe-user-pages-soft` is near.
    NearSoft(u64),
    /// It is passed: what an unprivileged user makes is small.
    Soft(u64),
    /// `pipe-user-pages-hard` is reached: an unprivileged user can make no more.
    Hard(u64),
}

impl Risk {
    /// The word for it in every output.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::CrossesUsers { .. } => Code::CrossesUsers,
            Self::CrossesContainers { .. } => Code::CrossesContainers,
            Self::FifoExposed { .. } => Code::FifoExposed,
            Self::DeletedFifo { .. } => Code::DeletedFifo,
            Self::EndHoard { .. } => Code::EndHoard,
            Self::PipePages(_) => Code::PipePages,
            Self::InheritedEnd { .. } => Code::InheritedEnd,
        }
    }

    /// How bad it is, if it is proven.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::CrossesUsers { root: Some(_), .. }
            | Self::CrossesContainers { usual: false, .. }
            | Self::DeletedFifo { lacks: Some(_), .. } => Severity::Warning,
            Self::CrossesUsers { root: None, .. }
            | Self::CrossesContainers { usual: true, .. }
            | Self::DeletedFifo { lacks: None, .. } => Severity::Info,
            Self::FifoExposed { exposures, .. } => {
                exposures.iter().map(|exposure| exposure.severity()).min().unwrap_or(Severity::Info)
            }
            Self::EndHoard { hoarder: Hoarder::Process { passed: Passed::NearlyAll, .. }, .. } => Severity::Error,
            Self::EndHoard { hoarder: Hoarder::Process { .. }, .. } => Severity::Warning,
            Self::EndHoard { hoarder: Hoarder::User { .. }, .. } => Severity::Info,
            Self::PipePages(pages) => pages.severity(),
            Self::InheritedEnd { ends, descend, .. } => {
                let keeps_open = ends.iter().any(|end| end.access.is_on(Side::Write));
                if keeps_open && !descend { Severity::Warning } else { Severity::Info }
            }
        }
    }

    /// The user that it is about, where it is about one and not about a pipe.
    #[must_use]
    pub const fn user(&self) -> Option<Uid> {
        match self {
            Self::EndHoard { hoarder: Hoarder::User { user, .. }, .. } => Some(*user),
            Self::PipePages(pages) => Some(pages.user),
            _ => None,
        }
    }
}

impl Exposure {
    /// How bad it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Opened { held: Side::Read, by: Class::Others, root: true } => Severity::Error,
            Self::Opened { held: Side::Write, by: Class::Others, root: true }
            | Self::Replaced { by: Class::Others } => Severity::Warning,
            Self::Opened { .. } | Self::Replaced { .. } => Severity::Info,
        }
    }
}

impl PipePages {
    /// Root is exempt, unless it lacks the capabilities for that, as it does in most containers.
    const fn severity(&self) -> Severity {
        match self.limit {
            _ if self.user.0 == 0 => Severity::Info,
            PageLimit::NearSoft(_) => Severity::Info,
            PageLimit::Soft(_) => Severity::Warning,
            PageLimit::Hard(_) => Severity::Error,
        }
    }
}
