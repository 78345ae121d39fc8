//! What /proc/PID/maps says of a process: which addresses are in memory that no other process shares, and which rings of `io_uring(7)` are
//! mapped. The file is read in one pass, and nothing of it is kept: it may have as many lines as the process likes to map, and a line as long a path as it likes.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::ControlFlow;

use super::parse;

/// Maximum number of bytes that are read. A process that has more mappings than fit into that is known less well; a file of a tree may
/// be endless.
const LONGEST: u64 = 64 * 1024 * 1024;

/// How much of a line is kept, in bytes: the fields before the path have 73 at most (`show_map_vma` in fs/proc/`task_mmu.c`), and the name of
/// a ring has 21.
const FIELDS: usize = 128;

/// Those of the addresses that are in private anonymous memory, such as a heap or a stack. Of an address that lies behind what could be
/// read it is not known, so it is left out.
pub(super) fn private(maps: impl Read, addresses: &BTreeSet<u64>) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let Some(last) = addresses.last() else { return found };
    each_line(maps, |line| {
        let Some(map) = mapping(line) else { return ControlFlow::Continue(()) };
        // The kernel lists them by address (`m_next` in fs/proc/task_mmu.c).
        if map.start > *last {
            return ControlFlow::Break(());
        }
        if map.is_private && map.start < map.end {
            found.extend(addresses.range(map.start..map.end));
        }
        ControlFlow::Continue(())
    });
    found
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
struct Mapping {
    start: u64,
    end: u64,
    /// Whether it is private, and of no file.
    is_private: bool,
}

fn mapping(line: &[u8]) -> Option<Mapping> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let text = |word| std::str::from_utf8(word).ok();
    let address = |digits| u64::from_str_radix(digits, 16).ok();
    let (start, end) = text(words.next()?)?.split_once('-')?;
    let is_private = match words.next()? {
        [_, _, _, b'p'] => true,
        [_, _, _, b's'] => false,
        _ => return None,
    };
    // After the offset and the device.
    let inode: u64 = text(words.nth(2)?)?.parse().ok()?;
    Some(Mapping { start: address(start)?, end: address(end)?, is_private: is_private && inode == 0 })
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

    fn in_pieces(text: &[u8], size: usize, addresses: &[u64]) -> Vec<u64> {
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
        private(Pieces(text, size), &addresses.iter().copied().collect()).into_iter().collect()
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
