//! From the shapes of a report to the pipes, the processes, and what could not be read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::Invalid;
use crate::model::{
    AccessMode, CommandLine, Coverage, Descriptor, Device, Directories, Endpoint, Fd, FileType, Gap, Gid, Hidden,
    HiddenVia, HolderFd, Host, OpenFlags, Opener, Pid, Pipe, PipeFile, PipeGraph, PipeId, PipeLimits, PossibleEnds,
    PossibleHolder, Probed, Process, Side, TaskId, Tid, Uid, UnreadablePart, ViewLimit,
};
use crate::shape;

pub(super) fn graph(report: shape::Report<'_>) -> Result<PipeGraph, Invalid> {
    let shape::Report {
        host,
        taken_at,
        scan,
        unreadable,
        processes,
        pipes,
        ancestors,
        hidden,
        limits,
        descriptors,
        ..
    } = report;
    let processes = by_pid(processes.into_iter().map(process), |process| process.pid)?;
    let mut gaps: Vec<Gap> = unreadable.into_iter().map(gap).collect::<Result<_, _>>()?;
    gaps.sort_by_key(|gap| gap.pid);
    // Those that could not be read were there all the same.
    let mut parents: BTreeMap<Pid, Option<Pid>> = gaps.iter().map(|gap| (gap.pid, None)).collect();
    parents.extend(ancestors.iter().flatten().map(|it| (Pid(it.pid), Some(Pid(it.ppid)))));
    parents.extend(processes.values().map(|process| (process.pid, process.ppid.map(Pid))));
    let device = pipes.iter().filter(|pipe| pipe.kind == "anonymous").find_map(|pipe| pipe.device.as_deref());
    let pipefs = device.map(|it| Device::from_str(it).map_err(|_| Invalid::value("device", it))).transpose()?;
    let mut graph = PipeGraph {
        host: Host {
            hostname: host.hostname.map(Cow::into_owned),
            kernel: host.kernel.map(Cow::into_owned),
            boot_id: host.boot_id.map(Cow::into_owned),
            booted_at: optional(host.booted_at.as_deref(), |text| time("booted_at", text))?,
        },
        taken_at: time("taken_at", &taken_at)?,
        coverage: Coverage {
            proc_root: scan.proc.into_owned().into(),
            processes: scan.processes,
            vanished: scan.vanished,
            gaps,
            outside: optional(scan.outside.as_deref(), |word| {
                known("outside", [ViewLimit::PidNamespace, ViewLimit::Hidepid], ViewLimit::as_str, word)
            })?,
            privileged: false,
            own_pids: false,
            scanner: scan.pid.map(Pid),
        },
        pipefs,
        parents,
        processes,
        pipes: Vec::new(),
        descriptors: descriptors.into_iter().flatten().map(descriptor).collect::<Result<_, _>>()?,
        probed: BTreeMap::new(),
        hidden: anywhere(hidden.into_iter().flatten())?,
        selected: scan.selected,
        limits: limits.map(page_limits).unwrap_or_default(),
    };
    let coverage = &graph.coverage;
    if (scan.complete, scan.unreadable) != (coverage.is_complete(), coverage.unreadable()) {
        return Err(Invalid::Senseless(
            "scan.complete and scan.unreadable contradict what is told to be unreadable".to_owned(),
        ));
    }
    for pipe in pipes {
        self::pipe(&mut graph, pipe)?;
    }
    graph.pipes.sort_by_key(|pipe| pipe.id);
    if let Some(pair) = graph.pipes.windows(2).find(|pair| matches!(pair, [a, b] if a.id == b.id)) {
        return Err(Invalid::Senseless(format!("{} stands in it twice", pair[0].id)));
    }
    graph.descriptors.sort_by_key(Descriptor::key);
    Ok(graph)
}

fn pipe(graph: &mut PipeGraph, pipe: shape::Pipe<'_>) -> Result<(), Invalid> {
    let id = pipe_id(&pipe.id)?;
    let device = graph.device(id).map(|device| device.to_string());
    if (&*pipe.kind, pipe.inode, &pipe.device) != (id.kind().as_str(), id.inode(), &device) {
        return Err(Invalid::Senseless(format!("{id} is told to be of another kind, device or inode")));
    }
    let ends = ends(graph, id, &pipe)?;
    let openers = pipe.openers.into_iter().map(opener).collect::<Result<_, _>>()?;
    let probed = Probed {
        queued: pipe.queued,
        capacity: pipe.capacity,
        full: pipe.full,
        reader: pipe.hidden_readers,
        writer: pipe.hidden_writers,
        unanswered: false,
    };
    if probed.knows_anything() {
        graph.probed.insert(id, probed);
    }
    if let Some(suspects) = pipe.hidden_by {
        let suspects = suspects.into_iter().map(suspect).collect::<Result<_, _>>()?;
        graph.hidden.told.insert(id, suspects);
    }
    let path = pipe.path.map(|path| name(&path, pipe.path_bytes.as_deref())).transpose()?;
    let file = pipe.file.map(|file| pipe_file(&file)).transpose()?;
    graph.pipes.push(Pipe { id, path, deleted: pipe.deleted, file, ends, openers });
    Ok(())
}

/// Who may hold an end of any pipe.
fn anywhere(suspects: impl Iterator<Item = shape::PossibleHolder>) -> Result<Hidden, Invalid> {
    let mut hidden = Hidden::default();
    for shape in suspects {
        match suspect(shape)? {
            PossibleHolder { how: HiddenVia::ScmRights, pid: Some(pid), fd: Some(fd), command } => {
                hidden.in_flight.push(HolderFd { pid, fd, command: command.unwrap_or_default() });
            }
            PossibleHolder { how: HiddenVia::Exiting, pid: Some(pid), command, .. } => {
                hidden.exiting.push((pid, command.unwrap_or_default()));
            }
            // What another version knows of.
            _ => {}
        }
    }
    Ok(hidden)
}

fn page_limits(limits: shape::Limits) -> PipeLimits {
    PipeLimits {
        user_pages_soft: limits.pipe_user_pages_soft,
        user_pages_hard: limits.pipe_user_pages_hard,
        page_size: limits.page_size,
    }
}

fn pipe_file(file: &shape::PipeFile) -> Result<PipeFile, Invalid> {
    Ok(PipeFile {
        owner: Uid(file.owner),
        group: Gid(file.group),
        mode: u16::from_str_radix(&file.mode, 8).map_err(|_| Invalid::value("mode", &file.mode))?,
        directories: file.directories.as_ref().map(|it| Directories {
            owner: it.owner,
            group: it.group,
            others: it.others,
            replaceable: it.replaceable,
            group_replaces: it.group_replaces.map(Gid),
            owner_replaces: it.owner_replaces.map(Uid),
            owner_passes: it.owner_passes.map(Uid),
        }),
    })
}

/// The ends of both sides, of which those that are open for both stand in both lists.
fn ends(graph: &PipeGraph, id: PipeId, pipe: &shape::Pipe<'_>) -> Result<Vec<Endpoint>, Invalid> {
    let mut ends: BTreeMap<_, Endpoint> = BTreeMap::new();
    for (side, list) in [(Side::Read, &pipe.readers), (Side::Write, &pipe.writers)] {
        for shape in list {
            let end = end(shape)?;
            let Endpoint { pid, fd, access, .. } = end;
            if !access.is_on(side) {
                return Err(Invalid::Senseless(format!("{id} has a {} with access {:?}", side.holder(), shape.access)));
            }
            let is_second = access == AccessMode::ReadWrite && side == Side::Write;
            if ends.insert(end.key(), end) != is_second.then_some(end) {
                let what = format!("descriptor {fd} of process {pid} is told of differently, or too often, at {id}");
                return Err(Invalid::Senseless(what));
            }
            if !graph.processes.contains_key(&pid) && !shape.command.command.is_empty() {
                return Err(Invalid::Senseless(format!("process {pid} is at {id}, and is not listed")));
            }
        }
    }
    let ends: Vec<Endpoint> = ends.into_values().collect();
    let both = |access: &str| access == AccessMode::ReadWrite.as_str();
    if pipe.readers.iter().filter(|end| both(&end.access)).count()
        != pipe.writers.iter().filter(|end| both(&end.access)).count()
    {
        return Err(Invalid::Senseless(format!("{id} has an end with access \"rw\" on one side only")));
    }
    Ok(ends)
}

fn suspect(suspect: shape::PossibleHolder) -> Result<PossibleHolder, Invalid> {
    Ok(PossibleHolder {
        how: how(&suspect.how)?,
        pid: suspect.pid.map(Pid),
        fd: suspect.fd.map(Fd),
        command: suspect.command.map(|text| name(&text, suspect.command_bytes.as_deref())).transpose()?,
    })
}

fn end(end: &shape::End<'_>) -> Result<Endpoint, Invalid> {
    let access = access(&end.access)?;
    Ok(Endpoint {
        pid: Pid(end.pid),
        tid: end.tid.map(Tid),
        fd: Fd(end.fd),
        access,
        flags: flags(Some(access), end.flags.as_deref())?,
    })
}

fn opener(opener: shape::Opener<'_>) -> Result<Opener, Invalid> {
    Ok(Opener {
        task: TaskId { pid: Pid(opener.pid), tid: Tid(opener.tid) },
        access: access(&opener.access)?,
        command: command(&opener.command)?,
    })
}

fn process(process: shape::Process<'_>) -> Result<Process, Invalid> {
    let words = match process.cmdline_bytes {
        Some(words) => Some(words.iter().map(|word| base64(word)).collect::<Result<Vec<_>, _>>()?),
        None => process.cmdline.map(|words| words.into_iter().map(String::into_bytes).collect()),
    };
    let ended = |mut word: Vec<u8>| {
        word.push(0);
        word
    };
    Ok(Process {
        pid: Pid(process.pid),
        ppid: process.ppid,
        pgid: process.pgid,
        sid: process.sid,
        uid: process.uid.map(Uid),
        command: command(&process.command)?,
        cmdline: words.map(|words| CommandLine(words.into_iter().flat_map(ended).collect())),
        state: process.state,
        started_at: process.started_at.map(|at| time("started_at", &at)).transpose()?,
        ns_pid: process.ns_pid,
        container: process.container.map(Cow::into_owned),
        unit: process.unit.map(Cow::into_owned),
        fd_limit: process.facts.fd_limit,
        fds: process.facts.fds,
        pid_namespace: process.facts.pid_namespace,
    })
}

fn gap(gap: shape::Unreadable<'_>) -> Result<Gap, Invalid> {
    let what = match (&*gap.what, gap.fd) {
        ("fd_table", _) => UnreadablePart::FdTable,
        ("fd_links", _) => UnreadablePart::FdLinks,
        ("tasks", _) => UnreadablePart::Tasks,
        ("fd", Some(fd)) => UnreadablePart::Fd(Fd(fd)),
        ("cmdline", _) => UnreadablePart::Cmdline,
        (what, _) => return Err(Invalid::value("what", what)),
    };
    let may_hold = match gap.may_hold {
        Some(shape::PossibleEnds { read, write, anonymous }) => PossibleEnds { read, write, anonymous },
        None if what == UnreadablePart::Cmdline => PossibleEnds::NOTHING,
        None => PossibleEnds::ANYTHING,
    };
    Ok(Gap {
        pid: Pid(gap.pid),
        tid: gap.tid.map(Tid),
        command: command(&gap.command)?,
        uid: gap.uid.map(Uid),
        what,
        error: gap.error.into_owned(),
        fds: gap.fds,
        mount: gap.mount.map(|mount| mount.into_owned().into()),
        may_hold,
    })
}

fn descriptor(descriptor: shape::Descriptor<'_>) -> Result<Descriptor, Invalid> {
    const TYPES: [FileType; 8] = [
        FileType::Regular,
        FileType::Directory,
        FileType::CharacterDevice,
        FileType::BlockDevice,
        FileType::Fifo,
        FileType::Socket,
        FileType::Symlink,
        FileType::AnonymousInode,
    ];
    let access = optional(descriptor.access.as_deref(), access)?;
    let target = descriptor.target.map(|target| name(&target, descriptor.target_bytes.as_deref())).transpose()?;
    Ok(Descriptor {
        pid: Pid(descriptor.pid),
        tid: descriptor.tid.map(Tid),
        fd: Fd(descriptor.fd),
        access,
        flags: flags(access, descriptor.flags.as_deref())?,
        file_type: optional(descriptor.file_type.as_deref(), |word| known("type", TYPES, FileType::as_str, word))?,
        target,
        pipe: optional(descriptor.pipe.as_deref(), pipe_id)?,
    })
}

fn flags(access: Option<AccessMode>, names: Option<&[shape::Word]>) -> Result<Option<OpenFlags>, Invalid> {
    let Some(names) = names else { return Ok(None) };
    match OpenFlags::of_names(access, names.iter().map(|name| &**name)) {
        Some(flags) => Ok(Some(flags)),
        None => Err(Invalid::value("flags", names)),
    }
}

pub(super) fn access(word: &str) -> Result<AccessMode, Invalid> {
    let all = [AccessMode::Read, AccessMode::Write, AccessMode::ReadWrite];
    known("access", all, AccessMode::as_str, word)
}

pub(super) fn how(word: &str) -> Result<HiddenVia, Invalid> {
    let all = [
        HiddenVia::ScmRights,
        HiddenVia::IoUring,
        HiddenVia::Exiting,
        HiddenVia::Autofs,
        HiddenVia::Unreadable,
        HiddenVia::ViewLimit,
    ];
    known("how", all, HiddenVia::as_str, word)
}

pub(super) fn pipe_id(text: &str) -> Result<PipeId, Invalid> {
    text.parse().map_err(|_| Invalid::value("a pipe's id", text))
}

pub(super) fn command(command: &shape::Command<'_>) -> Result<Vec<u8>, Invalid> {
    name(&command.command, command.command_bytes.as_deref())
}

/// What is told of each process, which nothing may be twice.
pub(super) fn by_pid<T>(
    items: impl Iterator<Item = Result<T, Invalid>>,
    pid: impl Fn(&T) -> Pid,
) -> Result<BTreeMap<Pid, T>, Invalid> {
    let mut all = BTreeMap::new();
    for item in items {
        let item = item?;
        let pid = pid(&item);
        if all.insert(pid, item).is_some() {
            return Err(Invalid::Senseless(format!("process {pid} stands in it twice")));
        }
    }
    Ok(all)
}

/// A name as the kernel has it.
pub(super) fn name(text: &str, exact: Option<&str>) -> Result<Vec<u8>, Invalid> {
    match exact {
        Some(bytes) => base64(bytes),
        None => Ok(text.as_bytes().to_vec()),
    }
}

fn base64(text: &str) -> Result<Vec<u8>, Invalid> {
    STANDARD.decode(text).map_err(|_| Invalid::value("a name in base64", text))
}

fn time(field: &str, text: &str) -> Result<Timestamp, Invalid> {
    text.parse().map_err(|_| Invalid::value(field, text))
}

/// The value of a fixed set that a word stands for.
pub(super) fn known<T: Copy, const N: usize>(
    field: &str,
    all: [T; N],
    word_of: impl Fn(T) -> &'static str,
    word: &str,
) -> Result<T, Invalid> {
    all.into_iter().find(|value| word_of(*value) == word).ok_or_else(|| Invalid::value(field, word))
}

/// What a word stands for, if there is one.
pub(super) fn optional<T>(word: Option<&str>, read: impl Fn(&str) -> Result<T, Invalid>) -> Result<Option<T>, Invalid> {
    word.map(read).transpose()
}
