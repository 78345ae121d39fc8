//! The program that the iterator over threads runs to list processes: it writes a record for the first thread of each, also of the kernel's
//! own and of those that have ended and are not waited for. Also available under MIT OR GPL-2.0-only.
//!
//! In the initial PID namespace it reads through types only.

use super::{Cast, Output, PidFields};
use crate::observe::kernel::assembly::Register::{R0, R1, R2, R6, R7};
use crate::observe::kernel::assembly::{Assembler, AssemblyError, Instruction, Place};
use crate::observe::kernel::btf::{Btf, BtfError, Field, Named, TypeId};

/// The function that stands for the iterator.
pub(in crate::observe::kernel) const FUNCTION: Named = Named::Function("bpf_iter_task");

record! {
    /// A process.
    Raw {
        /// The command, padded with zeros, in the order of memory.
        command: u64,
        command_end: u64,
        /// When it was started, in nanoseconds after boot.
        started: u64,
        pid: u32,
        /// 0 of a process that has none, and in a PID namespace other than the initial.
        parent: u32,
        /// Its effective user, and how many PID namespaces are around its own; only in the initial PID namespace.
        user: u32,
        level: u32,
    }
}

/// Where everything is that the program reads.
#[derive(Debug, Clone, Copy)]
pub(in crate::observe::kernel) struct Layout {
    function: TypeId,
    output: Output,
    /// Of the context.
    task: Field,
    /// `struct task_struct`
    task_type: TypeId,
    tgid: Field,
    pid: Field,
    real_parent: Field,
    start_time: Field,
    /// Of the task, and of what it points to.
    credentials: Field,
    euid: Field,
    command: Field,
    pids: PidFields,
}

impl Layout {
    /// Follows the types from the parameters of [`FUNCTION`].
    pub(in crate::observe::kernel) fn of<B: AsRef<[u8]>>(btf: &Btf<B>, function: TypeId) -> Result<Self, BtfError> {
        let context = btf.parameter(function, "task")?;
        let task = btf.target(context.type_id)?;
        let command = btf.member(task, "comm")?;
        if command.width != Raw::command.width + Raw::command_end.width {
            return Err(BtfError::Missing("command of 16 bytes".to_owned()));
        }
        let credentials = btf.member(task, "real_cred")?;
        let start_time = btf.member(task, "start_boottime").or_else(|_| btf.member(task, "real_start_time"))?;
        Ok(Self {
            function,
            output: Output::of(btf, function)?,
            task: context,
            task_type: task,
            start_time,
            credentials,
            euid: btf.member(btf.target(credentials.type_id)?, "euid.val")?,
            tgid: btf.member(task, "tgid")?,
            pid: btf.member(task, "pid")?,
            real_parent: btf.member(task, "real_parent")?,
            command,
            pids: PidFields::of(btf, task)?,
        })
    }

    /// The function that stands for the iterator.
    pub(in crate::observe::kernel) const fn function(&self) -> TypeId {
        self.function
    }
}

// The stack below the record.
const SCRATCH: Place = Place { offset: Raw::BELOW - 8, width: 8 };
const LEVEL: Place = Place { offset: Raw::BELOW - 12, width: 4 };

/// Assembles the program. `initial_pids` says whether the process that reads is in the initial PID namespace.
pub(in crate::observe::kernel) fn assemble(
    layout: &Layout,
    initial_pids: bool,
    cast: Option<Cast>,
) -> Result<Vec<Instruction>, AssemblyError> {
    let mut a = Assembler::default();
    let done = a.label();
    // R6 is the context, R7 the task.
    a.set(R6, R1);
    a.load(R7, R6, layout.task).jump_if_equal(R7, 0, done);
    a.load(R1, R7, layout.tgid).load(R2, R7, layout.pid);
    a.jump_if_not_equal(R1, R2, done);
    a.only_read(R7, layout.task_type, cast).clear(Raw::BELOW);
    let half = |offset: u32| Field { offset: layout.command.offset.saturating_add(offset), width: 8, ..layout.command };
    a.copy(R7, half(0), Raw::command);
    a.copy(R7, half(8), Raw::command_end);
    a.copy(R7, layout.start_time, Raw::started);
    if initial_pids {
        a.copy(R7, layout.tgid, Raw::pid);
        a.load(R2, R7, layout.real_parent);
        a.copy(R2, layout.tgid, Raw::parent);
        a.load(R2, R7, layout.credentials).copy(R2, layout.euid, Raw::user);
        a.load(R2, R7, layout.pids.thread_pid).copy(R2, layout.pids.level, Raw::level);
    } else {
        a.namespace_level(layout.pids, SCRATCH, LEVEL, done);
        a.number_at_level(R7, layout.pids, (SCRATCH, LEVEL), Raw::pid, done);
    }
    a.write_record(R6, layout.output, Raw::BELOW);
    a.place(done).set(R0, 0).exit();
    a.finish()
}
