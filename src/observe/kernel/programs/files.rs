//! The program that the iterator over open files runs: it writes a record for each descriptor of a pipe or FIFO, and of a socket or
//! character device where they are wanted too. Also available under MIT OR GPL-2.0-only.
//!
//! In two tiers: [`Tier::Core`] reads through types only, which the kernel allows also where it is locked down for confidentiality.

use super::{Cast, Output, PidFields};
use crate::observe::kernel::assembly::Register::{Fp, R0, R1, R2, R3, R6, R7, R8, R9};
use crate::observe::kernel::assembly::{Assembler, AssemblyError, Instruction, Label, Place};
use crate::observe::kernel::btf::{Btf, BtfError, Field, Named, TypeId};

/// The function that stands for the iterator.
pub(in crate::observe::kernel) const FUNCTION: Named = Named::Function("bpf_iter_task_file");

record! {
    /// A descriptor. Numbers are 0 where they have no meaning.
    Raw {
        file: u64,
        table: u64,
        pipe: u64,
        inode: u64,
        references: u64,
        queued: u64,
        /// The pages that count against the limit of the user that made the pipe.
        user_pages: u64,
        pid: u32,
        tid: u32,
        fd: u32,
        /// The type bits of the inode's mode.
        file_type: u32,
        file_mode: u32,
        file_flags: u32,
        has_cloexec: u32,
        cloexec: u32,
        device: u32,
        links: u32,
        readers: u32,
        writers: u32,
        files: u32,
        read_opens: u32,
        write_opens: u32,
        slots: u32,
        max_slots: u32,
        has_queued: u32,
        /// The real user of the process that made the pipe.
        user: u32,
        has_user: u32,
    }
}

/// How much a program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::observe::kernel) enum Tier {
    /// What can be read through types.
    Core,
    /// Also what is read by address: the close-on-exec flag, the bytes in a pipe, and numbers in a PID namespace other than the initial.
    Full,
}

/// What the program is for.
#[derive(Debug, Clone, Copy)]
pub(in crate::observe::kernel) struct Options {
    pub(in crate::observe::kernel) tier: Tier,
    /// Also sockets and character devices, and who made each pipe.
    pub(in crate::observe::kernel) channels: bool,
    /// Whether the process that reads is in the initial PID namespace. If not, the tier has to be full.
    pub(in crate::observe::kernel) initial_pids: bool,
    /// Where the kernel has it.
    pub(in crate::observe::kernel) cast: Option<Cast>,
}

/// Maximum number of slots of a pipe whose bytes are summed: the default size of a pipe. Each costs the verifier a turn of the loop.
const MAX_SUMMED: i32 = 16;

/// The major number of /dev/null, /dev/zero and the like.
const MEMORY_DEVICES: i32 = 1;

/// `MINORBITS` of `linux/kdev_t.h`.
pub(in crate::observe::kernel) const MINOR_BITS: u32 = 20;

/// A part of the types, so that programs name what they read.
macro_rules! fields {
    ($name:ident { $($field:ident),* $(,)? }) => {
        #[derive(Debug, Clone, Copy)]
        struct $name { $($field: Field,)* }
    };
}

fields!(Context { task, fd, file });
fields!(TaskFields { tgid, pid, files, group_leader });
fields!(FileFields { f_mode, f_flags, f_inode });
fields!(InodeFields { i_mode, i_ino, i_sb, i_nlink, i_rdev, i_pipe, s_dev });
fields!(PipeFields { head, tail, max_usage, ring_size, readers, writers, files, r_counter, w_counter, bufs, len });

/// Where everything is that the program reads.
#[derive(Debug, Clone, Copy)]
pub(in crate::observe::kernel) struct Layout {
    function: TypeId,
    output: Output,
    context: Context,
    /// What the context points to.
    types: ContextTypes,
    task: TaskFields,
    pids: PidFields,
    /// `files_struct.fdt`, and of what it points to `close_on_exec`.
    fdt: Field,
    close_on_exec: Field,
    file: FileFields,
    references: References,
    inode: InodeFields,
    pipe: PipeFields,
    /// Head and tail as one number, since Linux 6.14.
    head_tail: Option<Field>,
    /// Of a pipe, its `user`; and of what that points to, the count of pages and the number.
    user: Option<(Field, Field, Field)>,
    pipe_buffer: u32,
}

/// `struct task_struct` and `struct file`.
#[derive(Debug, Clone, Copy)]
struct ContextTypes {
    task: TypeId,
    file: TypeId,
}

/// The count of references of a file.
#[derive(Debug, Clone, Copy)]
enum References {
    /// `f_count`, which counts all.
    Count(Field),
    /// `f_ref`, since Linux 6.13: one less.
    LessOne(Field),
}

impl Layout {
    /// Follows the types from the parameters of [`FUNCTION`].
    pub(in crate::observe::kernel) fn of<B: AsRef<[u8]>>(btf: &Btf<B>, function: TypeId) -> Result<Self, BtfError> {
        let parameter = |name| btf.parameter(function, name);
        let context = Context { task: parameter("task")?, fd: parameter("fd")?, file: parameter("file")? };
        let task = btf.target(context.task.type_id)?;
        let of_task = |name| btf.member(task, name);
        let files = of_task("files")?;
        let fdt = btf.member(btf.target(files.type_id)?, "fdt")?;
        let file = btf.target(context.file.type_id)?;
        let f_inode = btf.member(file, "f_inode")?;
        let inode = btf.target(f_inode.type_id)?;
        let of_inode = |name| btf.member(inode, name);
        let (i_sb, i_pipe) = (of_inode("i_sb")?, of_inode("i_pipe")?);
        let pipe = btf.target(i_pipe.type_id)?;
        let of_pipe = |name| btf.member(pipe, name);
        let bufs = of_pipe("bufs")?;
        let buffer = btf.target(bufs.type_id)?;
        let new = btf.member(file, "f_ref.refcnt.counter").map(References::LessOne);
        let user = of_pipe("user").and_then(|pointer| {
            let user = btf.target(pointer.type_id)?;
            Ok((pointer, btf.member(user, "pipe_bufs.counter")?, btf.member(user, "uid.val")?))
        });
        Ok(Self {
            function,
            output: Output::of(btf, function)?,
            context,
            types: ContextTypes { task, file },
            task: TaskFields {
                tgid: of_task("tgid")?,
                pid: of_task("pid")?,
                files,
                group_leader: of_task("group_leader")?,
            },
            pids: PidFields::of(btf, task)?,
            fdt,
            close_on_exec: btf.member(btf.target(fdt.type_id)?, "close_on_exec")?,
            file: FileFields { f_mode: btf.member(file, "f_mode")?, f_flags: btf.member(file, "f_flags")?, f_inode },
            references: new.or_else(|_| btf.member(file, "f_count.counter").map(References::Count))?,
            inode: InodeFields {
                i_mode: of_inode("i_mode")?,
                i_ino: of_inode("i_ino")?,
                i_sb,
                i_nlink: of_inode("i_nlink")?,
                i_rdev: of_inode("i_rdev")?,
                i_pipe,
                s_dev: btf.member(btf.target(i_sb.type_id)?, "s_dev")?,
            },
            pipe: PipeFields {
                head: of_pipe("head")?,
                tail: of_pipe("tail")?,
                max_usage: of_pipe("max_usage")?,
                ring_size: of_pipe("ring_size")?,
                readers: of_pipe("readers")?,
                writers: of_pipe("writers")?,
                files: of_pipe("files")?,
                r_counter: of_pipe("r_counter")?,
                w_counter: of_pipe("w_counter")?,
                bufs,
                len: btf.member(buffer, "len")?,
            },
            head_tail: of_pipe("head_tail").ok(),
            user: user.ok(),
            pipe_buffer: btf.size(buffer)?,
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
const HEAD: Place = Place { offset: Raw::BELOW - 16, width: 4 };
const TAIL: Place = Place { offset: Raw::BELOW - 20, width: 4 };
const RING_SIZE: Place = Place { offset: Raw::BELOW - 24, width: 4 };
/// All errors of reading lengths.
const FAILED: Place = Place { offset: Raw::BELOW - 32, width: 8 };

/// Assembles the program.
pub(in crate::observe::kernel) fn assemble(
    layout: &Layout,
    options: Options,
) -> Result<Vec<Instruction>, AssemblyError> {
    let mut a = Assembler::default();
    let done = a.label();
    // R6 is the context, R7 the task, R8 the file, R9 the inode.
    a.set(R6, R1);
    a.load(R7, R6, layout.context.task).jump_if_equal(R7, 0, done);
    a.load(R8, R6, layout.context.file).jump_if_equal(R8, 0, done);
    a.only_read(R8, layout.types.file, options.cast).load(R9, R8, layout.file.f_inode);
    only_wanted(&mut a, layout, options.channels, done);
    a.store(Fp, Raw::file, R8);
    a.copy(R8, layout.file.f_mode, Raw::file_mode);
    a.copy(R8, layout.file.f_flags, Raw::file_flags);
    // Without that of the iterator, which holds the file for the moment.
    match layout.references {
        References::LessOne(field) => a.copy(R8, field, Raw::references),
        References::Count(field) => a.load(R1, R8, field).add(R1, -1).store(Fp, Raw::references, R1),
    };
    a.copy(R9, layout.inode.i_ino, Raw::inode);
    a.copy(R9, layout.inode.i_nlink, Raw::links);
    a.load(R2, R9, layout.inode.i_sb);
    a.copy(R2, layout.inode.s_dev, Raw::device);
    a.copy(R6, layout.context.fd, Raw::fd);
    a.only_read(R7, layout.types.task, options.cast);
    a.load(R2, R7, layout.task.files).store(Fp, Raw::table, R2);
    if options.tier == Tier::Full {
        close_on_exec(&mut a, layout);
    }
    if options.initial_pids || options.tier == Tier::Core {
        a.copy(R7, layout.task.tgid, Raw::pid);
        a.copy(R7, layout.task.pid, Raw::tid);
    } else {
        a.namespace_level(layout.pids, SCRATCH, LEVEL, done);
        a.number_at_level(R7, layout.pids, (SCRATCH, LEVEL), Raw::tid, done);
        a.load(R2, R7, layout.task.group_leader);
        a.number_at_level(R2, layout.pids, (SCRATCH, LEVEL), Raw::pid, done);
    }
    let write = a.label();
    a.load(R1, Fp, Raw::file_type).jump_if_not_equal(R1, S_IFIFO, write);
    pipe(&mut a, layout, options, write);
    a.place(write).write_record(R6, layout.output, Raw::BELOW);
    a.place(done).set(R0, 0).exit();
    a.finish()
}

// The type bits of a mode, as signed as constants of instructions are.
const S_IFMT: i32 = libc::S_IFMT.cast_signed();
pub(in crate::observe::kernel) const S_IFIFO: i32 = libc::S_IFIFO.cast_signed();
const S_IFSOCK: i32 = libc::S_IFSOCK.cast_signed();
const S_IFCHR: i32 = libc::S_IFCHR.cast_signed();

/// Goes on with a clear record if the inode in R9 is of a kind that is wanted.
fn only_wanted(a: &mut Assembler, layout: &Layout, channels: bool, done: Label) {
    a.load(R1, R9, layout.inode.i_mode).and(R1, S_IFMT);
    if channels {
        let wanted = a.label();
        a.jump_if_equal(R1, S_IFIFO, wanted).jump_if_equal(R1, S_IFSOCK, wanted);
        a.jump_if_not_equal(R1, S_IFCHR, done);
        a.load(R2, R9, layout.inode.i_rdev).shift_right(R2, MINOR_BITS.cast_signed());
        a.jump_if_equal(R2, MEMORY_DEVICES, done);
        a.place(wanted);
    } else {
        a.jump_if_not_equal(R1, S_IFIFO, done);
    }
    a.clear(Raw::BELOW).store(Fp, Raw::file_type, R1);
}

/// The bit of the descriptor in the table's map of those that exec(2) closes. The table is in R2.
fn close_on_exec(a: &mut Assembler, layout: &Layout) {
    let unknown = a.label();
    a.jump_if_equal(R2, 0, unknown);
    a.load(R2, R2, layout.fdt).load(R3, R2, layout.close_on_exec);
    // The map is of words of 64 bits.
    a.load(R1, Fp, Raw::fd).shift_right(R1, 6).shift_left(R1, 3).add(R3, R1);
    a.probe_read(SCRATCH).jump_if_not_equal(R0, 0, unknown);
    a.load(R1, Fp, Raw::fd).and(R1, 63).load(R2, Fp, SCRATCH).shift_right(R2, R1).and(R2, 1);
    a.store(Fp, Raw::cloexec, R2).store(Fp, Raw::has_cloexec, 1);
    a.place(unknown);
}

/// What is known of the pipe of the inode in R9.
fn pipe(a: &mut Assembler, layout: &Layout, options: Options, write: Label) {
    let fields = &layout.pipe;
    // Null if the FIFO is open with O_PATH only.
    a.load(R9, R9, layout.inode.i_pipe).store(Fp, Raw::pipe, R9).jump_if_equal(R9, 0, write);
    a.copy(R9, fields.max_usage, Raw::max_slots);
    a.copy(R9, fields.ring_size, RING_SIZE);
    a.copy(R9, fields.readers, Raw::readers);
    a.copy(R9, fields.writers, Raw::writers);
    a.copy(R9, fields.files, Raw::files);
    a.copy(R9, fields.r_counter, Raw::read_opens);
    a.copy(R9, fields.w_counter, Raw::write_opens);
    // A list of pipes only does without.
    if let Some((user, pages, number)) = layout.user.filter(|_| options.channels) {
        let none = a.label();
        a.load(R2, R9, user).jump_if_equal(R2, 0, none);
        a.copy(R2, pages, Raw::user_pages).copy(R2, number, Raw::user).store(Fp, Raw::has_user, 1).place(none);
    }
    head_and_tail(a, layout);
    a.store(Fp, HEAD, R2).store(Fp, TAIL, R3);
    a.subtract32(R2, R3);
    if fields.head.width == 2 {
        a.and(R2, 0xffff);
    }
    a.store(Fp, Raw::slots, R2);
    if options.tier == Tier::Full {
        queued(a, layout);
    }
}

/// The head of the ring in R2, its tail in R3, of the pipe in R9. Both count on and on.
fn head_and_tail(a: &mut Assembler, layout: &Layout) {
    let PipeFields { head, tail, .. } = layout.pipe;
    let both = layout.head_tail.filter(|both| {
        cfg!(target_endian = "little")
            && both.width == 8
            && (head.width, tail.width) == (4, 4)
            && both.offset == head.offset
            && tail.offset.checked_sub(4) == Some(head.offset)
    });
    match both {
        // One load, so that they are of one moment.
        Some(both) => {
            a.load(R3, R9, both).set(R2, R3).shift_left(R2, 32).shift_right(R2, 32).shift_right(R3, 32);
        }
        // The tail first: a head that has moved since makes the pipe fuller, and never a negative number of slots.
        None => {
            a.load(R3, R9, tail).load(R2, R9, head);
        }
    }
}

/// The bytes of all used slots of the pipe in R9, if they are few and none moves meanwhile.
fn queued(a: &mut Assembler, layout: &Layout) {
    let PipeFields { bufs, len, .. } = layout.pipe;
    let length = Place { offset: SCRATCH.offset, width: len.width };
    let (next, summed, known, unknown) = (a.label(), a.label(), a.label(), a.label());
    a.load(R7, Fp, Raw::slots).jump_if_equal(R7, 0, known).jump_if_greater(R7, MAX_SUMMED, unknown);
    // Its address as a plain number, with which the verifier lets us compute.
    a.set(R3, R9).add_offset(R3, bufs.offset).probe_read(SCRATCH).jump_if_not_equal(R0, 0, unknown);
    // R7 is the number of used slots, R8 the ring of slots, R9 how many are summed.
    a.load(R8, Fp, SCRATCH).set(R9, 0).store(Fp, FAILED, 0);
    a.place(next);
    a.load(R1, Fp, TAIL).add32(R1, R9).load(R2, Fp, RING_SIZE).add32(R2, -1).and(R1, R2);
    a.multiply(R1, layout.pipe_buffer.cast_signed()).set(R3, R8).add(R3, R1).add_offset(R3, len.offset);
    // No branch here, which the verifier would follow in each turn.
    a.probe_read(length).load(R1, Fp, FAILED).or(R1, R0).store(Fp, FAILED, R1);
    a.load(R1, Fp, length).load(R2, Fp, Raw::queued).add(R2, R1).store(Fp, Raw::queued, R2);
    a.add(R9, 1).jump_if_greater_or_equal(R9, R7, summed);
    // For the verifier, which does not see that R7 bounds it.
    a.jump_if_greater(R9, MAX_SUMMED, unknown).jump(next);
    a.place(summed).load(R1, Fp, FAILED).jump_if_not_equal(R1, 0, unknown).load(R9, Fp, Raw::pipe);
    head_and_tail(a, layout);
    a.load(R1, Fp, HEAD).jump_if_not_equal(R1, R2, unknown);
    a.load(R1, Fp, TAIL).jump_if_not_equal(R1, R3, unknown);
    a.place(known).store(Fp, Raw::has_queued, 1);
    a.place(unknown);
}
