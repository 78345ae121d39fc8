//! What the kernel lists of processes and their open files, found by process: it stands for the walk of their fd tables in /proc.
//!
//! Read by a watched worker, since it holds each file for a moment and may have to release it. A process that the kernel does not list is
//! walked in /proc, so that what may not be read there becomes a gap.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::heartbeat::ScanStep;
use super::scanner::{Context, Scanner};
use super::work::{self, ProcessResult, Work};
use super::{Detail, Error, NoKernelView, ScanOptions, table_walk};
use crate::model::{Endpoint, Pid, PipeId, Process, Tid, Uid};
use crate::observe::channel::Pipefs;
use crate::observe::join::RawEndpoint;
use crate::observe::kernel::{EndRecord, FileKind, Pass, ProcessRecord};

/// One reading of the kernel's lists.
pub(super) struct Listing {
    /// Empty where these were not wanted.
    processes: Vec<ProcessRecord>,
    pub(super) pass: Pass,
}

/// The lists, by process.
pub(super) struct Recorded {
    processes: HashMap<Pid, ProcessRecord>,
    /// The records of each thread that showed a table.
    tables: HashMap<Pid, Vec<Range<usize>>>,
    pub(super) pass: Pass,
}

/// An fd table with its ends.
pub(super) struct Table<'a> {
    /// None for the table of the process.
    pub(super) tid: Option<Tid>,
    pub(super) records: &'a [EndRecord],
}

/// How an end is found out.
pub(super) enum Known {
    /// It is none.
    NoEnd,
    /// The record has all that is wanted.
    Whole(PipeId),
    /// Only a look at the descriptor finds out.
    InPart,
}

/// Reads the lists in a worker; none if that hung before.
pub(super) fn read(processes: bool, context: &Context<'_>) -> Option<io::Result<Listing>> {
    let Context { scanner, heartbeat, timed_out, .. } = context;
    let kernel = scanner.options.kernel.as_ref()?.kernel();
    // The processes first: the tables of one that is listed are then in the list of files.
    let read = || {
        let processes = if processes { kernel.processes()? } else { Vec::new() };
        Ok(Listing { processes, pass: kernel.ends(scanner.options.channels)? })
    };
    if timed_out.contains(ScanStep::Kernel) { None } else { Some(heartbeat.during(ScanStep::Kernel, read)) }
}

/// Reads the lists, watched.
pub(super) fn listing(scanner: &Arc<Scanner>, work: fn(Pid) -> Work) -> Result<Listing, NoKernelView> {
    let results = work::run(scanner, vec![Pid(std::process::id())], work);
    let read = results.into_iter().find_map(|result| result.listing).ok_or(NoKernelView::TimedOut)?;
    let listing = read.map_err(|error| match error.kind() {
        io::ErrorKind::OutOfMemory => NoKernelView::NoRoom,
        _ => NoKernelView::Read(error),
    })?;
    let has_room = scanner.budget.charge(size_of_val(&listing.pass.ends[..]));
    has_room.then_some(listing).ok_or(NoKernelView::NoRoom)
}

/// Reads the lists into the scanner, if they are to be used. Where that fails, /proc is walked as without them, now and in later scans,
/// unless they were asked for by name.
pub(super) fn take(scanner: &Arc<Scanner>) -> Result<(), Error> {
    let Some(view) = scanner.options.kernel.as_ref().filter(|view| !view.has_failed()) else { return Ok(()) };
    match listing(scanner, |_| Work::Kernel { processes: true }) {
        // Set once, before any process is looked at.
        Ok(listing) => scanner.recorded.set(Recorded::new(listing)).unwrap_or_default(),
        Err(why) => view.fail(why)?,
    }
    Ok(())
}

impl Recorded {
    fn new(Listing { processes, pass }: Listing) -> Self {
        let processes = processes.into_iter().map(|process| (process.pid, process)).collect();
        let mut tables: HashMap<Pid, Vec<Range<usize>>> = HashMap::new();
        let mut first = 0;
        for table in pass.ends.chunk_by(|a, b| (a.pid, a.tid) == (b.pid, b.tid)) {
            let end = first + table.len();
            tables.entry(table[0].pid).or_default().push(first..end);
            first = end;
        }
        Self { processes, tables, pass }
    }

    /// The user of a process that was started at this time, in clock ticks after boot, and that has no other number in a PID namespace of its
    /// own; none where only /proc says.
    pub(super) fn user(&self, pid: Pid, started: u64) -> Option<Uid> {
        let process = self.processes.get(&pid)?;
        let ticks = process.started.as_nanos() * u128::from(procfs::ticks_per_second()) / 1_000_000_000;
        process.user.filter(|_| ticks == u128::from(started))
    }

    /// The tables of a process that have an end: that of the process first, then those of threads. None if it is to be walked in /proc.
    pub(super) fn tables(&self, pid: Pid, options: &ScanOptions) -> Option<Vec<Table<'_>>> {
        if !self.processes.contains_key(&pid) || options.tables.contains(&pid) {
            return None;
        }
        let ranges = self.tables.get(&pid).into_iter().flatten();
        let mut listed: Vec<&[EndRecord]> = ranges.filter_map(|range| self.pass.ends.get(range.clone())).collect();
        let shown_by = |records: &&[EndRecord]| records.first().map(|it| (it.tid.0 != pid.0, it.tid));
        listed.sort_by_key(shown_by);
        let of_thread = |records: &&[EndRecord]| records.first().map(|it| it.tid).filter(|tid| tid.0 != pid.0);
        Some(listed.into_iter().map(|records| Table { tid: of_thread(&records), records }).collect())
    }

    /// The whole result for a process of which nothing has to be read in /proc; none where anything has.
    pub(super) fn result(&self, pid: Pid, scanner: &Scanner) -> Option<ProcessResult> {
        let options = &scanner.options;
        let tables = self.tables(pid, options)?;
        let process = self.processes.get(&pid)?;
        let mut result = ProcessResult { pid, parent: process.parent, ..ProcessResult::default() };
        if options.parents && process.parent.is_none() {
            return None;
        }
        for Table { tid, records } in tables {
            for record in records {
                match known(record, scanner) {
                    Known::NoEnd => {}
                    Known::Whole(pipe) => result.ends.extend(end(record, pipe, tid, options)),
                    Known::InPart => return None,
                }
            }
        }
        if !result.ends.is_empty() || options.extra_pids.contains(&pid) {
            if options.detail != Detail::Command {
                return None;
            }
            result.process = Some(Process { command: process.command.clone(), ..Process::unknown(pid) });
        }
        scanner.budget.charge(result.ends.len() * table_walk::END).then_some(result)
    }
}

/// How much a record says of an end.
pub(super) fn known(record: &EndRecord, scanner: &Scanner) -> Known {
    let options = &scanner.options;
    match scanner.root.pipefs().and_then(|pipefs| anonymous(record, pipefs)) {
        _ if record.access.is_none() => Known::NoEnd,
        Some(pipe) if !scanner.is_audit() && (record.has_cloexec || !options.flags) => Known::Whole(pipe),
        _ => Known::InPart,
    }
}

/// The pipe of a record, if it is an anonymous one. The device of any other file may be another than stat(2) has.
pub(super) fn anonymous(record: &EndRecord, pipefs: &Pipefs) -> Option<PipeId> {
    (record.kind == FileKind::Pipe && record.device == pipefs.device).then(|| PipeId::anonymous(record.inode))
}

/// The end that a record is.
pub(super) fn end(record: &EndRecord, pipe: PipeId, tid: Option<Tid>, options: &ScanOptions) -> Option<RawEndpoint> {
    let flags = Some(record.flags).filter(|_| options.flags && record.has_cloexec);
    let end = Endpoint { pid: record.pid, tid, fd: record.fd, access: record.access?, flags, description: None };
    Some(RawEndpoint { pipe, end, facts: None, description: Some(record.file) })
}
