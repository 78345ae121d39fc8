//! What the fuzz targets under `fuzz/` call: the parsers of text that other users choose. Compiled for them only, with `--cfg fuzzing`.
//!
//! Each takes any bytes and must return. What it checks besides is said at each.

use crate::baseline::Baseline;
use crate::escape::{is_unsafe_char, quote_name};
use crate::observe;

/// The files of /proc. The first byte selects the file.
pub fn proc_files(input: &[u8]) {
    observe::proc::fuzzing::files(input);
}

/// What a thread waits for: its files syscall and wchan, with a NUL between them.
pub fn thread(input: &[u8]) {
    observe::proc::fuzzing::thread(input);
}

/// A packet between the command and the helper of a probe.
pub fn packet(input: &[u8]) {
    observe::probe::read_packet(input);
}

/// The types of a kernel, as /sys/kernel/btf/vmlinux has them.
pub fn btf(input: &[u8]) {
    observe::kernel::read_types(input);
}

/// A baseline file.
pub fn baseline(input: &[u8]) {
    Baseline::read_bytes(input);
}

/// A name of a process or file.
///
/// # Panics
///
/// If it is not safe to print.
pub fn name(input: &[u8]) {
    let text = quote_name(input);
    assert!(!text.chars().any(|c| c.is_control() || is_unsafe_char(c)), "{text:?}");
}
