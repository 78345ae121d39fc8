//! What would end a hang, and what would avoid it the next time: a sentence or two for each finding.

use super::super::Sheet;
use super::super::text::readable;
use crate::model::{AccessMode, Doing, Fault, Finding, Holder, Link, Operation, Pid, Side, Stranger, Subject};

impl Sheet<'_> {
    /// What would help, in a sentence or two.
    pub(in super::super) fn advice(&self, finding: &Finding) -> String {
        match &finding.fault {
            Fault::Deadlock { itself, circle, .. } => deadlock_advice(*itself, circle),
            Fault::LeakedWriteEnd { holders, .. } => self.leak_advice(holders),
            Fault::StalledReader { readers, patient, .. } => self.stall_advice(readers, *patient),
            Fault::BlockedOpen { openers, pipe, path } => {
                let name = match (pipe, path) {
                    (_, Some(path)) => readable(path),
                    (Some(pipe), None) => self.pipe_name(*pipe),
                    (None, None) => "it".to_owned(),
                };
                match openers.first().map(|(_, access)| access) {
                    Some(AccessMode::Read) => format!("It goes on as soon as somebody opens {name} for writing."),
                    Some(AccessMode::Write) => format!(
                        "It goes on as soon as somebody reads {name}, as `cat {name}` would; O_NONBLOCK makes open(2) fail with ENXIO instead."
                    ),
                    _ => format!("It goes on as soon as somebody opens the other side of {name}."),
                }
            }
            Fault::HiddenEnd { usual: true, .. } => "Run as root, or look from outside the container, to see who holds it.".to_owned(),
            Fault::HiddenEnd { .. } => {
                "It may be on its way over a socket (SCM_RIGHTS), registered with io_uring, or held by the kernel; --probe asks which."
                    .to_owned()
            }
            Fault::Missing { side: Side::Read, .. } => "Nothing to do, unless it should have a reader.".to_owned(),
            Fault::Missing { side: Side::Write, .. } => "Nothing to do, unless it should have a writer.".to_owned(),
        }
    }

    fn leak_advice(&self, holders: &[Holder]) -> String {
        let own: Vec<&Holder> = holders.iter().filter(|holder| holder.stranger == Stranger::Own).collect();
        let mut others: Vec<Pid> =
            holders.iter().filter(|holder| holder.stranger != Stranger::Own).map(|holder| holder.end.pid).collect();
        others.sort_unstable();
        others.dedup();
        let pids: Vec<String> = others.iter().map(ToString::to_string).collect();
        let also = match own.first() {
            Some(holder) => format!(" And the reader has to close its own copy, fd {}.", holder.end.fd),
            None => String::new(),
        };
        let avoid = match holders.iter().map(|holder| holder.stranger).find(|stranger| *stranger != Stranger::Own) {
            Some(Stranger::ReadWrite) => "open the FIFO for reading or for writing only",
            Some(Stranger::Inherited) => "open the pipe with O_CLOEXEC, so that other programs do not inherit it",
            _ => "start it with its output elsewhere (`>/dev/null 2>&1`), or have it close what it inherits",
        };
        format!("End of file comes once that is closed: `kill {}` does it. To avoid it, {avoid}.{also}", pids.join(" "))
    }

    fn stall_advice(&self, readers: &[Pid], patient: bool) -> String {
        let tasks = || readers.iter().filter_map(|pid| self.told?.groups.get(pid)).flat_map(|group| &group.tasks);
        let stopped: Vec<String> =
            tasks().filter(|task| task.doing == Doing::Stopped).map(|task| task.id.pid.to_string()).collect();
        if let Some(pid) = stopped.first() {
            return format!("The reader is stopped: `kill -CONT {pid}` lets it go on.");
        }
        if tasks().any(|task| task.doing == Doing::Traced) {
            return "The reader goes on when its tracer lets it.".to_owned();
        }
        if tasks().any(|task| task.doing == Doing::Frozen) {
            return "The reader goes on when its control group is thawed.".to_owned();
        }
        let pid = readers.first().map_or_else(String::new, ToString::to_string);
        if patient {
            return format!(
                "The reader waits for something else, and may read again after that: `lspipe why -p {pid}`."
            );
        }
        format!(
            "What the reader does instead tells why: `lspipe why -p {pid}`. If it never reads, it should not hold the read end."
        )
    }
}

fn deadlock_advice(itself: bool, circle: &[Link]) -> String {
    let operation = |link: &Link| match &link.subject {
        Some(Subject::Pipe(wait)) => Some(wait.operation),
        _ => None,
    };
    let writes = circle.iter().filter(|link| operation(link) == Some(Operation::Write)).count();
    let waits_for_child = circle.iter().any(|link| link.subject == Some(Subject::Child));
    let last = circle.last().map_or(Pid(0), |link| link.task.pid);
    let avoid = match circle {
        [link] if itself && operation(link) == Some(Operation::Read) => match link.waker.fd {
            Some(fd) => format!("close the write end (fd {fd}) in the process that reads, right after fork(2)"),
            None => "close the write end in the process that reads".to_owned(),
        },
        _ if itself => "read and write in different threads or processes".to_owned(),
        _ if waits_for_child && writes > 0 => {
            "read what the child writes before waiting for it (in Python: communicate() in the place of wait())"
                .to_owned()
        }
        _ if waits_for_child => "close the other end before waiting for the child".to_owned(),
        _ if writes > 1 => {
            "read and write at the same time, with poll(2) or a thread (in Python: communicate())".to_owned()
        }
        _ => "have each process close the ends that it does not use".to_owned(),
    };
    format!("Only a signal ends it, such as `kill {last}`. To avoid it, {avoid}.")
}
