//! What a thread keeps in its own memory: the sets of poll(2) and select(2), and the path of an open(2).

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::beneath::open_file;
use super::pages;
use super::polled::{Interest, Polled};
use super::process::ProcessDir;
use super::syscall::FdSet;
use crate::model::Fd;

/// Maximum number of descriptors of a set that is looked at.
const MAX_FDS: u64 = 4096;

/// `sizeof(struct pollfd)`, the same for all callers: an int and two shorts.
const POLLFD: usize = 8;

/// The size of the smallest page, in bytes, so that what is read never ends in one that may not be there.
const PAGE: u64 = 4096;

/// The memory of a process, of which only such pages are read as are there.
struct Memory {
    bytes: File,
    /// None in a tree of plain files, which has no pages.
    pages: Option<File>,
}

impl Memory {
    /// Opens it, which takes the right to trace the process; see `proc_pid_mem(5)`. None also where the kernel has no pagemap
    /// (`CONFIG_PROC_PAGE_MONITOR`), and after too many calls did not return: both files take a lock of the process.
    fn open(process: &ProcessDir) -> Option<Self> {
        if process.budget.hung.is_exhausted() {
            return None;
        }
        let open = |name| Some(File::from(open_file(process.dir(), name).ok()?));
        let pages = if process.is_real { Some(open(c"pagemap")?) } else { None };
        Some(Self { bytes: open(c"mem")?, pages })
    }

    /// Reads all of these bytes.
    fn read(&self, address: u64, bytes: &mut [u8]) -> Option<()> {
        let are_there = self.pages.as_ref().is_none_or(|pages| pages::are_there(pages, address, bytes.len()));
        if are_there { self.bytes.read_exact_at(bytes, address).ok() } else { None }
    }
}

pub(super) fn memory(process: &ProcessDir, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    Memory::open(process)?.read(address, &mut bytes)?;
    Some(bytes)
}

/// A string in the memory of a process, up to its NUL, of at most `PATH_MAX` bytes.
pub(super) fn string(process: &ProcessDir, address: u64) -> Option<Vec<u8>> {
    let memory = Memory::open(process)?;
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while text.len() < buffer.len() {
        let position = address.checked_add(u64::try_from(text.len()).ok()?)?;
        let room = usize::try_from(PAGE - position % PAGE).ok()?;
        let piece = buffer.get_mut(..room)?;
        memory.read(position, piece)?;
        if let Some(end) = piece.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&piece[..end]);
            return Some(text);
        }
        text.extend_from_slice(piece);
    }
    None
}

/// The descriptors of a set, and what is asked of each.
pub(super) fn polled(process: &ProcessDir, set: FdSet) -> Option<Vec<Polled>> {
    match set {
        FdSet::Array(array, count) => poll(process, array, count),
        FdSet::Bits(bits, sets) => select(process, bits, sets),
    }
}

fn poll(process: &ProcessDir, array: u64, count: u64) -> Option<Vec<Polled>> {
    let count = usize::try_from(count).ok().filter(|_| count <= MAX_FDS)?;
    let bytes = memory(process, array, count * POLLFD)?;
    Some(bytes.as_chunks().0.iter().filter_map(pollfd).collect())
}

/// An entry of an array of `struct pollfd`. A negative descriptor is left out, as poll(2) ignores it.
fn pollfd([a, b, c, d, low, high, ..]: &[u8; POLLFD]) -> Option<Polled> {
    let fd = u32::try_from(i32::from_ne_bytes([*a, *b, *c, *d])).ok().map(Fd)?;
    Some(Polled { fd, asks: Interest::of_events(u16::from_ne_bytes([*low, *high]).into()) })
}

/// The descriptors in the sets of a select(2), ascending. The third is for exceptional conditions, such as urgent data.
fn select(process: &ProcessDir, bits: u64, sets: [u64; 3]) -> Option<Vec<Polled>> {
    let bits = u32::try_from(bits).ok().filter(|bits| u64::from(*bits) <= MAX_FDS)?;
    let length = usize::try_from(bits.div_ceil(8)).ok()?;
    let read = |set| if set == 0 { Some(Vec::new()) } else { memory(process, set, length) };
    let [data, room, exceptional] = sets.map(read);
    Some(in_sets(bits, &[data?, room?, exceptional?]))
}

fn in_sets(bits: u32, [data, room, exceptional]: &[Vec<u8>; 3]) -> Vec<Polled> {
    // An fd_set is an array of long, which is little-endian on every architecture supported here.
    let is_set = |set: &[u8], bit: u32| set.get((bit / 8) as usize).is_some_and(|byte| byte & (1 << (bit % 8)) != 0);
    let asks =
        |bit| Interest { data: is_set(data, bit) || is_set(exceptional, bit), room: is_set(room, bit), edge: false };
    (0..bits).map(|bit| Polled { fd: Fd(bit), asks: asks(bit) }).filter(|polled| polled.asks.is_for_any()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polled(fd: u32, data: bool, room: bool) -> Polled {
        Polled { fd: Fd(fd), asks: Interest { data, room, edge: false } }
    }

    #[test]
    fn entries_of_a_poll() {
        let entry = |fd: i32, events: u16, revents: u16| {
            let mut bytes = [0; POLLFD];
            bytes[..4].copy_from_slice(&fd.to_ne_bytes());
            bytes[4..6].copy_from_slice(&events.to_ne_bytes());
            bytes[6..].copy_from_slice(&revents.to_ne_bytes());
            pollfd(&bytes)
        };
        assert_eq!(entry(7, 1, 0), Some(polled(7, true, false)));
        assert_eq!(entry(7, 4, 0xffff), Some(polled(7, false, true)));
        assert_eq!(entry(7, 0, 1), Some(polled(7, false, false)));
        assert_eq!(entry(-1, 1, 0), None);
    }

    #[test]
    fn descriptors_in_three_sets() {
        // 0 and 9 to read, 9 to write, 3 for urgent data; 10 is beyond the sets.
        let sets = [vec![0x01, 0x06], vec![0x00, 0x02], vec![0x08, 0x00]];
        let expected = [polled(0, true, false), polled(3, true, false), polled(9, true, true)];
        assert_eq!(in_sets(10, &sets), expected);
        assert_eq!(in_sets(10, &[Vec::new(), Vec::new(), Vec::new()]), []);
    }
}
