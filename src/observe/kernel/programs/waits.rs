//! The program that finds who sleeps on pipes: run by the iterator over open files, it walks the wait queues of each pipe with a sleeper
//! and writes a record for each entry, and for the holder of its lock. Also available under MIT OR GPL-2.0-only.
//!
//! The queues are walked by address and without their lock: what is read of an entry that is removed meanwhile may be anything, so an
//! address counts only if it is that of a thread.

use super::{Cast, Output, helper};
use crate::observe::kernel::assembly::Register::{Fp, R0, R1, R2, R3, R4, R6, R7, R8, R9};
use crate::observe::kernel::assembly::{Assembler, AssemblyError, Instruction, Label, Place};
use crate::observe::kernel::btf::{Btf, BtfError, Field, Named, TypeId};
use crate::observe::kernel::programs::files::{self, S_IFIFO};

record! {
    /// An entry of a queue, or a holder of a lock.
    Raw {
        /// The pipe, and the number of this reading: the key in the map of pipes that were walked.
        pipe: u64,
        reading: u64,
        inode: u64,
        /// What the entry is for: the thread, or what stands for a poll.
        private: u64,
        /// If it is a poll's: the thread, the file and the events that it asks for, and where there are more than a few, a pointer.
        polling: u64,
        file: u64,
        asks: u64,
        more: u64,
        /// If it is an epoll's.
        epoll: u64,
        device: u32,
        queue: u32,
        /// The number of entries before it in the queue.
        before: u32,
        /// How many files the poll has, the few that fit.
        polled: u32,
    }
}

/// What [`Raw::queue`] is.
pub(in crate::observe::kernel) const READERS: u32 = 0;
pub(in crate::observe::kernel) const WRITERS: u32 = 1;
pub(in crate::observe::kernel) const LOCK: u32 = 2;

/// Maximum number of entries of a queue that are listed. Each costs the verifier a turn of the loop.
pub(in crate::observe::kernel) const MAX_ENTRIES: u32 = 64;

/// How many pipes with sleepers the map holds. One that finds no room is walked by each of its descriptors.
pub(in crate::observe::kernel) const MAX_PIPES: u32 = 1 << 16;

/// The same where memory is short.
pub(in crate::observe::kernel) const FEW_PIPES: u32 = 1 << 8;

/// The size of a key of the map, in bytes: a pipe and a reading.
pub(in crate::observe::kernel) const KEY: u32 = 16;

/// The size of a value of the map, in bytes: the thread and the descriptor by which the pipe was walked.
pub(in crate::observe::kernel) const VALUE: u32 = 16;

/// The file types of a mode.
const S_IFMT: i32 = libc::S_IFMT.cast_signed();

/// `MUTEX_FLAGS` of kernel/locking/mutex.h, in the owner of a lock.
const LOCK_FLAGS: i32 = 7;

/// `BPF_ANY` of linux/bpf.h.
const ALWAYS: i32 = 0;

/// Where everything is that the program reads.
#[derive(Debug, Clone, Copy)]
pub(in crate::observe::kernel) struct Layout {
    function: TypeId,
    output: Output,
    /// Of `struct bpf_iter_meta`.
    session_id: Field,
    meta: Field,
    /// Of the context.
    task: Field,
    fd: Field,
    file: Field,
    /// What [`file`](Self::file) points to.
    file_type: TypeId,
    f_inode: Field,
    i_mode: Field,
    i_ino: Field,
    i_sb: Field,
    i_pipe: Field,
    s_dev: Field,
    /// The first pointers of the queues of readers and of writers.
    heads: [Field; 2],
    /// None where locks are of another kind (`CONFIG_PREEMPT_RT`).
    owner: Option<Field>,
    entry: EntryFields,
}

/// Distances from the list node of an entry, by which it is in the queue, to what is around it.
#[derive(Debug, Clone, Copy)]
struct EntryFields {
    private: i32,
    /// `poll_table_entry.filp` and `key`, if the entry is in one.
    filp: i32,
    key: i32,
    /// `eppoll_entry.base`, likewise.
    epoll_base: i32,
    epoll: Field,
    polling_task: Field,
    table: Field,
    inline_index: Field,
}

impl Layout {
    /// Follows the types from the parameters of the function that stands for the iterator.
    pub(in crate::observe::kernel) fn of<B: AsRef<[u8]>>(btf: &Btf<B>) -> Result<Self, BtfError> {
        let [function, queued, poll, of_poll, of_epoll, item] = btf.find([
            files::FUNCTION,
            Named::Structure("wait_queue_entry"),
            Named::Structure("poll_wqueues"),
            Named::Structure("poll_table_entry"),
            Named::Structure("eppoll_entry"),
            Named::Structure("epitem"),
        ]);
        let (function, queued, poll, of_poll, of_epoll) = (function?, queued?, poll?, of_poll?, of_epoll?);
        let parameter = |name| btf.parameter(function, name);
        let (task, fd, file, meta) = (parameter("task")?, parameter("fd")?, parameter("file")?, parameter("meta")?);
        let file_type = btf.target(file.type_id)?;
        let f_inode = btf.member(file_type, "f_inode")?;
        let inode = btf.target(f_inode.type_id)?;
        let (i_sb, i_pipe) = (btf.member(inode, "i_sb")?, btf.member(inode, "i_pipe")?);
        let pipe = btf.target(i_pipe.type_id)?;
        let node = btf.member(queued, "entry")?;
        let distance = |to: u32| i32::try_from(i64::from(to) - i64::from(node.offset)).unwrap_or_default();
        // Of what has the entry as a member.
        let around = |of: TypeId, wait: &str, member: &str| {
            let (wait, member) = (btf.member(of, wait)?, btf.member(of, member)?);
            let offset = i64::from(member.offset) - i64::from(wait.offset) - i64::from(node.offset);
            Ok::<i32, BtfError>(i32::try_from(offset).unwrap_or_default())
        };
        Ok(Self {
            function,
            output: Output::of(btf, function)?,
            session_id: btf.member(btf.target(meta.type_id)?, "session_id")?,
            meta,
            task,
            fd,
            file,
            file_type,
            f_inode,
            i_mode: btf.member(inode, "i_mode")?,
            i_ino: btf.member(inode, "i_ino")?,
            i_sb,
            i_pipe,
            s_dev: btf.member(btf.target(i_sb.type_id)?, "s_dev")?,
            heads: [btf.member(pipe, "rd_wait.head.next")?, btf.member(pipe, "wr_wait.head.next")?],
            owner: btf.member(pipe, "mutex.owner.counter").ok(),
            entry: EntryFields {
                private: distance(btf.member(queued, "private")?.offset),
                filp: around(of_poll, "wait", "filp")?,
                key: around(of_poll, "wait", "key")?,
                epoll_base: around(of_epoll, "wait", "base")?,
                epoll: btf.member(item?, "ep")?,
                polling_task: btf.member(poll, "polling_task")?,
                table: btf.member(poll, "table")?,
                inline_index: btf.member(poll, "inline_index")?,
            },
        })
    }

    /// The function that stands for the iterator.
    pub(in crate::observe::kernel) const fn function(&self) -> TypeId {
        self.function
    }
}

// The stack below the record.
const SCRATCH: Place = Place { offset: Raw::BELOW - 8, width: 8 };
const HEAD: Place = Place { offset: Raw::BELOW - 16, width: 8 };
/// A value of the map.
const FD: Place = Place { offset: Raw::BELOW - 24, width: 8 };
const TASK: Place = Place { offset: Raw::BELOW - 32, width: 8 };

/// Assembles the program. `walked` is the descriptor of a map of pipes, with keys of [`KEY`] bytes and values of [`VALUE`].
pub(in crate::observe::kernel) fn assemble(
    layout: &Layout,
    walked: i32,
    cast: Option<Cast>,
) -> Result<Vec<Instruction>, AssemblyError> {
    let mut a = Assembler::default();
    let done = a.label();
    // R6 is the context, R9 the pipe.
    a.set(R6, R1).load(R8, R6, layout.file).jump_if_equal(R8, 0, done);
    a.only_read(R8, layout.file_type, cast).load(R8, R8, layout.f_inode);
    a.load(R1, R8, layout.i_mode).and(R1, S_IFMT).jump_if_not_equal(R1, S_IFIFO, done);
    a.load(R9, R8, layout.i_pipe).jump_if_equal(R9, 0, done);
    only_used(&mut a, layout, done);
    a.clear(Raw::BELOW).store(Fp, Raw::pipe, R9);
    a.copy(R8, layout.i_ino, Raw::inode).load(R2, R8, layout.i_sb).copy(R2, layout.s_dev, Raw::device);
    // Once for each pipe in a reading.
    a.load(R1, R6, layout.meta).load(R1, R1, layout.session_id).store(Fp, Raw::reading, R1);
    only_once(&mut a, layout, walked, done);
    if let Some(owner) = layout.owner {
        let free = a.label();
        a.load(R9, R8, layout.i_pipe).jump_if_equal(R9, 0, done);
        a.load(R1, R9, owner).and(R1, !LOCK_FLAGS).jump_if_equal(R1, 0, free).store(Fp, Raw::private, R1);
        a.store(Fp, Raw::queue, LOCK.cast_signed()).write_record(R6, layout.output, Raw::BELOW).place(free);
    }
    for (queue, head) in [READERS, WRITERS].into_iter().zip(layout.heads) {
        walk(&mut a, layout, queue, head);
    }
    a.place(done).set(R0, 0).exit();
    a.finish()
}

/// Goes on if the pipe in R9 has a sleeper or its lock is held. Usually it has none, which a few loads show.
fn only_used(a: &mut Assembler, layout: &Layout, done: Label) {
    let used = a.label();
    if let Some(owner) = layout.owner {
        a.load(R1, R9, owner).and(R1, !LOCK_FLAGS).jump_if_not_equal(R1, 0, used);
    }
    // The first pointer of an empty queue leads to itself.
    for head in layout.heads {
        a.load(R1, R9, head).set(R2, R9).add_offset(R2, head.offset).jump_if_not_equal(R1, R2, used);
    }
    a.jump(done).place(used);
}

/// Goes on unless the pipe was walked before by another descriptor. By the same one it is walked again where what was written of it had no
/// room in what is read at once: that is thrown away, and the program runs again (`bpf_seq_read` in `kernel/bpf/bpf_iter.c`).
fn only_once(a: &mut Assembler, layout: &Layout, walked: i32, done: Label) {
    let (new, again) = (a.label(), a.label());
    a.load(R1, R6, layout.task).store(Fp, TASK, R1).copy(R6, layout.fd, FD);
    a.load_map(R1, walked).address_of(R2, Raw::pipe.offset).call(helper::MAP_LOOKUP).jump_if_equal(R0, 0, new);
    for (offset, own) in [(0, TASK), (8, FD)] {
        a.load(R1, R0, Place { offset, width: 8 }).load(R2, Fp, own).jump_if_not_equal(R1, R2, done);
    }
    a.jump(again);
    a.place(new).load_map(R1, walked).address_of(R2, Raw::pipe.offset).address_of(R3, TASK.offset).set(R4, ALWAYS);
    a.call(helper::MAP_UPDATE).place(again);
}

/// Writes a record for each entry of a queue.
fn walk(a: &mut Assembler, layout: &Layout, queue: u32, head: Field) {
    let (next, end) = (a.label(), a.label());
    let entry = &layout.entry;
    a.store(Fp, Raw::queue, queue.cast_signed());
    a.load(R8, Fp, Raw::pipe).add_offset(R8, head.offset).store(Fp, HEAD, R8).set(R7, 0);
    a.place(next);
    // No branches but the ends of the walk, so that the verifier has one path for each turn.
    a.set(R3, R8).probe_read(SCRATCH);
    a.load(R8, Fp, SCRATCH).jump_if_equal(R8, 0, end).load(R1, Fp, HEAD).jump_if_equal(R8, R1, end);
    let around = |a: &mut Assembler, distance: i32, to: Place| {
        a.set(R3, R8).add(R3, distance).probe_read(to);
    };
    around(a, entry.private, Raw::private);
    around(a, entry.filp, Raw::file);
    around(a, entry.key, Raw::asks);
    around(a, entry.epoll_base, SCRATCH);
    a.load(R3, Fp, SCRATCH).add_offset(R3, entry.epoll.offset).probe_read(Raw::epoll);
    for (field, to) in [(entry.polling_task, Raw::polling), (entry.table, Raw::more), (entry.inline_index, Raw::polled)]
    {
        a.same_width(field, to);
        a.load(R3, Fp, Raw::private).add_offset(R3, field.offset).probe_read(to);
    }
    a.store(Fp, Raw::before, R7).write_record(R6, layout.output, Raw::BELOW);
    a.add(R7, 1).jump_if_greater_or_equal(R7, MAX_ENTRIES.cast_signed(), end).jump(next);
    a.place(end);
}
