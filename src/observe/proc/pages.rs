//! Which pages of a process can be read without waiting for anybody.
//!
//! A page that is not there may be one of a file, on a file system that does not answer, or of userfaultfd(2), whose process does not
//! answer: to read it from /proc/PID/mem then waits for ever, and nothing ends that (`filemap_fault` in mm/filemap.c). For the command line
//! the kernel itself reads no memory of files (`FOLL_ANON` in fs/proc/base.c), since a user could make ps(1) hang so (CVE-2018-1120).
//!
//! It may go away between this look and the read. For that there is the guard, a process of its own.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The bits of an entry in `proc_pid_pagemap(5)`: the page is in memory, or in swap.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

/// It is write-protected by userfaultfd(2). Without a page in memory, that may be a marker in place of a page of a file
/// (`pte_to_pagemap_entry` in `fs/proc/task_mmu.c`).
const UFFD_WP: u64 = 1 << 57;

/// The size of an entry, in bytes.
const ENTRY: usize = 8;

/// Whether each page of this memory is there. False if that is not known.
pub(super) fn are_there(pagemap: &File, address: u64, length: usize) -> bool {
    let page = procfs::page_size().max(1);
    let Some(last) = u64::try_from(length).ok().and_then(|length| address.checked_add(length.checked_sub(1)?)) else {
        return length == 0;
    };
    let first = address / page;
    let Ok(count) = usize::try_from(last / page - first + 1) else { return false };
    let mut entries = vec![0; count * ENTRY];
    let offset = first.checked_mul(ENTRY as u64);
    offset.is_some_and(|offset| pagemap.read_exact_at(&mut entries, offset).is_ok())
        && entries.as_chunks::<ENTRY>().0.iter().all(|entry| is_there(u64::from_ne_bytes(*entry)))
}

const fn is_there(entry: u64) -> bool {
    entry & PRESENT != 0 || entry & (SWAPPED | UFFD_WP) == SWAPPED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_in_swap_is_there_and_a_marker_is_not() {
        assert_eq!(
            [0, PRESENT, SWAPPED, PRESENT | UFFD_WP, SWAPPED | UFFD_WP].map(is_there),
            [false, true, true, true, false]
        );
    }

    /// Of memory of our own: what was never written is not there.
    #[test]
    fn only_pages_that_were_touched_are_there() {
        let page = usize::try_from(procfs::page_size()).unwrap();
        let touched = vec![1_u8; 4 * page];
        // More than an allocator has in stock, so that it is new from the kernel.
        let untouched: Vec<u8> = Vec::with_capacity(64 * 1024 * 1024);
        let pagemap = File::open("/proc/self/pagemap").unwrap();
        let at = |bytes: *const u8| bytes.addr() as u64;
        assert!(are_there(&pagemap, at(touched.as_ptr()) + 5, 3 * page));
        assert!(!are_there(&pagemap, at(untouched.as_ptr()) + 16 * page as u64, 3 * page));
        assert!(!are_there(&pagemap, at(untouched.as_ptr()) + 16 * page as u64, 1));
        assert!(!are_there(&pagemap, u64::MAX - 4, 3) && !are_there(&pagemap, u64::MAX, 3));
    }
}
