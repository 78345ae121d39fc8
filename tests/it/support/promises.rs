//! What holds for any report, whatever it is of: order, and the same fact alike in every place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;

use super::report::{End, Finding, MayHold, Pipe, Process, Report, Wait, exact};
use super::text::pids;

impl Pipe {
    #[track_caller]
    pub(crate) fn check(&self) {
        let id = match (self.kind.as_str(), &self.device) {
            ("anonymous", _) => format!("pipe:[{}]", self.inode),
            ("fifo", Some(device)) => format!("fifo:[{device}:{}]", self.inode),
            ("unix", None) => format!("unix:[{}]", self.inode),
            ("pty", Some(device)) => format!("pty:[{device}:{}:{}]", self.inode, self.flow().expect("a direction")),
            _ => panic!("kind and device of {self:?}"),
        };
        assert_eq!(self.id, id);
        let is_named = matches!(&*self.kind, "fifo" | "pty");
        let is_right = self.path.is_some() == is_named || self.kind == "unix";
        assert!(is_right, "a FIFO and a terminal have a path, a pipe has none: {self:?}");
        assert!(!self.deleted || is_named, "{self:?}");
        assert!(!self.readers.is_empty() || !self.writers.is_empty() || !self.openers.is_empty(), "nobody on {id}");
        for (side, ends) in [("r", &self.readers), ("w", &self.writers)] {
            assert_ascending(ends.iter().map(End::key), "ends");
            let is_pipe = matches!(&*self.kind, "anonymous" | "fifo");
            let is_on = |end: &End| end.access == side || (end.access == "rw" && is_pipe);
            assert!(ends.iter().all(is_on), "{side} side of {id}: {ends:?}");
        }
        let both = |ends: &[End]| ends.iter().filter(|end| end.access == "rw").cloned().collect::<Vec<_>>();
        assert_eq!(both(&self.readers), both(&self.writers), "an rw end stands on both sides of {id}");
        for (ends, hidden, count, unseen) in [
            (&self.readers, self.hidden_readers, self.reader_count, self.unseen_readers),
            (&self.writers, self.hidden_writers, self.writer_count, self.unseen_writers),
        ] {
            let is_another = unseen.is_some_and(|unseen| unseen.descriptions > 0);
            assert!(hidden.is_none() || ends.is_empty() || is_another, "one of several is not known to be: {self:?}");
            assert!(!is_another || hidden == Some(true), "{self:?}");
            let seen: BTreeSet<u32> = ends.iter().filter_map(|end| end.description).collect();
            if let (Some(count), Some(unseen)) = (count, unseen) {
                assert!(count >= unseen.descriptions, "{self:?}");
                let is_whole = seen.len() + usize::try_from(unseen.descriptions).expect("few")
                    <= usize::try_from(count).expect("few");
                assert!(is_whole || ends.iter().any(|end| end.description.is_none()), "{self:?}");
            }
        }
        let hidden = [self.hidden_readers, self.hidden_writers].contains(&Some(true));
        assert_eq!(self.hidden_by.is_some(), hidden, "who it may be is told where there is somebody: {self:?}");
        assert_ne!(self.hidden_by.as_ref().map(Vec::len), Some(0), "{self:?}");
        for end in self.ends() {
            assert_ascending(end.flags.iter().flatten(), "flags");
            exact(&end.command, end.command_bytes.as_deref());
        }
    }
}

impl Pipe {
    /// The direction of a terminal.
    fn flow(&self) -> Option<&'static str> {
        ["input", "output"].into_iter().find(|flow| self.id.ends_with(&format!(":{flow}]")))
    }
}

impl Report {
    #[track_caller]
    pub(super) fn check(&self) {
        assert_eq!(self.schema_version, 1);
        // By kind, then by device and inode: not by the text of the id, in which 10 is before 9.
        let numbers = |device: &str| device.split(':').map(|part| part.parse().expect("number")).collect::<Vec<u32>>();
        assert_ascending(
            self.pipes.iter().map(|pipe| {
                let kind = rank(&["anonymous", "fifo", "unix", "pty"], &pipe.kind);
                (kind, pipe.device.as_deref().map(numbers), pipe.inode, pipe.flow())
            }),
            "pipes",
        );
        self.pipes.iter().for_each(Pipe::check);

        assert_ascending(self.processes.iter().map(|process| process.pid), "processes");
        let tables = self.descriptors.iter().map(|descriptor| descriptor.pid);
        let holders: BTreeSet<u32> = self.pipes.iter().flat_map(Pipe::pids).chain(tables).collect();
        let listed: BTreeMap<u32, &Process> = self.processes.iter().map(|process| (process.pid, process)).collect();
        assert_eq!(listed.keys().copied().collect::<BTreeSet<_>>(), holders, "processes are those on the pipes");
        assert_ascending(self.ancestors.iter().map(|ancestor| ancestor.pid), "ancestors");
        let parents: BTreeSet<Option<u32>> = self.processes.iter().map(|process| process.ppid).collect();
        let above: BTreeSet<u32> =
            self.ancestors.iter().map(|it| it.ppid).chain(parents.iter().flatten().copied()).collect();
        for ancestor in &self.ancestors {
            assert!(!listed.contains_key(&ancestor.pid), "{ancestor:?}");
            // Of a process that ended during the scan, the parent may be known and nothing else.
            assert!(above.contains(&ancestor.pid) || parents.contains(&None), "{ancestor:?}");
        }
        for end in self.pipes.iter().flat_map(Pipe::ends) {
            let process = listed[&end.pid];
            assert_eq!((&end.command, &end.command_bytes), (&process.command, &process.command_bytes));
            assert_eq!((end.uid, &end.user), (process.uid, &process.user));
        }

        let unreadable: BTreeSet<u32> = self.unreadable.iter().map(|gap| gap.pid).collect();
        assert_eq!(self.scan.unreadable, unreadable.len());
        assert_eq!(self.scan.complete, unreadable.is_empty() && self.scan.outside.is_none(), "{:?}", self.scan);
        assert!(self.unreadable.is_sorted_by_key(|gap| gap.pid));
        for gap in &self.unreadable {
            let MayHold { read, write, .. } = gap.may_hold;
            match gap.what.as_str() {
                // What was not kept of its threads hides no end.
                "tasks" if gap.error == "ENOMEM" => assert!(!read && !write, "{gap:?}"),
                "cmdline" => assert!(!read && !write, "{gap:?}"),
                "fd_table" | "tasks" => assert!(read && write && gap.may_hold.anonymous, "{gap:?}"),
                _ => {}
            }
        }
        assert!(self.scan.processes >= holders.len());
        assert_eq!(self.waits.is_some(), self.findings.is_some(), "why tells of both");
        if self.waits.is_some() {
            self.check_why();
        }
        if let Some(audit) = &self.audit {
            let judged: Vec<usize> = audit.codes.iter().map(|code| rank(&CODES, code)).collect();
            let unjudged: Vec<usize> = audit.not_judged.iter().map(|code| rank(&CODES, code)).collect();
            assert_ascending(judged.iter().copied(), "codes");
            assert_ascending(unjudged.iter().copied(), "codes that could not be judged");
            assert!(unjudged.iter().all(|code| !judged.contains(code)), "{audit:?}");
            let least = rank(&SEVERITIES, &audit.severity);
            for finding in self.findings() {
                assert!(audit.codes.contains(&finding.code), "nobody asked for {finding:?}");
                assert!(rank(&SEVERITIES, &finding.severity) <= least, "nobody asked for {finding:?}");
            }
        }
    }

    /// What holds for any report of `lspipe why`.
    #[track_caller]
    fn check_why(&self) {
        let waits = self.waits();
        assert!(waits.is_sorted_by_key(|wait| (wait.pid, wait.tid, wait.fd)), "the order of {waits:#?}");
        let groups = self.threads.as_deref().expect("why tells what threads do");
        assert_ascending(groups.iter().map(|group| group.pid), "threads");
        for group in groups {
            assert_ascending(group.tasks.iter().map(|task| task.tid), "tasks");
            assert!(group.tasks.iter().all(|task| (task.doing == "waits") != task.causes.is_empty()), "{group:?}");
            assert!(group.tasks.iter().all(|task| (task.doing == "sleeps") == task.sleep.is_some()), "{group:?}");
        }
        let task = |pid: u32, tid: u32| {
            let group = groups.iter().find(|group| group.pid == pid)?;
            group.tasks.iter().find(|task| task.tid == tid)
        };
        for wait in waits {
            self.check_wait(wait);
            let task = task(wait.pid, wait.tid).unwrap_or_else(|| panic!("nobody does {wait:?}"));
            assert_eq!((&task.besides, task.idle_seconds), (&wait.besides, wait.idle_seconds), "{wait:?}");
            assert!(task.causes.iter().any(|cause| cause.operation == wait.operation), "{wait:?} and {task:?}");
        }

        let findings = self.findings();
        let severities: Vec<usize> = findings.iter().map(|finding| rank(&SEVERITIES, &finding.severity)).collect();
        assert!(severities.is_sorted(), "the worst comes first: {findings:#?}");
        for same in findings.chunk_by(|a, b| a.severity == b.severity) {
            assert!(same.is_sorted_by_key(|finding| rank(&CODES, &finding.code)), "errors come first: {same:#?}");
        }
        for (index, finding) in findings.iter().enumerate() {
            self.check_finding(finding);
            assert!(!findings[..index].contains(finding), "told twice: {finding:#?}");
        }
    }

    #[track_caller]
    fn check_wait(&self, wait: &Wait) {
        exact(&wait.command, wait.command_bytes.as_deref());
        rank(&["seen", "inferred", "candidate"], &wait.certainty);
        if let Some(besides) = &wait.besides {
            rank(&["timeout", "files", "lock"], besides);
        }
        assert!(wait.idle_seconds.is_none_or(|idle| idle >= 0.0), "{wait:?}");
        let (fd, pipe, path) = (wait.fd.is_some(), wait.pipe.is_some(), wait.path.is_some());
        if let Some(child) = wait.child {
            assert_eq!(wait.operation, "wait", "{wait:?}");
            assert!(wait.wakers.iter().all(|waker| waker.pid == child), "{wait:?}");
        }
        match (wait.operation.as_str(), wait.certainty.as_str()) {
            ("read" | "write" | "poll" | "hangup", "seen") => assert!(fd && pipe && !path, "{wait:?}"),
            ("read" | "write" | "poll", _) => assert!(!path, "{wait:?}"),
            ("open", _) => assert!(!fd && wait.wakers.is_empty(), "{wait:?}"),
            ("wait" | "lock" | "event", _) => assert!(!fd && !pipe && !path, "{wait:?}"),
            ("file-lock", _) => assert!(!pipe && fd == path, "{wait:?}"),
            _ => panic!("operation of {wait:?}"),
        }
        assert_eq!(
            (wait.lock.is_some(), wait.eventfd.is_some()),
            (wait.operation == "lock", wait.operation == "event")
        );
        assert!(wait.file_lock.is_none() || wait.operation == "file-lock", "{wait:?}");
        let by_end = !["wait", "lock", "event"].contains(&wait.operation.as_str());
        assert!(wait.wakers.iter().all(|waker| waker.fd.is_some() == by_end), "{wait:?}");
        // With a selection, the pipe need not be listed.
        let Some(pipe) = wait.pipe.as_deref().and_then(|id| self.pipe(id)) else { return };
        // Of many, the first are listed.
        let listed = wait.wakers.len();
        assert!(listed == 16 || (listed < 16 && wait.wakers_omitted == 0), "{wait:?}");
        let first = |mut keys: Vec<_>| {
            if wait.wakers_omitted > 0 {
                assert_eq!(keys.len(), listed + wait.wakers_omitted, "who could end {wait:?}");
                keys.truncate(listed);
            }
            keys
        };
        let keys = |ends: &[End]| ends.iter().map(|end| (end.pid, end.tid, Some(end.fd))).collect::<Vec<_>>();
        let found = wait.waker_keys();
        match wait.operation.as_str() {
            "read" => assert_eq!(found, first(keys(&pipe.writers)), "who could end {wait:?}"),
            "write" => assert_eq!(found, first(keys(&pipe.readers)), "who could end {wait:?}"),
            "poll" | "hangup" if wait.wakers_omitted > 0 => {}
            "poll" | "hangup" => {
                let all: BTreeSet<_> = keys(&pipe.readers).into_iter().chain(keys(&pipe.writers)).collect();
                let found: BTreeSet<_> = found.into_iter().collect();
                let is_side =
                    [&pipe.readers, &pipe.writers].iter().any(|ends| found == BTreeSet::from_iter(keys(ends)));
                assert!(is_side || found == all, "who could end {wait:?}");
            }
            _ => assert_eq!(pipe.openers.iter().filter(|opener| opener.pid == wait.pid).count(), 1, "{pipe:?}"),
        }
    }

    #[track_caller]
    fn check_finding(&self, finding: &Finding) {
        assert!(!finding.message.is_empty() && !finding.advice.is_empty(), "{finding:?}");
        assert!(severities(&finding.code).contains(&finding.severity.as_str()), "no metric would count {finding:?}");
        assert!(!finding.pipes.is_empty() || !finding.processes.is_empty(), "{finding:?}");
        if let Some(details) = &finding.details {
            assert_eq!(details["code"], finding.code, "the details are those of another code: {finding:?}");
        }
        // Whatever its words are, its first line and its advice name only processes that are part of it. Of a holder whose threads could
        // not be read, only the evidence knows.
        let tasks = finding.processes.iter().chain(&finding.behind).map(|task| task.pid);
        let mut known: BTreeSet<u32> = tasks.chain(finding.doubts.iter().filter_map(|doubt| doubt.pid)).collect();
        known.extend(finding.evidence.iter().flat_map(|line| pids(&line.text)));
        for text in [&finding.message, &finding.advice] {
            assert!(known.is_superset(&pids(text)) || known.is_empty(), "who is that? {finding:?}");
        }
        for line in &finding.evidence {
            rank(&["circle", "behind", "waits", "holder"], &line.role);
            assert!(!line.text.is_empty() && !line.text.contains('\n'), "{line:?}");
        }
        let tids: BTreeSet<u32> = finding.processes.iter().map(|task| task.tid).collect();
        assert_eq!(tids.len(), finding.processes.len(), "nobody stands there twice: {finding:?}");
        let pipes: BTreeSet<&String> = finding.pipes.iter().collect();
        assert_eq!(pipes.len(), finding.pipes.len(), "no pipe stands there twice: {finding:?}");
        for task in &finding.processes {
            exact(&task.command, task.command_bytes.as_deref());
            let is_alive = Path::new("/proc").join(task.pid.to_string()).exists();
            assert!(is_alive || !task.command.is_empty(), "nobody knows {task:?}");
        }
        for doubt in &finding.doubts {
            rank(
                &[
                    "unreadable",
                    "outside",
                    "scm-rights",
                    "io_uring",
                    "exiting",
                    "name",
                    "handler",
                    "directories",
                    "starter",
                    "counted",
                    "referenced",
                ],
                &doubt.what,
            );
            if doubt.what == "unreadable" {
                // One that could not be read when hidden ends were looked for need not be among the gaps of the scan.
                assert!(doubt.pid.is_some() && doubt.command.is_some(), "nobody: {doubt:?}");
            }
        }
        match finding.certainty.as_str() {
            "proven" => assert!(!finding.is_deadlock() || finding.doubts.is_empty(), "{finding:?}"),
            "inferred" => {}
            "suspected" => assert!(!finding.doubts.is_empty(), "{finding:?}"),
            _ => panic!("certainty of {finding:?}"),
        }
        if finding.is_deadlock() {
            let severity = if finding.certainty == "proven" { "error" } else { "warning" };
            assert_eq!(finding.severity, severity, "{finding:?}");
        }
    }

    /// The exit status that a report of `lspipe why` asks for.
    #[track_caller]
    pub(crate) fn status(&self) -> i32 {
        i32::from(self.findings().iter().any(Finding::is_alarming))
    }
}

/// The worst first.
const SEVERITIES: [&str; 3] = ["error", "warning", "info"];

pub(crate) const CODES: [&str; 16] = [
    "deadlock",
    "self-deadlock",
    "leaked-write-end",
    "stalled-reader",
    "stalled-writer",
    "blocked-open",
    "hidden-end",
    "no-reader",
    "no-writer",
    "fifo-exposed",
    "crosses-users",
    "crosses-containers",
    "inherited-end",
    "end-hoard",
    "pipe-pages",
    "deleted-fifo",
];

/// The severities that such a finding may have.
pub(crate) fn severities(code: &str) -> &'static [&'static str] {
    match code {
        "deadlock" | "self-deadlock" => &["error", "warning"],
        "no-writer" => &["info"],
        "fifo-exposed" | "end-hoard" | "pipe-pages" => &["error", "warning", "info"],
        _ => &["warning", "info"],
    }
}

/// The place of a word in a list that it must be in.
#[track_caller]
fn rank(order: &[&str], word: &str) -> usize {
    order.iter().position(|known| *known == word).unwrap_or_else(|| panic!("{word} is none of {order:?}"))
}

/// Sorted, and nothing twice.
#[track_caller]
pub(crate) fn assert_ascending<T: PartialOrd + Debug>(items: impl Iterator<Item = T>, what: &str) {
    let items: Vec<T> = items.collect();
    assert!(items.is_sorted_by(|a, b| a < b), "{what} are not in ascending order: {items:?}");
}
