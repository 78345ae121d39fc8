//! The programs that the kernel runs for lspipe, and what they have in common. This file and those beside it are available under
//! MIT OR GPL-2.0-only, besides the license of the crate: the kernel gives its helpers to such programs only.
//!
//! Offsets and widths are of the running kernel's types, and the verifier checks them against those types again: what does not fit is
//! refused, and never a wrong number. Programs judge nothing.

use super::assembly::{Assembler, AssemblyError, Label, Place, Register};
use super::btf::{Btf, BtfError, Field, Named, TypeId};

/// `BPF_FUNC_…` of linux/bpf.h.
pub(super) mod helper {
    /// Reads memory of the kernel at any address. If that fails, it returns an error and fills with zeros.
    pub(in crate::observe::kernel) const PROBE_READ_KERNEL: i32 = 113;
    /// Writes to the file by which the iterator is read.
    pub(in crate::observe::kernel) const SEQ_WRITE: i32 = 127;
    /// The `task_struct` of the process that reads.
    pub(in crate::observe::kernel) const CURRENT_TASK: i32 = 35;
    /// Where in a map the value of a key is.
    pub(in crate::observe::kernel) const MAP_LOOKUP: i32 = 1;
    /// Adds to a map, or replaces what is in it.
    pub(in crate::observe::kernel) const MAP_UPDATE: i32 = 2;
    /// The `pt_regs` of a thread: its registers when it entered the kernel.
    pub(in crate::observe::kernel) const TASK_REGISTERS: i32 = 175;
}

/// Declares the record that a program writes, which it builds at the end of its stack. For each number there is a constant of the same
/// name, its place on the stack. Numbers have to come in the order of their widths, and the sum has to be a multiple of 8.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub(in crate::observe::kernel) struct $name {
            $($(#[$field_doc])* pub(in crate::observe::kernel) $field: $type,)*
        }

        #[allow(non_upper_case_globals, clippy::cast_possible_truncation, dead_code, reason = "places have the names of the fields")]
        impl $name {
            $(
                pub(in crate::observe::kernel) const $field: Place = Place {
                    offset: std::mem::offset_of!(Self, $field) as i64 - size_of::<Self>() as i64,
                    width: size_of::<$type>() as u32,
                };
            )*

            /// The size of the record, in bytes.
            pub(in crate::observe::kernel) const SIZE: usize = size_of::<Self>();

            /// Where the free part of the stack ends.
            pub(in crate::observe::kernel) const BELOW: i64 = -(size_of::<Self>() as i64);

            /// None if there are too few bytes.
            pub(in crate::observe::kernel) fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Some(Self {
                    $($field: <$type>::from_ne_bytes(*bytes.get(std::mem::offset_of!(Self, $field)..)?.first_chunk()?),)*
                })
            }
        }

        const _: () = assert!(size_of::<$name>() % 8 == 0 && size_of::<$name>() == 0 $(+ size_of::<$type>())*, "padding");
    };
}

pub(super) mod files;
pub(super) mod processes;
pub(super) mod tasks;
pub(super) mod waits;

/// `bpf_rdonly_cast` of kernel/bpf/helpers.c, since Linux 6.2. It takes a pointer and a type, and costs nothing when the program runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast(TypeId);

impl Cast {
    pub(super) const FUNCTION: Named = Named::Function("bpf_rdonly_cast");

    pub(super) const fn by(function: TypeId) -> Self {
        Self(function)
    }
}

/// What an iterator gives a program besides the object: where to write to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// Of the context: `struct bpf_iter_meta *`.
    meta: Field,
    /// `struct seq_file *`
    seq: Field,
}

impl Output {
    /// Of the iterator that this function stands for.
    pub(super) fn of<B: AsRef<[u8]>>(btf: &Btf<B>, function: TypeId) -> Result<Self, BtfError> {
        let meta = btf.parameter(function, "meta")?;
        Ok(Self { meta, seq: btf.member(btf.target(meta.type_id)?, "seq")? })
    }
}

/// How a thread's numbers in PID namespaces are found: `struct pid` has one for each level.
#[derive(Debug, Clone, Copy)]
pub(super) struct PidFields {
    thread_pid: Field,
    level: Field,
    /// `numbers[0].nr`, of the initial namespace.
    number: Field,
    /// The distance from one to the next.
    stride: u32,
}

impl PidFields {
    /// From `struct task_struct`.
    pub(super) fn of<B: AsRef<[u8]>>(btf: &Btf<B>, task: TypeId) -> Result<Self, BtfError> {
        let thread_pid = btf.member(task, "thread_pid")?;
        let pid = btf.target(thread_pid.type_id)?;
        let numbers = btf.member(pid, "numbers")?;
        let one = btf.target(numbers.type_id)?;
        let nr = btf.member(one, "nr")?;
        let number = Field { offset: numbers.offset.saturating_add(nr.offset), ..nr };
        Ok(Self { thread_pid, level: btf.member(pid, "level")?, number, stride: btf.size(one)? })
    }
}

/// What programs do alike. All use R0 to R5.
impl Assembler {
    /// Fills the stack from this offset with zeros.
    pub(super) fn clear(&mut self, from: i64) -> &mut Self {
        for offset in (from..0).step_by(8) {
            self.store(Register::Fp, Place { offset, width: 8 }, 0);
        }
        self
    }

    /// Copies a number to a place on the stack that is at least as wide.
    pub(super) fn copy(&mut self, base: Register, from: Field, to: Place) -> &mut Self {
        if from.width > to.width {
            self.fail(AssemblyError::Width(from.width));
        }
        self.load(Register::R1, base, from).store(Register::Fp, to, Register::R1)
    }

    /// Reads memory to a place on the stack, from the address in R3. The result in R0 is 0 if it could be read.
    pub(super) fn probe_read(&mut self, to: Place) -> &mut Self {
        self.address_of(Register::R1, to.offset)
            .set(Register::R2, to.width.cast_signed())
            .call(helper::PROBE_READ_KERNEL)
    }

    /// The address of a place on the stack.
    pub(super) fn address_of(&mut self, register: Register, offset: i64) -> &mut Self {
        match i32::try_from(offset) {
            Ok(offset) => self.set(register, Register::Fp).add(register, offset),
            Err(_) => self.fail(AssemblyError::Distance),
        }
    }

    /// An offset as a constant.
    pub(super) fn add_offset(&mut self, register: Register, offset: u32) -> &mut Self {
        match i32::try_from(offset) {
            Ok(offset) => self.add(register, offset),
            Err(_) => self.fail(AssemblyError::Distance),
        }
    }

    /// Has the verifier take the pointer in a register for one that is only read from.
    ///
    /// Of each pointer that is loaded through one that it trusts, the verifier looks in all types of the kernel for four names that say
    /// whether it is to be trusted, too (`check_ptr_to_btf_access` of `kernel/bpf/verifier.c`): some tenths of a millisecond each.
    pub(super) fn only_read(&mut self, register: Register, to: TypeId, cast: Option<Cast>) -> &mut Self {
        let Some(Cast(function)) = cast else { return self };
        self.set(Register::R1, register).set(Register::R2, to.number().cast_signed());
        self.call_function(function.number().cast_signed()).set(register, Register::R0)
    }

    /// Writes the record of this size at the end of the stack; `context` is what the program was called with.
    pub(super) fn write_record(&mut self, context: Register, output: Output, below: i64) -> &mut Self {
        self.load(Register::R1, context, output.meta).load(Register::R1, Register::R1, output.seq);
        self.address_of(Register::R2, below);
        match i32::try_from(-below) {
            Ok(size) => self.set(Register::R3, size).call(helper::SEQ_WRITE),
            Err(_) => self.fail(AssemblyError::Distance),
        }
    }

    /// The level of the PID namespace of the process that reads: 0 is the initial one. `scratch` is 8 bytes wide, `level` 4.
    pub(super) fn namespace_level(
        &mut self,
        pids: PidFields,
        scratch: Place,
        level: Place,
        failed: Label,
    ) -> &mut Self {
        self.call(helper::CURRENT_TASK).set(Register::R3, Register::R0);
        self.add_offset(Register::R3, pids.thread_pid.offset);
        self.probe_read(scratch).jump_if_not_equal(Register::R0, 0, failed);
        self.load(Register::R3, Register::Fp, scratch);
        self.add_offset(Register::R3, pids.level.offset);
        self.same_width(pids.level, level);
        self.probe_read(level).jump_if_not_equal(Register::R0, 0, failed)
    }

    /// The number of a thread in the namespace of that level. What is computed with has to be a plain number for the verifier, so it is
    /// read as memory and not through the type. Fails if the thread has ended.
    pub(super) fn number_at_level(
        &mut self,
        task: Register,
        pids: PidFields,
        (scratch, level): (Place, Place),
        to: Place,
        failed: Label,
    ) -> &mut Self {
        self.set(Register::R3, task);
        self.add_offset(Register::R3, pids.thread_pid.offset);
        self.probe_read(scratch).jump_if_not_equal(Register::R0, 0, failed);
        self.load(Register::R3, Register::Fp, scratch).load(Register::R1, Register::Fp, level);
        self.multiply(Register::R1, pids.stride.cast_signed()).add(Register::R3, Register::R1);
        self.add_offset(Register::R3, pids.number.offset);
        self.same_width(pids.number, to);
        self.probe_read(to).jump_if_not_equal(Register::R0, 0, failed)
    }

    /// What is read by address has to be as wide as its place.
    pub(super) fn same_width(&mut self, from: Field, to: Place) -> &mut Self {
        if from.width == to.width { self } else { self.fail(AssemblyError::Width(from.width)) }
    }
}
