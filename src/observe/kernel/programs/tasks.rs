//! The program that the iterator over threads runs: it writes a record for each thread of user space. Also available under
//! MIT OR GPL-2.0-only.
//!
//! Pointers are read by address where that is allowed: for each that is read through its type, the verifier searches all types of the kernel
//! by name, which takes a millisecond.

use super::{Output, PidFields, helper};
use crate::observe::kernel::assembly::Register::{Fp, R0, R1, R2, R3, R6, R7, R8};
use crate::observe::kernel::assembly::{Assembler, AssemblyError, Instruction, Label, Place, Register};
use crate::observe::kernel::btf::{Btf, BtfError, Field, Named, TypeId};

record! {
    /// A thread. Numbers are 0 where they have no meaning.
    Raw {
        task: u64,
        started: u64,
        voluntary: u64,
        other: u64,
        last_run: u64,
        table: u64,
        memory: u64,
        group: u64,
        session: u64,
        command_begin: u64,
        command_end: u64,
        call: u64,
        stack: u64,
        instruction: u64,
        argument_0: u64,
        argument_1: u64,
        argument_2: u64,
        argument_3: u64,
        argument_4: u64,
        argument_5: u64,
        pid: u32,
        tid: u32,
        parent: u32,
        state: u32,
        on_cpu: u32,
        flags: u32,
        /// `thread_info.status`, where a bit of it marks the calls of 32-bit callers.
        status: u32,
        has_call: u32,
        processor: u32,
        has_processor: u32,
    }
}

/// What the program reads besides the thread itself.
#[derive(Debug, Clone, Copy)]
pub(in crate::observe::kernel) struct Options {
    /// The registers with which each thread entered the kernel: the helper is there since Linux 5.15.
    pub(in crate::observe::kernel) registers: bool,
    /// Whether the process that reads is in the initial PID namespace.
    pub(in crate::observe::kernel) initial_pids: bool,
    /// Whether the kernel allows reading by address. If not, it has to be in the initial PID namespace.
    pub(in crate::observe::kernel) by_address: bool,
}

/// `PF_KTHREAD` of linux/sched.h.
const KERNEL_THREAD: i32 = 0x0020_0000;

/// `PIDTYPE_PGID` and `PIDTYPE_SID` of `linux/pid_types.h`.
const GROUP: u32 = 2;
const SESSION: u32 = 3;

/// Where everything is that the program reads.
#[derive(Debug, Clone, Copy)]
pub(in crate::observe::kernel) struct Layout {
    function: TypeId,
    output: Output,
    /// Of the context: the thread.
    context: Field,
    task: TaskFields,
    pids: PidFields,
    /// `signal_struct.pids`, of which each is a pointer.
    signal_pids: Field,
    registers: Option<Registers>,
}

#[derive(Debug, Clone, Copy)]
struct TaskFields {
    tgid: Field,
    pid: Field,
    group_leader: Field,
    real_parent: Field,
    state: Field,
    /// None on a kernel for one CPU, where no thread but the reading one runs.
    on_cpu: Option<Field>,
    flags: Field,
    nvcsw: Field,
    nivcsw: Field,
    start_time: Field,
    exec_start: Field,
    files: Field,
    mm: Field,
    signal: Field,
    comm: Field,
    /// None on a kernel for one CPU.
    cpu: Option<Field>,
    /// None where it has no bit that marks 32-bit callers.
    status: Option<Field>,
}

/// Members of `struct pt_regs`.
#[derive(Debug, Clone, Copy)]
struct Registers {
    number: Field,
    arguments: [Field; 6],
    stack: Field,
    instruction: Field,
}

impl Registers {
    fn of<B: AsRef<[u8]>>(btf: &Btf<B>, of: TypeId) -> Result<Self, BtfError> {
        let member = |name| btf.member(of, name);
        if cfg!(target_arch = "x86_64") {
            let [a, b, c, d, e, f] = ["di", "si", "dx", "r10", "r8", "r9"].map(member);
            let arguments = [a?, b?, c?, d?, e?, f?];
            return Ok(Self {
                number: member("orig_ax")?,
                arguments,
                stack: member("sp")?,
                instruction: member("ip")?,
            });
        }
        if cfg!(target_arch = "aarch64") {
            let all = member("regs")?;
            let register = |n: u32| Field { offset: all.offset.saturating_add(8 * n), width: 8, ..all };
            let arguments = [member("orig_x0")?, register(1), register(2), register(3), register(4), register(5)];
            return Ok(Self {
                number: member("syscallno")?,
                arguments,
                stack: member("sp")?,
                instruction: member("pc")?,
            });
        }
        Err(BtfError::Missing("registers that are known".to_owned()))
    }
}

impl Layout {
    /// Follows the types from the parameters of the function that stands for the iterator.
    pub(in crate::observe::kernel) fn of<B: AsRef<[u8]>>(btf: &Btf<B>) -> Result<Self, BtfError> {
        let [function, registers] = btf.find([super::processes::FUNCTION, Named::Structure("pt_regs")]);
        let function = function?;
        let context = btf.parameter(function, "task")?;
        let task = btf.target(context.type_id)?;
        let of_task = |name| btf.member(task, name);
        let signal = of_task("signal")?;
        let status = if cfg!(target_arch = "x86_64") { of_task("thread_info.status").ok() } else { None };
        Ok(Self {
            function,
            output: Output::of(btf, function)?,
            context,
            task: TaskFields {
                tgid: of_task("tgid")?,
                pid: of_task("pid")?,
                group_leader: of_task("group_leader")?,
                real_parent: of_task("real_parent")?,
                // Before Linux 5.14 without underscores.
                state: of_task("__state").or_else(|_| of_task("state"))?,
                on_cpu: of_task("on_cpu").ok(),
                flags: of_task("flags")?,
                nvcsw: of_task("nvcsw")?,
                nivcsw: of_task("nivcsw")?,
                start_time: of_task("start_boottime").or_else(|_| of_task("real_start_time"))?,
                exec_start: of_task("se.exec_start")?,
                files: of_task("files")?,
                mm: of_task("mm")?,
                signal,
                comm: of_task("comm")?,
                // On some architectures, and before Linux 5.17, in the task itself.
                cpu: of_task("thread_info.cpu").or_else(|_| of_task("cpu")).ok(),
                status,
            },
            pids: PidFields::of(btf, task)?,
            signal_pids: btf.member(btf.target(signal.type_id)?, "pids")?,
            registers: registers.and_then(|registers| Registers::of(btf, registers)).ok(),
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
const PARENT_LEVEL: Place = Place { offset: Raw::BELOW - 16, width: 4 };

/// Assembles the program.
pub(in crate::observe::kernel) fn assemble(
    layout: &Layout,
    options: Options,
) -> Result<Vec<Instruction>, AssemblyError> {
    let mut a = Assembler::default();
    let done = a.label();
    // R6 is the context, R7 the thread.
    a.set(R6, R1).load(R7, R6, layout.context).jump_if_equal(R7, 0, done);
    a.load(R1, R7, layout.task.flags).and(R1, KERNEL_THREAD).jump_if_not_equal(R1, 0, done);
    a.clear(Raw::BELOW).store(Fp, Raw::task, R7);
    let task = &layout.task;
    // 64 bits wide before Linux 5.14, of which the lower are used.
    a.load(R1, R7, task.state).store(Fp, Raw::state, R1);
    // Before the switches: if it stops running in between, these have grown.
    if let Some(on_cpu) = task.on_cpu {
        a.copy(R7, on_cpu, Raw::on_cpu);
    }
    a.copy(R7, task.nvcsw, Raw::voluntary).copy(R7, task.nivcsw, Raw::other);
    a.copy(R7, task.exec_start, Raw::last_run);
    a.copy(R7, task.start_time, Raw::started).copy(R7, task.flags, Raw::flags);
    if let Some(cpu) = task.cpu {
        a.copy(R7, cpu, Raw::processor).store(Fp, Raw::has_processor, 1);
    }
    if let Some(status) = task.status {
        a.copy(R7, status, Raw::status);
    }
    let word = |first: Field, index: u32| Field { offset: first.offset.saturating_add(8 * index), width: 8, ..first };
    a.copy(R7, word(task.comm, 0), Raw::command_begin).copy(R7, word(task.comm, 1), Raw::command_end);
    let of_signal = |kind| word(layout.signal_pids, kind);
    let pointers = [(task.files, Raw::table), (task.mm, Raw::memory)];
    let in_signal = [(of_signal(GROUP), Raw::group), (of_signal(SESSION), Raw::session)];
    if options.by_address {
        for (field, to) in pointers {
            a.set(R3, R7).add_offset(R3, field.offset).probe_read(to);
        }
        a.set(R3, R7).add_offset(R3, task.signal.offset).probe_read(SCRATCH).load(R8, Fp, SCRATCH);
        for (field, to) in in_signal {
            a.set(R3, R8).add_offset(R3, field.offset).probe_read(to);
        }
    } else {
        for (field, to) in pointers {
            a.load(R1, R7, field).store(Fp, to, R1);
        }
        let alone = a.label();
        a.load(R8, R7, task.signal).jump_if_equal(R8, 0, alone);
        for (field, to) in in_signal {
            a.load(R1, R8, field).store(Fp, to, R1);
        }
        a.place(alone);
    }
    numbers(&mut a, layout, options, done);
    if let Some(registers) = layout.registers.filter(|_| options.registers) {
        call(&mut a, &registers);
    }
    a.write_record(R6, layout.output, Raw::BELOW);
    a.place(done).set(R0, 0).exit();
    a.finish()
}

/// The IDs of the thread in R7, its process and its parent. The parent stays 0 if it is outside of the PID namespace.
fn numbers(a: &mut Assembler, layout: &Layout, options: Options, done: Label) {
    let (task, pids) = (&layout.task, layout.pids);
    let outside = a.label();
    if options.initial_pids {
        a.copy(R7, task.tgid, Raw::pid).copy(R7, task.pid, Raw::tid);
        if options.by_address {
            pointer(a, R7, task.real_parent).same_width(task.tgid, Raw::parent);
            a.set(R3, R8).add_offset(R3, task.tgid.offset).probe_read(Raw::parent);
        } else {
            a.load(R8, R7, task.real_parent).jump_if_equal(R8, 0, outside).copy(R8, task.tgid, Raw::parent);
        }
        a.place(outside);
        return;
    }
    a.namespace_level(pids, SCRATCH, LEVEL, done);
    a.number_at_level(R7, pids, (SCRATCH, LEVEL), Raw::tid, done);
    pointer(a, R7, task.group_leader).number_at_level(R8, pids, (SCRATCH, LEVEL), Raw::pid, done);
    pointer(a, R7, task.real_parent);
    pointer(a, R8, task.group_leader);
    a.set(R3, R8).add_offset(R3, pids.thread_pid.offset).probe_read(SCRATCH).jump_if_not_equal(R0, 0, outside);
    a.load(R3, Fp, SCRATCH).add_offset(R3, pids.level.offset).probe_read(PARENT_LEVEL);
    a.jump_if_not_equal(R0, 0, outside);
    a.load(R1, Fp, LEVEL).load(R2, Fp, PARENT_LEVEL).jump_if_greater(R1, R2, outside);
    a.number_at_level(R8, pids, (SCRATCH, LEVEL), Raw::parent, outside);
    a.place(outside);
}

/// Reads a pointer by address to R8.
fn pointer(a: &mut Assembler, base: Register, field: Field) -> &mut Assembler {
    a.set(R3, base).add_offset(R3, field.offset).probe_read(SCRATCH).load(R8, Fp, SCRATCH)
}

/// The system call of the thread in R7.
fn call(a: &mut Assembler, registers: &Registers) {
    let none = a.label();
    a.set(R1, R7).call(helper::TASK_REGISTERS).jump_if_equal(R0, 0, none).set(R8, R0);
    a.copy(R8, registers.number, Raw::call);
    let to = [Raw::argument_0, Raw::argument_1, Raw::argument_2, Raw::argument_3, Raw::argument_4, Raw::argument_5];
    for (from, to) in registers.arguments.into_iter().zip(to) {
        a.copy(R8, from, to);
    }
    a.copy(R8, registers.stack, Raw::stack).copy(R8, registers.instruction, Raw::instruction);
    a.store(Fp, Raw::has_call, 1).place(none);
}
