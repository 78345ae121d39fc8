//! The words for what is found: who, doing what, what is wrong with it, and what would help. The same in text and JSON.

use std::time::Duration;

use super::super::ReportView;
use super::super::text::{escape_name, sanitize_sentence};
use super::signals::Signal;
use crate::model::{
    AccessMode, AlternativeWake, Certainty, Children, Code, Doubt, Endpoint, Fault, Fd, Finding, HiddenVia, Holder,
    Operation, Pid, PipeId, PipeWait, PossibleHolder, Relation, Side, Sleep, SleepOn, Subject, Task, TaskId, TaskState,
    Tid, WaitEdge, WaitTarget,
};

/// So many processes are named in a sentence; of more, the rest is counted.
const MOST_NAMED: usize = 4;

impl<'a> ReportView<'a> {
    /// `cat (PID 252)`, and the thread where it is not the first.
    pub(super) fn who(&self, pid: Pid, tid: Option<Tid>) -> String {
        let name = self.command_of(pid).map_or_else(String::new, escape_name);
        let name = if name.is_empty() { "process".to_owned() } else { name };
        match tid.filter(|tid| tid.0 != pid.0) {
            Some(tid) => format!("{name} (PID {pid}, thread {tid})"),
            None => format!("{name} (PID {pid})"),
        }
    }

    pub(super) fn who_task(&self, task: TaskId) -> String {
        self.who(task.pid, Some(task.tid))
    }

    /// The command of a process, from wherever it is known.
    pub(in super::super) fn command_of(&self, pid: Pid) -> Option<&'a [u8]> {
        let process = self.graph.processes.get(&pid).map(|process| process.command.as_slice());
        let gap = || self.graph.coverage.gaps.iter().find(|gap| gap.pid == pid).map(|gap| gap.command.as_slice());
        process.or_else(|| self.told?.groups.get(&pid).map(|group| group.command.as_slice())).or_else(gap)
    }

    pub(in super::super) fn task(&self, id: TaskId) -> Option<&'a Task> {
        self.told?.groups.get(&id.pid)?.task(id)
    }

    /// `pipe:[18913]`, or the path of a FIFO.
    pub(in super::super) fn pipe_name(&self, id: PipeId) -> String {
        let path = self.graph.pipe(id).and_then(|pipe| pipe.path.as_deref());
        path.map_or_else(|| id.to_string(), escape_name)
    }

    /// What a thread waits for at a pipe: `reads pipe:[18913] (fd 0), which is empty`.
    pub(super) fn at_pipe(&self, wait: &PipeWait) -> String {
        let pipe = wait.pipe.map_or_else(|| "a pipe that could not be told".to_owned(), |pipe| self.pipe_name(pipe));
        let fd = fd(wait.fd);
        match wait.operation {
            Operation::Read => format!("reads {pipe}{fd}, which is empty"),
            Operation::Write => format!("writes to {pipe}{fd}, which is full{}", self.filling(wait.pipe)),
            Operation::Poll => format!("polls {pipe}{fd}{}", for_what(wait.access)),
            Operation::Open => {
                let path = wait.path.as_deref().map_or_else(|| "a FIFO".to_owned(), escape_name);
                format!("waits in open(2) of {path}{}", to_do_what(wait.access))
            }
        }
    }

    /// How much is in a pipe, where the kernel said it.
    fn filling(&self, pipe: Option<PipeId>) -> String {
        let probed = pipe.map(|pipe| self.graph.probed(pipe)).unwrap_or_default();
        match (probed.queued, probed.capacity) {
            (Some(queued), Some(capacity)) => format!(" ({queued} bytes of {capacity})"),
            _ => String::new(),
        }
    }

    /// What a thread is doing.
    pub(super) fn doing(&self, task: &Task) -> String {
        match &task.doing {
            TaskState::Runs => "runs".to_owned(),
            TaskState::Waits { causes, besides } => self.waiting(causes, *besides) + &since(task.idle),
            TaskState::Stopped => {
                format!("is stopped by a signal; {} lets it go on", self.send(Signal::Cont, &[task.id.pid]))
            }
            TaskState::Traced => match self.told.and_then(|told| told.groups.get(&task.id.pid)?.tracer) {
                Some(tracer) => format!("is stopped by its tracer, {}", self.who(tracer, None)),
                None => "is stopped by its tracer".to_owned(),
            },
            TaskState::Frozen => "is frozen by its control group".to_owned(),
            TaskState::Exits => "is exiting, and blocked in that".to_owned(),
            TaskState::Sleeps(sleep) => self.sleeps(sleep),
            TaskState::Unknown => "does something that could not be read".to_owned(),
        }
    }

    fn waiting(&self, causes: &[WaitTarget], besides: Option<AlternativeWake>) -> String {
        let mut polled =
            causes.iter().filter(|cause| matches!(cause, WaitTarget::Pipe(wait) if wait.operation == Operation::Poll));
        let what = match causes {
            [WaitTarget::Pipe(wait), ..] if polled.clone().nth(1).is_none() => self.at_pipe(wait),
            [WaitTarget::Pipe(_), ..] => {
                let names = polled.by_ref().filter_map(|cause| match cause {
                    WaitTarget::Pipe(wait) => wait.pipe.map(|pipe| format!("{}{}", self.pipe_name(pipe), fd(wait.fd))),
                    _ => None,
                });
                format!("polls {}", list(names.collect()))
            }
            [WaitTarget::Children(Children::One(child)), ..] => {
                format!("waits for its child {} to exit", self.who(*child, None))
            }
            [WaitTarget::Children(Children::All), ..] => "waits for a child to exit".to_owned(),
            [WaitTarget::Threads, ..] => "waits for another of its own threads".to_owned(),
            [] => "waits".to_owned(),
        };
        match besides {
            None => what,
            Some(AlternativeWake::Timeout) => what + ", with a timeout",
            Some(AlternativeWake::Files) => what + ", and files that are no pipes",
            Some(AlternativeWake::Lock) => {
                let what = what.trim_end_matches(", which is empty").trim_end_matches(", which is full");
                format!("{what}, and waits for its lock, which a call that does not return holds")
            }
        }
    }

    fn sleeps(&self, sleep: &Sleep) -> String {
        let target = match (&sleep.target, sleep.fd) {
            (Some(target), Some(fd)) => format!(" ({}, fd {fd})", escape_name(target)),
            _ => String::new(),
        };
        match sleep.on {
            SleepOn::Timer => "is in a timed sleep".to_owned(),
            SleepOn::Signal => "waits for a signal".to_owned(),
            SleepOn::Files => "polls files that are no pipes".to_owned(),
            SleepOn::SomeFiles => "polls files that could not be told".to_owned(),
            SleepOn::Futex => "waits for another thread".to_owned(),
            SleepOn::IoUring => "waits for io_uring, on what does not show".to_owned(),
            SleepOn::Terminal => format!("waits for its terminal{target}"),
            SleepOn::Socket => format!("waits for a socket{target}"),
            SleepOn::FileInPipe { pipe } => format!(
                "is in the middle of a call on {}{}, and waits for a file system ({}), so that nobody can use the pipe",
                self.pipe_name(pipe),
                fd(sleep.fd),
                escape_name(sleep.place.as_bytes())
            ),
            SleepOn::Other if sleep.place.is_empty() || sleep.place == "0" => format!("is blocked{target}"),
            SleepOn::Other => format!("is blocked in {}{target}", escape_name(sleep.place.as_bytes())),
        }
    }

    /// What is wrong, in a sentence.
    pub(crate) fn message(&self, finding: &Finding) -> String {
        let sentence = match &finding.fault {
            Fault::Recorded(record) => sanitize_sentence(&record.message),
            Fault::Deadlock { itself: true, .. } => {
                let pid = finding.tasks.first().map_or(Pid(0), |task| task.pid);
                format!("{} waits for itself: nobody else could end that", self.who(pid, None))
            }
            Fault::Deadlock { itself: false, .. } => {
                format!(
                    "{} wait for each other, and for nobody else",
                    self.processes(finding.tasks.iter().map(|task| task.pid))
                )
            }
            Fault::LeakedWriteEnd { pipe, readers, holders, .. } => {
                let one = is_one(holders.iter().map(|holder| holder.end.pid));
                let (verb, seem) = if one { ("holds", "seems") } else { ("hold", "seem") };
                format!(
                    "{} {} no end of file from {}: {} still {verb} its write end, and {seem} to have nothing to do with it",
                    self.tasks(readers),
                    if readers.len() == 1 { "gets" } else { "get" },
                    self.pipe_name(*pipe),
                    self.processes(holders.iter().map(|holder| holder.end.pid))
                )
            }
            Fault::StalledReader { pipe, writers, readers, .. } => {
                let verb = if readers.len() == 1 { "does" } else { "do" };
                format!(
                    "{} cannot write to {}, which is full, and {} {verb} not read it",
                    self.tasks(writers),
                    self.pipe_name(*pipe),
                    self.processes(readers.iter().copied())
                )
            }
            Fault::BlockedOpen { openers, path, pipe } => {
                let name = match (pipe, path) {
                    (Some(pipe), _) => self.pipe_name(*pipe),
                    (None, Some(path)) => escape_name(path),
                    (None, None) => "a FIFO".to_owned(),
                };
                let who: Vec<TaskId> = openers.iter().map(|(task, _)| *task).collect();
                let access = openers.first().map_or(AccessMode::ReadWrite, |(_, access)| *access);
                let (verb, other) = match access {
                    AccessMode::Read => ("read", "nobody has it open for writing"),
                    AccessMode::Write => ("write", "nobody has it open for reading"),
                    AccessMode::ReadWrite => ("use", "nobody has its other side open"),
                };
                let hangs = if who.len() == 1 { "hangs" } else { "hang" };
                format!("{} {hangs} in open(2) of {name}, to {verb} it: {other}", self.tasks(&who))
            }
            Fault::HiddenEnd { pipe, side, .. } => {
                let (end, act) = match side {
                    Side::Read => ("read", "writing to"),
                    Side::Write => ("write", "reading"),
                };
                let who = if finding.tasks.is_empty() {
                    String::new()
                } else {
                    format!(": {} would not be blocked in {act} it otherwise", self.tasks(&finding.tasks))
                };
                format!("{} has a {end} end that no fd table shows{who}", self.pipe_name(*pipe))
            }
            Fault::Missing { pipe, side: Side::Read } => {
                format!("nobody reads {}: the next write gets SIGPIPE", self.pipe_name(*pipe))
            }
            Fault::Missing { pipe, side: Side::Write } => {
                format!("nobody writes to {}: once it is empty, a read gets end of file", self.pipe_name(*pipe))
            }
            Fault::Risk(risk) => self.risk_message(risk),
        };
        match &finding.fault {
            Fault::HiddenEnd { .. } if !finding.doubts.is_empty() => {
                format!("{sentence}; it may be held by {}", self.suspects(&finding.doubts))
            }
            _ => sentence,
        }
    }

    /// What keeps a finding from being proven, in a sentence; none if nothing does.
    pub(in super::super) fn reservation(&self, finding: &Finding) -> Option<String> {
        if finding.proof() != Certainty::Suspected {
            return None;
        }
        let doubts = &finding.doubts;
        let mut reasons = Vec::new();
        if doubts.iter().any(|doubt| matches!(doubt, Doubt::Holder(_))) {
            let end = match finding.code() {
                Code::LeakedWriteEnd => "the write end",
                Code::StalledReader => "the read end",
                _ => "an end",
            };
            reasons.push(format!("{end} may also be held by {}", self.suspects(doubts)));
        }
        for doubt in doubts {
            match doubt {
                Doubt::Name(pipe) => reasons.push(format!("somebody else may open {}", self.pipe_name(*pipe))),
                Doubt::Handler(pid) => {
                    reasons.push(format!("a signal handler of {} may do what it waits for", self.who(*pid, None)));
                }
                Doubt::Directories(pipe) => {
                    let name = self.pipe_name(*pipe);
                    reasons.push(format!("the directories of {name} could not be looked at, and may keep others out"));
                }
                Doubt::Starter(pid) => {
                    let who = self.who(*pid, None);
                    reasons.push(format!("{who} takes in orphans, and may have started it as a part of the pipeline"));
                }
                Doubt::Holder(_) => {}
            }
        }
        Some(format!("Not proven: {}.", reasons.join("; ")))
    }

    /// Who may hold an end that was not seen.
    fn suspects(&self, doubts: &[Doubt]) -> String {
        let who = |suspect: &PossibleHolder| {
            let name = match (suspect.pid, suspect.command.as_deref()) {
                // It may have come after the processes were looked at.
                (Some(pid), Some(command)) if self.command_of(pid).is_none() && !command.is_empty() => {
                    format!("{} (PID {pid})", escape_name(command))
                }
                (Some(pid), _) => self.who(pid, None),
                (None, _) => "a process".to_owned(),
            };
            name + &match suspect.how {
                HiddenVia::ScmRights => {
                    format!(", to which a descriptor is on its way over its socket{}", fd(suspect.fd))
                }
                HiddenVia::IoUring => format!(", which has it registered with its io_uring{}", fd(suspect.fd)),
                HiddenVia::Exiting => ", which is stuck in exiting".to_owned(),
                HiddenVia::Unreadable => ", which could not be read".to_owned(),
                HiddenVia::Autofs => return "the kernel, for an autofs mount".to_owned(),
                HiddenVia::Outside => " that is not to be seen from here".to_owned(),
            }
        };
        let name = |doubt: &Doubt| if let Doubt::Holder(suspect) = doubt { Some(who(suspect)) } else { None };
        let all: Vec<String> = doubts.iter().filter_map(name).collect();
        if all.len() > MOST_NAMED {
            return format!("one of {} processes that could not be looked into", all.len());
        }
        all.join(", or ")
    }

    /// Whether the parent of what looks like an orphan takes those in, and may have started it as well: it is of its session.
    fn may_be_of_its_parent(&self, pid: Pid) -> bool {
        let group = |pid: Pid| self.told?.groups.get(&pid);
        let parent = || group(group(pid)?.parent?);
        group(pid).zip(parent()).is_some_and(|(group, parent)| parent.adopts.is_some() && parent.sid == group.sid)
    }

    /// Why the holder of a write end is none of the pipeline, and how it came by it.
    pub(super) fn stranger(&self, holder: &Holder) -> String {
        let why = match holder.stranger {
            Relation::Own => "the reader itself, which did not close it".to_owned(),
            Relation::ReadWrite => "open for reading and writing, so that a writer is always there".to_owned(),
            Relation::OtherSession => {
                let session = self.told.and_then(|told| told.groups.get(&holder.end.pid)?.sid);
                session.map_or_else(
                    || "in another session".to_owned(),
                    |session| format!("in another session ({session})"),
                )
            }
            Relation::Orphan if self.may_be_of_its_parent(holder.end.pid) => "an orphan, as it seems".to_owned(),
            Relation::Orphan => "an orphan, whose parent has ended".to_owned(),
            Relation::Inherited => "another program, which inherited it by accident".to_owned(),
        };
        let anonymous = holder.stranger != Relation::ReadWrite && holder.stranger != Relation::Own;
        let open = holder.end.flags.is_some_and(|flags| !flags.closes_on_exec());
        let how = match holder.inherited_from {
            Some(ancestor) => format!("; inherited from {}", self.who(ancestor, None)),
            None if anonymous && open && holder.stranger != Relation::Inherited => "; probably inherited".to_owned(),
            None => String::new(),
        };
        let process = self.graph.processes.get(&holder.end.pid);
        let age = process.and_then(|process| process.started_at).map(|start| self.graph.taken_at.duration_since(start));
        let age = age
            .and_then(|age| Duration::try_from(age).ok())
            .map_or_else(String::new, |age| format!("; started {} ago", duration(age)));
        format!("{why}{how}{age}")
    }

    fn tasks(&self, tasks: &[TaskId]) -> String {
        list(tasks.iter().map(|task| self.who_task(*task)).collect())
    }

    pub(super) fn processes(&self, pids: impl Iterator<Item = Pid>) -> String {
        let mut pids: Vec<Pid> = pids.collect();
        pids.sort_unstable();
        pids.dedup();
        list(pids.into_iter().map(|pid| self.who(pid, None)).collect())
    }

    /// An end by which somebody could end a wait: `cat (PID 252) has its write end (fd 1)`.
    pub(super) fn waker_end(&self, end: &Endpoint) -> String {
        let side = match end.access {
            AccessMode::Read => "its read end",
            AccessMode::Write => "its write end",
            AccessMode::ReadWrite => "it open for both",
        };
        format!("{} has {side} (fd {})", self.who(end.pid, end.tid), end.fd)
    }

    /// A step of a circle.
    pub(super) fn link(&self, link: &WaitEdge) -> String {
        let who = self.who_task(link.task);
        let idle = since(self.task(link.task).and_then(|task| task.idle));
        let own = link.waker.pid == link.task.pid;
        let next = self.who(link.waker.pid, link.waker.tid);
        match &link.subject {
            Some(Subject::Pipe(wait)) => {
                let role = match wait.awaited().next() {
                    Some(Side::Read) => "reader",
                    _ => "writer",
                };
                let holder = if own { "itself".to_owned() } else { next };
                format!("{who} {}{idle}; its {role} is {holder}{}", self.at_pipe(wait), by(link.waker.fd))
            }
            Some(Subject::Child) => format!("{who} waits for its child {next} to exit{idle}"),
            None => format!("{who} waits for another of its own threads{idle}"),
        }
    }
}

fn by(fd: Option<Fd>) -> String {
    fd.map_or_else(String::new, |fd| format!(", fd {fd}"))
}

fn fd(fd: Option<Fd>) -> String {
    fd.map_or_else(String::new, |fd| format!(" (fd {fd})"))
}

const fn for_what(access: AccessMode) -> &'static str {
    match access {
        AccessMode::Read => " for something to read",
        AccessMode::Write => " for room to write, or for its readers to go",
        AccessMode::ReadWrite => "",
    }
}

const fn to_do_what(access: AccessMode) -> &'static str {
    match access {
        AccessMode::Read => ", to read",
        AccessMode::Write => ", to write",
        AccessMode::ReadWrite => "",
    }
}

/// `a, b and c`; of many, the first and how many more.
pub(super) fn list(mut names: Vec<String>) -> String {
    if names.len() > MOST_NAMED {
        let more = names.len() - (MOST_NAMED - 1);
        names.truncate(MOST_NAMED - 1);
        names.push(format!("{more} more"));
    }
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => "somebody".to_owned(),
    }
}

pub(super) fn is_one(mut pids: impl Iterator<Item = Pid>) -> bool {
    let first = pids.next();
    pids.all(|pid| Some(pid) == first)
}

fn since(idle: Option<Duration>) -> String {
    // Less says nothing.
    idle.filter(|idle| idle.as_secs() > 0).map_or_else(String::new, |idle| format!(", for {}", duration(idle)))
}

/// About how long, in one unit.
fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86400),
    }
}
