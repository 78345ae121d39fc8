//! The words of an audit for what it finds beyond `why`: what is wrong, by whom it shows, and what would help.

use super::super::ReportView;
use super::super::text::escape_name;
use super::words::{is_one, list};
use crate::model::{
    AccessMode, Class, Endpoint, Exposure, Gid, Hoarder, PageLimit, Passed, Pid, PipeId, PipePages, Place, Risk, Side,
    Uid,
};

/// The buffers of a pipe that a user gets who is over `pipe-user-pages-soft`: `PIPE_MIN_DEF_BUFFERS` of `include/linux/pipe_fs_i.h`.
const LEAST_BUFFERS: u64 = 2;

/// The usual size of a page, where that of the machine is not known.
const PAGE: u64 = 4096;

impl ReportView<'_> {
    /// What is wrong, in a sentence.
    pub(super) fn risk_message(&self, risk: &Risk) -> String {
        match risk {
            Risk::CrossesUsers { pipe, readers, writers, root } => {
                let pipe = self.pipe_name(*pipe);
                let is_both = readers.iter().any(|user| writers.contains(user));
                let others = |users: &[Uid]| {
                    let others = users.iter().copied().filter(|user| *user != Uid(0));
                    self.users_named(&others.collect::<Vec<_>>())
                };
                let (readers, writers) = match root {
                    Some(Side::Read) => (self.users_named(readers), others(writers)),
                    Some(Side::Write) => (others(readers), self.users_named(writers)),
                    None => (self.users_named(readers), self.users_named(writers)),
                };
                match (readers, writers) {
                    (Some(readers), Some(writers)) if is_both => {
                        format!("{pipe} is shared by users: {writers} to write, {readers} to read")
                    }
                    (Some(readers), Some(writers)) => {
                        format!("{pipe} passes from one user to another: {writers} to {readers}")
                    }
                    (Some(users), None) => format!("the read end of {pipe} is shared by users: {users}"),
                    (None, Some(users)) => format!("the write end of {pipe} is shared by users: {users}"),
                    (None, None) => format!("{pipe} is shared by users"),
                }
            }
            Risk::CrossesContainers { pipe, places, .. } => {
                let named = list(places.iter().map(place).collect());
                format!("{} crosses the boundary of a container or PID namespace: {named}", self.pipe_name(*pipe))
            }
            Risk::FifoExposed { pipe, exposures, .. } => {
                let name = self.pipe_name(*pipe);
                let said: Vec<String> = exposures.iter().map(|it| self.exposure(*pipe, *it)).collect();
                format!("{name} is open to others: {}", said.join("; "))
            }
            Risk::DeletedFifo { pipe, lacks } => {
                let name = self.pipe_name(*pipe);
                match lacks {
                    Some(side) => format!(
                        "{name} was removed while in use, and has no {}: nobody can open it by name any more",
                        side.holder()
                    ),
                    None => format!("{name} was removed while in use: nobody else can open it by name any more"),
                }
            }
            Risk::EndHoard { hoarder: Hoarder::Process { pid, passed, fd_limit, .. }, ends } => {
                let who = self.who(*pid, None);
                match (passed, fd_limit) {
                    (Passed::Usual(usual), _) => format!("{who} holds {ends} pipe ends, more than {usual}"),
                    (_, Some(limit)) => format!("{who} holds {ends} pipe ends, and may have {limit} descriptors"),
                    (_, None) => format!("{who} holds {ends} pipe ends"),
                }
            }
            Risk::EndHoard { hoarder: Hoarder::User { user, processes, .. }, ends } => {
                format!("{} holds {ends} pipe ends in {processes} processes", self.user_named(*user))
            }
            Risk::PipePages(pages) => self.pages_message(pages),
            Risk::InheritedEnd { pipe, session, ends, .. } => {
                let pids = self.processes(ends.iter().map(|end| end.pid));
                let keeps = if ends.iter().any(|end| end.access.is_on(Side::Write)) {
                    "its readers get no end of file"
                } else {
                    "its writers get no SIGPIPE"
                };
                format!(
                    "{} belongs to a pipeline of session {session}, and {pids} of another {} an end of it: {keeps} before that ends",
                    self.pipe_name(*pipe),
                    if is_one(ends.iter().map(|end| end.pid)) { "has" } else { "have" },
                )
            }
        }
    }

    fn exposure(&self, pipe: PipeId, exposure: Exposure) -> String {
        match exposure {
            Exposure::Replaced { by } => format!("{} may put another file in its place", self.class(by)),
            Exposure::Opened { held, by, .. } => {
                let who = self.class(by);
                let users = self.graph.pipe(pipe).map(|pipe| self.graph.users_on(pipe, held)).unwrap_or_default();
                let holders = self.users_named(&users).unwrap_or_else(|| "somebody".to_owned());
                match held {
                    Side::Read => format!("{who} may write to what {holders} reads"),
                    Side::Write => format!("{who} may read what {holders} writes"),
                }
            }
        }
    }

    fn class(&self, class: Class) -> String {
        match class {
            Class::Others => "everybody".to_owned(),
            Class::Group(Gid(group)) => format!("group {group}"),
            Class::Owner(owner) | Class::Above(owner) => self.user_named(owner),
        }
    }

    fn pages_message(&self, pages: &PipePages) -> String {
        let PipePages { user, pipes, pages, estimated, limit, .. } = pages;
        let about = if *estimated { "about " } else { "" };
        let has = format!("{} has {about}{pages} pages in {pipes} pipes", self.user_named(*user));
        match limit {
            PageLimit::NearSoft(soft) => {
                format!("{has}, and from pipe-user-pages-soft ({soft}) on gets small ones only")
            }
            PageLimit::Soft(soft) => {
                let small = LEAST_BUFFERS.saturating_mul(self.graph.limits.page_size.unwrap_or(PAGE));
                format!("{has}, more than pipe-user-pages-soft ({soft}): new pipes hold {small} bytes at most")
            }
            PageLimit::Hard(hard) => {
                format!("{has}, and one more would pass pipe-user-pages-hard ({hard}): pipe(2) fails with ENFILE")
            }
        }
    }

    /// Who is in it: a line for each.
    pub(super) fn risk_evidence(&self, risk: &Risk) -> Vec<String> {
        match risk {
            Risk::CrossesUsers { pipe, .. } | Risk::DeletedFifo { pipe, .. } => {
                self.holders(*pipe, |pid| self.user_of(pid).map(|user| self.user_named(user)))
            }
            Risk::FifoExposed { pipe, .. } => {
                let mut lines = Vec::from_iter(self.mode_of(*pipe));
                lines.extend(self.holders(*pipe, |pid| self.user_of(pid).map(|user| self.user_named(user))));
                lines
            }
            Risk::CrossesContainers { pipe, places, .. } => self.holders(*pipe, |pid| {
                places.iter().find(|place| place.pids.contains(&pid)).map(|it| format!("in {}", place(it)))
            }),
            Risk::EndHoard { hoarder: Hoarder::Process { fds: Some(fds), fd_limit: Some(limit), .. }, .. } => {
                vec![format!("it has {fds} descriptors in all, of {limit}")]
            }
            Risk::EndHoard { hoarder: Hoarder::Process { .. }, .. } => Vec::new(),
            Risk::EndHoard { hoarder: Hoarder::User { most, .. }, .. } => {
                most.iter().map(|(pid, ends)| format!("{} holds {ends}", self.who(*pid, None))).collect()
            }
            Risk::PipePages(pages) => vec![format!("{} holds the most ends of them", self.who(pages.most, None))],
            Risk::InheritedEnd { ends, .. } => {
                let line = |ends: &[Endpoint]| {
                    let pid = ends.first()?.pid;
                    let session = self.graph.processes.get(&pid).and_then(|process| process.sid);
                    let session = session.map_or_else(String::new, |session| format!(", of session {session},"));
                    Some(format!("{}{session} has {}, without O_CLOEXEC", self.who(pid, None), ends_of(ends)))
                };
                ends.chunk_by(|one, other| one.pid == other.pid).filter_map(line).collect()
            }
        }
    }

    /// What would help, in a sentence or two.
    pub(super) fn risk_advice(&self, risk: &Risk) -> String {
        match risk {
            Risk::CrossesUsers { root: Some(Side::Read), .. } => {
                "Whatever root reads from it, another user may have written: it has to be checked like any other input.".to_owned()
            }
            Risk::CrossesUsers { root: Some(Side::Write), .. } => {
                "Whatever root writes to it, another user reads: it must hold no secrets.".to_owned()
            }
            Risk::CrossesUsers { root: None, .. } => {
                "Nothing to do, if these users are meant to share it, as with su(1) and services that drop their rights.".to_owned()
            }
            Risk::CrossesContainers { usual: true, .. } => {
                "Nothing to do, if it is a stream of a container or sandbox that somebody outside watches.".to_owned()
            }
            Risk::CrossesContainers { usual: false, .. } => {
                "Close what the container should not have before it is started; O_CLOEXEC does.".to_owned()
            }
            // A command with its path in it would be for root to copy, and the path is chosen by others.
            Risk::FifoExposed { exposures, .. } => match exposures.first() {
                Some(Exposure::Opened { by: Class::Group(_), .. }) => {
                    "`chmod g-rw` takes the rights away; so does a directory that the group may not search.".to_owned()
                }
                Some(Exposure::Opened { by: Class::Owner(_), .. }) => {
                    "Its owner may do so whatever its mode is: let root make it, or `chown root` it.".to_owned()
                }
                Some(Exposure::Opened { by: Class::Above(_), .. } | Exposure::Replaced { by: Class::Above(_) | Class::Owner(_) }) => {
                    "A directory above it is theirs: keep it in one that is root's, below others that are.".to_owned()
                }
                Some(Exposure::Replaced { by }) => {
                    let bits = if *by == Class::Others { "o-w" } else { "g-w" };
                    format!("`chmod {bits}` its directory, and those above it, or make them sticky (`chmod +t`).")
                }
                Some(Exposure::Opened { by: Class::Others, .. }) | None => {
                    "`chmod o-rw` takes the rights away; so does a directory that others may not search.".to_owned()
                }
            },
            Risk::DeletedFifo { lacks: Some(_), .. } => {
                "Whoever holds it has to be started anew, with a FIFO that exists.".to_owned()
            }
            Risk::DeletedFifo { lacks: None, .. } => {
                "Nothing to do, if its users removed it on purpose once all had opened it.".to_owned()
            }
            Risk::EndHoard { hoarder: Hoarder::Process { pid, .. }, .. } => format!(
                "See what they are with `lspipe fds {pid}`. If they become more and more, it forgets to close them; else raise its \
                 limit, as `prlimit --nofile` does."
            ),
            Risk::EndHoard { hoarder: Hoarder::User { user, .. }, .. } => {
                format!("See which with `lspipe -u {user}`.")
            }
            Risk::PipePages(PipePages { user: Uid(0), .. }) => {
                "Root is exempt, but not without CAP_SYS_RESOURCE and CAP_SYS_ADMIN, as in most containers: raise the limit with \
                 sysctl(8) if those have small pipes."
                    .to_owned()
            }
            Risk::PipePages(PipePages { limit: PageLimit::Hard(_), .. }) => {
                "Close pipes, or raise fs.pipe-user-pages-hard with sysctl(8).".to_owned()
            }
            Risk::PipePages(_) => "Close pipes, or raise fs.pipe-user-pages-soft with sysctl(8).".to_owned(),
            Risk::InheritedEnd { descend: true, .. } => {
                "Nothing to do, if whoever started it waits for it. Else start it with that descriptor closed.".to_owned()
            }
            Risk::InheritedEnd { ends, .. } => {
                let closed = ends.first().map_or_else(String::new, |end| format!(" (in a shell `{}>&-`)", end.fd));
                format!("Start it with that descriptor closed or elsewhere{closed}, or open the pipe with O_CLOEXEC.")
            }
        }
    }

    /// All who hold an end of a pipe or are opening it, a line for each process, with what is said of it.
    fn holders(&self, pipe: PipeId, of: impl Fn(Pid) -> Option<String>) -> Vec<String> {
        let Some(pipe) = self.graph.pipe(pipe) else { return Vec::new() };
        let said = |pid: Pid| of(pid).map_or_else(String::new, |said| format!(", {said},"));
        // The ends are ordered by process.
        let ends = pipe.ends.chunk_by(|one, other| one.pid == other.pid);
        let held = ends.filter_map(|ends| {
            let pid = ends.first()?.pid;
            Some(format!("{}{} has {}", self.who(pid, None), said(pid), ends_of(ends)))
        });
        let openers = pipe
            .openers
            .iter()
            .map(|opener| format!("{}{} waits in open(2) of it", self.who_task(opener.task), said(opener.task.pid)));
        held.chain(openers).collect()
    }

    /// `its mode is 0622, of user 0 and group 0`
    fn mode_of(&self, pipe: PipeId) -> Option<String> {
        let file = self.graph.pipe(pipe)?.file?;
        let way = match file.directories {
            Some(directories) if directories.others => "; its directories keep nobody out",
            Some(_) => "; its directories keep others out",
            None => "",
        };
        Some(format!("its mode is {:04o}, of {} and group {}{way}", file.mode, self.user_named(file.owner), file.group))
    }

    fn user_of(&self, pid: Pid) -> Option<Uid> {
        self.graph.processes.get(&pid)?.uid
    }

    /// `root`, `nobody (user 65534)` or `user 65534`.
    fn user_named(&self, user: Uid) -> String {
        match self.users.name(user) {
            _ if user == Uid(0) => "root".to_owned(),
            Some(name) => format!("{} (user {user})", escape_name(name.as_bytes())),
            None => format!("user {user}"),
        }
    }

    /// Some of them by name; none of nobody.
    fn users_named(&self, users: &[Uid]) -> Option<String> {
        (!users.is_empty()).then(|| list(users.iter().map(|user| self.user_named(*user)).collect()))
    }
}

/// `its read end (fd 0) and its write end (fd 1 and fd 2)`, of ends of one process.
fn ends_of(ends: &[Endpoint]) -> String {
    let kinds = [
        (AccessMode::Read, "its read end"),
        (AccessMode::Write, "its write end"),
        (AccessMode::ReadWrite, "it open for both"),
    ];
    let of_kind = |(access, name)| {
        let fds: Vec<String> =
            ends.iter().filter(|end| end.access == access).map(|end| format!("fd {}", end.fd)).collect();
        (!fds.is_empty()).then(|| format!("{name} ({})", list(fds)))
    };
    list(kinds.into_iter().filter_map(of_kind).collect())
}

fn place(place: &Place) -> String {
    /// As much of an ID in hexadecimal as docker(1) shows.
    const SHORT: usize = 12;
    let container = place.container.as_deref().map(|name| {
        let is_id = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let shown = if is_id { name.get(..SHORT).unwrap_or(name) } else { name };
        format!("container {}", escape_name(shown.as_bytes()))
    });
    match (container, place.namespace) {
        (Some(container), _) => container,
        (None, Some(inode)) => format!("PID namespace {inode}"),
        (None, None) => "no container".to_owned(),
    }
}
