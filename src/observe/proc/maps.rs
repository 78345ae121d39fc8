//! What /proc/PID/maps says of a process: which addresses are in memory that other processes share or do not, which files it shares, and
//! which rings of `io_uring(7)` are mapped. The file is read in one pass, and nothing of it is kept: it may have as many lines as the process likes to map, and a line as long a path as it likes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;

use super::parse;
use crate::model::{Device, SharedLock};

/// Maximum number of bytes that are read. A process that has more mappings than fit into that is known less well; a file of a tree may
/// be endless.
const LONGEST: u64 = 64 * 1024 * 1024;

/// How much of a line is kept, in bytes: the fields before the path have 73 at most (`show_map_vma` in fs/proc/`task_mmu.c`). A path that is
/// cut counts as that of a file that has a name.
const FIELDS: usize = 512;

/// What the memory at the address of a futex is to other processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// Private and of no file, such as a heap or a stack.
    Private,
    /// Shared by the processes that map the same file, which may have no name.
    Shared(SharedLock),
}

/// What is known of the memory at these addresses. An address that lies behind what could be read is left out, and so is one in a
/// private mapping of a file.
pub(super) fn futexes(maps: impl Read, addresses: &BTreeSet<u64>) -> BTreeMap<u64, Memory> {
    let mut found = BTreeMap::new();
    let Some(last) = addresses.last() else { return found };
    each_line(maps, |line| {
        let Some(map) = mapping(line) else { return ControlFlow::Continue(()) };
        // The kernel lists them by address (`m_next` in fs/proc/task_mmu.c).
        if map.start > *last {
            return ControlFlow::Break(());
        }
        if map.start < map.end {
            let known =
                addresses.range(map.start..map.end).filter_map(|address| Some((*address, map.memory(*address)?)));
            found.extend(known);
        }
        ControlFlow::Continue(())
    });
    found
}

/// A file that is mapped, by its device and inode as the kernel lists them.
pub(super) type MappedFile = (Device, u64);

/// What the mappings of a process say of who could end a wait.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mapped {
    /// Those of some files that it shares, with whether each has a name by which any process may open it.
    pub(super) files: BTreeMap<MappedFile, bool>,
    /// Whether the kernel may post an eventfd on its behalf: it has an `io_uring(7)`, or a context of `io_setup(2)`.
    pub(super) posts_events: bool,
}

/// Looks for some files among the mappings; none if not all of these could be read.
pub(super) fn mapped(maps: impl Read, files: &BTreeSet<MappedFile>) -> Option<Mapped> {
    let mut found = Mapped::default();
    let is_whole = each_line(maps, |line| {
        let Some(map) = mapping(line) else { return ControlFlow::Continue(()) };
        found.posts_events |= matches!(map.path, parse::IO_URING | b"/[aio] (deleted)");
        if !map.is_private && files.contains(&map.file) {
            *found.files.entry(map.file).or_default() |= map.has_name();
        }
        ControlFlow::Continue(())
    });
    is_whole.then_some(found)
}

/// The inodes of the rings of `io_uring(7)` that are mapped; none if not all mappings could be read.
pub(super) fn rings(maps: impl Read) -> Option<BTreeSet<u64>> {
    let mut rings = BTreeSet::new();
    let is_whole = each_line(maps, |line| {
        rings.extend(parse::mapped_ring(line));
        ControlFlow::Continue(())
    });
    is_whole.then_some(rings)
}

/// Passes the beginning of each line on, until that breaks off, and returns whether there was no more than [`LONGEST`]. An error is an end:
/// the process is gone.
fn each_line(mut maps: impl Read, mut visit: impl FnMut(&[u8]) -> ControlFlow<()>) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    let (mut line, mut count) = (Vec::with_capacity(FIELDS), 0);
    while count < LONGEST {
        let Ok(length @ 1..) = maps.read(&mut buffer) else { return true };
        count += length as u64;
        for piece in buffer[..length].split_inclusive(|byte| *byte == b'\n') {
            let room = FIELDS - line.len();
            line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                if visit(&line).is_break() {
                    return true;
                }
                line.clear();
            }
        }
    }
    false
}

/// A line such as `7f0912345000-7f0912346000 rw-p 00000000 00:00 0   [heap]`; see `proc_pid_maps(5)`.
#[derive(Debug, PartialEq, Eq)]
struct Mapping<'a> {
    start: u64,
    end: u64,
    is_private: bool,
    /// The offset of its start in the file, in bytes.
    offset: u64,
    /// The inode is 0 if it is of no file.
    file: MappedFile,
    /// The beginning of the path.
    path: &'a [u8],
}

impl Mapping<'_> {
    fn memory(&self, address: u64) -> Option<Memory> {
        let (device, inode) = self.file;
        match (self.is_private, inode) {
            (true, 0) => Some(Memory::Private),
            (false, 1..) => {
                let offset = self.offset.checked_add(address.checked_sub(self.start)?)?;
                Some(Memory::Shared(SharedLock { device, inode, offset }))
            }
            _ => None,
        }
    }

    /// Whether any process may map the file, too, without being passed it. A segment of shmget(2) is found by its ID, deleted or not.
    fn has_name(&self) -> bool {
        !self.path.ends_with(parse::DELETED) || self.path.starts_with(b"/SYSV")
    }
}

fn mapping(line: &[u8]) -> Option<Mapping<'_>> {
    let mut rest = line.trim_ascii_end();
    let mut word = || {
        let (word, after) = rest.split_at(rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len()));
        rest = after.trim_ascii_start();
        std::str::from_utf8(word).ok().filter(|word| !word.is_empty())
    };
    let hexadecimal = |digits| u64::from_str_radix(digits, 16).ok();
    let (start, end) = word()?.split_once('-')?;
    let is_private = match word()?.as_bytes() {
        [_, _, _, b'p'] => true,
        [_, _, _, b's'] => false,
        _ => return None,
    };
    let offset = hexadecimal(word()?)?;
    let (major, minor) = word()?.split_once(':')?;
    let number = |digits| u32::from_str_radix(digits, 16).ok();
    let file = (Device { major: number(major)?, minor: number(minor)? }, word()?.parse().ok()?);
    Some(Mapping { start: hexadecimal(start)?, end: hexadecimal(end)?, is_private, offset, file, path: rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
5631a0000000-5631a0001000 r-xp 00000000 fe:00 655361                     /usr/bin/cat
5631a1000000-5631a1021000 rw-p 00000000 00:00 0                          [heap]
7f0900000000-7f0900001000 rw-s 00000000 00:01 7                          /dev/zero (deleted)
7f0900001000-7f0900002000 rw-p 00000000 00:00 0 
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let size = self.1.min(self.0.len()).min(buffer.len());
            let (piece, rest) = self.0.split_at(size);
            buffer[..size].copy_from_slice(piece);
            self.0 = rest;
            Ok(size)
        }
    }

    fn in_pieces(text: &[u8], size: usize, addresses: &[u64]) -> Vec<u64> {
        let found = futexes(Pieces(text, size), &addresses.iter().copied().collect());
        found.into_iter().filter(|(_, memory)| *memory == Memory::Private).map(|(address, _)| address).collect()
    }

    const ZERO: MappedFile = (Device { major: 0, minor: 1 }, 7);
    const NAMED: MappedFile = (Device { major: 0xfe, minor: 0x1a }, 655_361);

    /// Python's locks are in such memory, and so is what fork(2) shares.
    #[test]
    fn a_futex_in_a_shared_file_is_at_its_offset() {
        let text = "7f0900000000-7f0900003000 rw-s 00001000 00:01 7                          /dev/zero (deleted)\n";
        let found = futexes(text.as_bytes(), &BTreeSet::from([0x7f09_0000_0000, 0x7f09_0000_2008, 0x7f09_0000_3000]));
        let lock = |offset| Memory::Shared(SharedLock { device: ZERO.0, inode: ZERO.1, offset });
        let expected = [(0x7f09_0000_0000, lock(0x1000)), (0x7f09_0000_2008, lock(0x3008))];
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn files_that_are_shared_and_those_that_have_a_name() {
        let named = "1000-2000 rw-s 00000000 fe:1a 655361   /dev/shm/a name (deleted) \u{e9}\n";
        let find = |text: &str| mapped(text.as_bytes(), &BTreeSet::from([ZERO, NAMED]));
        let files = |files: &[(MappedFile, bool)]| files.iter().copied().collect();
        assert_eq!(find(&format!("{named}{MAPS}")).unwrap().files, files(&[(ZERO, false), (NAMED, true)]));
        assert_eq!(find(&named.replace("rw-s", "rw-p")).unwrap(), Mapped::default(), "a private mapping");
        let segment = MAPS.replace("/dev/zero", "/SYSV00000000");
        assert_eq!(find(&segment).unwrap().files, files(&[(ZERO, true)]));
        let long = format!("1000-2000 rw-s 00000000 00:01 7 /{} (deleted)\n", "x".repeat(FIELDS));
        assert_eq!(find(&long).unwrap().files, files(&[(ZERO, true)]), "its end is not known");
        for posts in ["anon_inode:[io_uring]", "/[aio] (deleted)"] {
            assert!(find(&format!("1000-2000 rw-s 00000000 00:0e 7   {posts}\n")).unwrap().posts_events, "{posts}");
        }
        assert!(!find(MAPS).unwrap().posts_events);
    }

    #[test]
    fn only_private_anonymous_memory_is_private() {
        let addresses = [
            0x10,
            0x5631_a000_0010,
            0x5631_a100_0000,
            0x5631_a102_0fff,
            0x5631_a102_1000,
            0x7f09_0000_0008,
            0x7f09_0000_1008,
            0x7ffc_0000_0004,
        ];
        let private = [0x5631_a100_0000, 0x5631_a102_0fff, 0x7f09_0000_1008, 0x7ffc_0000_0004];
        for size in [1, 7, 100, 4096] {
            assert_eq!(in_pieces(MAPS.as_bytes(), size, &addresses), private, "{size}");
        }
    }

    /// Wherever the text ends, nothing is private that is not private by the whole of it.
    #[test]
    fn what_is_cut_off_is_not_private() {
        let addresses = [0x5631_a000_0010, 0x5631_a100_0000, 0x7f09_0000_0008, 0x7f09_0000_1008];
        let whole = in_pieces(MAPS.as_bytes(), 64, &addresses);
        for cut in 0..MAPS.len() {
            let found = in_pieces(&MAPS.as_bytes()[..cut], 64, &addresses);
            assert!(found.iter().all(|address| whole.contains(address)), "{cut}: {found:?}");
        }
    }

    #[test]
    fn a_long_path_and_nonsense_do_no_harm() {
        let long = format!("1000-2000 rw-p 00000000 00:00 0  /{}\n", "é".repeat(5000));
        let text = format!("x\n-\n3000-zz rw-p 0 0 0\n2000-1000 rw-p 0 0:0 0\n{long}2000-3000 rw-p 00000000 00:00 0\n");
        assert_eq!(in_pieces(text.as_bytes(), 999, &[0x1800, 0x2800]), [0x1800, 0x2800]);
        assert_eq!(in_pieces(b"", 1, &[1]), [0; 0]);
    }
}
