//! What a thread keeps in its own memory: the sets of poll(2) and select(2), and the path of an open(2).

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::beneath::open_file;
use super::process::ProcessDir;
use super::syscall::FdSet;
use crate::model::Fd;

/// Maximum number of descriptors of a set that is looked at.
const MAX_FDS: u64 = 4096;

/// `sizeof(struct pollfd)`, the same for all callers: an int and two shorts.
const POLLFD: usize = 8;

/// The size of the smallest page, in bytes, so that what is read never ends in one that may not be there.
const PAGE: u64 = 4096;

/// Opens the memory of a process, which takes the right to trace it; see `proc_pid_mem(5)`.
fn open(process: &ProcessDir) -> Option<File> {
    Some(File::from(open_file(process.dir(), c"mem").ok()?))
}

pub(super) fn memory(process: &ProcessDir, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    open(process)?.read_exact_at(&mut bytes, address).ok()?;
    Some(bytes)
}

/// A string in the memory of a process, up to its NUL, of at most `PATH_MAX` bytes.
pub(super) fn string(process: &ProcessDir, address: u64) -> Option<Vec<u8>> {
    let file = open(process)?;
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while text.len() < buffer.len() {
        let position = address.checked_add(u64::try_from(text.len()).ok()?)?;
        let room = usize::try_from(PAGE - position % PAGE).ok()?;
        let count = file.read_at(buffer.get_mut(..room)?, position).ok()?;
        let piece = buffer.get(..count)?;
        if let Some(end) = piece.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&piece[..end]);
            return Some(text);
        }
        if count == 0 {
            return None;
        }
        text.extend_from_slice(piece);
    }
    None
}

pub(super) fn fds(process: &ProcessDir, set: FdSet) -> Option<Vec<Fd>> {
    match set {
        FdSet::Array(array, count) => poll(process, array, count),
        FdSet::Bits(bits, sets) => select(process, bits, sets),
    }
}

/// The descriptors in an array of `struct pollfd`. A negative one is left out, as poll(2) ignores it.
fn poll(process: &ProcessDir, array: u64, count: u64) -> Option<Vec<Fd>> {
    let count = usize::try_from(count).ok().filter(|_| count <= MAX_FDS)?;
    let bytes = memory(process, array, count * POLLFD)?;
    let (entries, _) = bytes.as_chunks::<POLLFD>();
    let fd = |[a, b, c, d, ..]: &[u8; POLLFD]| u32::try_from(i32::from_ne_bytes([*a, *b, *c, *d])).ok();
    Some(entries.iter().filter_map(fd).map(Fd).collect())
}

/// The descriptors in the sets of a select(2), ascending.
fn select(process: &ProcessDir, bits: u64, sets: [u64; 3]) -> Option<Vec<Fd>> {
    let bits = u32::try_from(bits).ok().filter(|bits| u64::from(*bits) <= MAX_FDS)?;
    let length = usize::try_from(bits.div_ceil(8)).ok()?;
    let mut all = vec![0_u8; length];
    for set in sets.into_iter().filter(|set| *set != 0) {
        for (byte, more) in all.iter_mut().zip(memory(process, set, length)?) {
            *byte |= more;
        }
    }
    // An fd_set is an array of long, which is little-endian on every architecture supported here.
    let is_set = |bit: &u32| all.get((bit / 8) as usize).is_some_and(|byte| byte & (1 << (bit % 8)) != 0);
    Some((0..bits).filter(is_set).map(Fd).collect())
}
