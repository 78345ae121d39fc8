//! What is done at one process: its tables, those of its threads, and its facts.

use std::collections::HashSet;
use std::sync::Arc;

use rustix::io::Errno;

use super::fd_table::{self, Context, Table};
use super::gap::gap;
use super::mounts::DeadMounts;
use super::process::{Clock, ProcessDir};
use super::root::ProcRoot;
use super::task::{self, Tables};
use super::watch::{Step, Watch};
use super::work::{Found, Job, Part, Queue, Work};
use super::{Facts, Want, blocked, parse};
use crate::model::{Gap, Pid, PossibleEnds, Tid, UnreadablePart};

/// What all threads of a scan share.
pub(super) struct Scanner {
    pub(super) root: ProcRoot,
    pub(super) want: Want,
    pub(super) clock: Clock,
    pub(super) dead_mounts: DeadMounts,
    /// Mounts of FIFOs whose directories gave no answer. The descriptors on them may.
    pub(super) dead_names: DeadMounts,
}

impl Scanner {
    /// For work that is no scan: nothing is wanted of the ends that are found.
    pub(super) fn bare(root: ProcRoot) -> Self {
        let want = Want {
            proc_root: root.path().to_owned(),
            flags: false,
            facts: Facts::Command,
            parents: false,
            tables: Vec::new(),
            also: Vec::new(),
        };
        let [dead_mounts, dead_names] = [DeadMounts::default(), DeadMounts::default()];
        Self { root, want, clock: Clock::new(None), dead_mounts, dead_names }
    }

    /// Does one job.
    pub(super) fn perform(&self, job: &Job, watch: &Watch, queue: &dyn Queue) -> Part {
        let mut part = Part::new(job.pid());
        let skip = &job.skip;
        let mut context = Context { scanner: self, watch, skip, queue, splits: skip.is_empty(), part: &mut part };
        match &job.work {
            Work::Process(pid) => self.process(*pid, &mut context),
            // Not even its small files could be read.
            Work::Threads(_) if skip.table => {}
            Work::Threads(pid) => context.part.threads = blocked::thread_group(*pid, &mut context),
            Work::Traces(pid) => self.traces(*pid, &mut context),
            Work::Rest(table, _) if skip.table => self.unanswered(&table.process, &mut context),
            Work::Rest(table, from) => {
                fd_table::walk(table, Some(*from), &mut context);
                self.facts(&table.process, table.tid, &mut context);
            }
        }
        part
    }

    fn process(&self, pid: Pid, context: &mut Context<'_>) {
        let process = match ProcessDir::open(self, pid) {
            Ok(process) => Arc::new(process),
            Err(errno) => {
                if self.root.is_vanished(errno) {
                    context.part.vanished = true;
                } else {
                    context.part.gaps.push(gap(pid, UnreadablePart::FdTable, errno, PossibleEnds::ANYTHING));
                }
                return;
            }
        };
        if context.skip.table {
            return self.unanswered(&process, context);
        }
        if self.want.parents {
            context.part.parent = parse::stat(&process.text("stat")).ppid.map(Pid);
        }
        let tables = self.tables(&process, context);
        // What a thread shows is compared with the whole table of its process, so that must be in one piece.
        context.splits &= !matches!(tables, Tables::Unknown(_));
        let table = Arc::new(Table { process: Arc::clone(&process), tid: None });
        // Kernel threads and zombies have no table; to ask costs a quarter of opening and listing it.
        if fd_table::table_size(&table, self) != Some(0) {
            fd_table::walk(&table, None, context);
        }
        if context.part.vanished {
            return;
        }
        self.threads(&process, tables, context);
        let tid = context.part.found.first().and_then(|found| found.end.tid);
        self.facts(&process, tid, context);
    }

    /// Tells that a process was left alone, since calls gave no answer.
    pub(super) fn unanswered(&self, process: &ProcessDir, context: &mut Context<'_>) {
        let unread = gap(process.pid, UnreadablePart::FdTable, Errno::TIMEDOUT, PossibleEnds::ANYTHING);
        // Not even its name, if that is what hangs.
        let unread = if context.skip.is_hopeless() { unread } else { process.sign(self, unread) };
        context.part.gaps.push(unread);
    }

    /// The tables of a process besides its leader's; a gap where they could not be told.
    pub(super) fn tables(&self, process: &Arc<ProcessDir>, context: &mut Context<'_>) -> Tables {
        context.watch.doing(Step::Threads);
        let listed = if context.skip.threads { Err(Errno::TIMEDOUT) } else { task::tables(self, process) };
        context.watch.doing(Step::Table);
        match listed {
            Ok(tables) => tables,
            // A saved tree need not have the threads.
            Err(errno) if errno == Errno::NOENT || self.root.is_vanished(errno) => Tables::Shared,
            Err(errno) => {
                let unread = gap(process.pid, UnreadablePart::Tasks, errno, PossibleEnds::ANYTHING);
                context.part.gaps.push(process.sign(self, unread));
                Tables::Shared
            }
        }
    }

    /// Walks the tables that threads have for themselves.
    fn threads(&self, process: &Arc<ProcessDir>, tables: Tables, context: &mut Context<'_>) {
        // What its leader refuses, its other threads refuse too, and may hold anything.
        let refused = |gap: &&mut Gap| matches!(gap.what, UnreadablePart::FdTable | UnreadablePart::FdLinks);
        if let Some(gap) = context.part.gaps.iter_mut().find(refused) {
            if !matches!(tables, Tables::Shared) {
                gap.may_hold = PossibleEnds::ANYTHING;
            }
            // Nor does it then matter that they could not be listed.
            context.part.gaps.retain(|gap| gap.what != UnreadablePart::Tasks);
            return;
        }
        let table_of = |tid: Tid| Arc::new(Table { process: Arc::clone(process), tid: Some(tid) });
        match tables {
            Tables::Shared => {}
            Tables::Private(owners) => {
                for tid in owners {
                    fd_table::walk(&table_of(tid), None, context);
                }
            }
            Tables::Unknown(threads) => {
                for tid in threads {
                    self.unless_known(&table_of(tid), context);
                }
            }
        }
    }

    /// Walks a thread's table of which it cannot be told whether it is shared, and keeps what no table before it shows. In a saved
    /// tree, where nothing moves, a table that differs at all is one of its own.
    fn unless_known(&self, table: &Arc<Table>, context: &mut Context<'_>) {
        let mut own = Part::new(table.pid());
        let Context { scanner, watch, skip, queue, .. } = *context;
        fd_table::walk(table, None, &mut Context { scanner, watch, skip, queue, splits: false, part: &mut own });
        let ends = |found: &Found| (found.pipe, found.end.fd, found.end.access);
        if self.root.real.is_some() {
            let known: HashSet<_> = context.part.found.iter().map(ends).collect();
            own.found.retain(|found| !known.contains(&ends(found)));
        } else {
            let new: Vec<_> = own.found.iter().map(ends).collect();
            let mut known = context.part.found.chunk_by(|a, b| a.end.tid == b.end.tid);
            if known.any(|table| table.iter().map(ends).eq(new.iter().copied())) {
                return;
            }
        }
        if !own.found.is_empty() {
            context.part.found.append(&mut own.found);
            context.part.descriptors.append(&mut own.descriptors);
            context.part.gaps.append(&mut own.gaps);
        }
    }

    /// Reads the facts of a process that holds an end, or that is asked for.
    fn facts(&self, process: &ProcessDir, tid: Option<Tid>, context: &mut Context<'_>) {
        let Want { tables, also, .. } = &self.want;
        if !context.part.found.is_empty() || tables.contains(&process.pid) || also.contains(&process.pid) {
            process.facts(tid, context);
        }
    }
}
