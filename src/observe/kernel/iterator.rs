//! A program in the kernel, attached to its iterator: loads it, and reads what it writes.
//!
//! Knows no program and no record.

use std::ffi::CStr;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

use super::Unavailable;
use super::assembly::Instruction;
use super::btf::TypeId;
use crate::sys::bpf;

/// How much is read at once. The kernel gives at most 32 KiB, 8 pages.
const BUFFER: usize = 64 * 1024;

/// Room for the log of the verifier.
const LOG: usize = 1 << 20;

/// What the verifier says of a program that it refuses: the end of its log. It writes one only where it is asked to, so it is asked again.
fn refusal(name: &'static CStr, function: TypeId, code: &[Instruction]) -> String {
    let mut log = vec![0; LOG];
    let _ = bpf::load_iterator(name, code, function.number(), &mut log);
    let text = log.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    // The last line has figures of its work.
    let mut lines = text.lines().rev().filter(|line| !line.is_empty() && !line.starts_with("processed "));
    lines.next().unwrap_or("it says nothing").to_owned()
}

/// A program that is loaded and attached. It is gone from the kernel when this is dropped.
#[derive(Debug)]
pub(super) struct Iterator {
    link: OwnedFd,
    /// The size of a record, in bytes.
    record: usize,
    /// The most that is kept of one list, in bytes.
    room: usize,
}

impl Iterator {
    /// Loads a program for the iterator that this function stands for. It writes records of this size.
    pub(super) fn load(
        name: &'static CStr,
        function: TypeId,
        code: &[Instruction],
        record: usize,
    ) -> Result<Self, Unavailable> {
        let failed = |call| move |error| Unavailable::Call { call, error };
        let program = bpf::load_iterator(name, code, function.number(), &mut []);
        let program = program.map_err(|error| match error.raw_os_error() {
            Some(libc::EPERM | libc::ENOSYS | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => {
                Unavailable::Call { call: "bpf(BPF_PROG_LOAD)", error }
            }
            _ => Unavailable::Refused { error, said: refusal(name, function, code) },
        })?;
        let link = bpf::link_iterator(&program).map_err(failed("bpf(BPF_LINK_CREATE)"))?;
        Ok(Self { link, record, room: usize::MAX })
    }

    /// With lists of no more than this, in bytes.
    pub(super) fn within(self, room: usize) -> Self {
        Self { room, ..self }
    }

    /// Runs the program over all that the iterator visits, and parses what it writes.
    ///
    /// # Errors
    ///
    /// Those of bpf(2) and read(2); `InvalidData` for what `parse` refuses, and `OutOfMemory` for more than there is [room](Self::within) for.
    pub(super) fn records<R>(&self, mut parse: impl FnMut(&[u8]) -> Option<R>) -> io::Result<Vec<R>> {
        let mut iteration = bpf::iterate(&self.link)?;
        let mut buffer = vec![0; BUFFER.max(self.record)];
        let mut records = Vec::new();
        // How much of the buffer is filled, with a part of a record.
        let mut filled = 0;
        loop {
            let free = buffer.get_mut(filled..).unwrap_or_default();
            let read = match iteration.read(free) {
                Ok(0) if filled == 0 => return Ok(records),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                // EAGAIN: a million objects were visited without anything to write.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            filled += read;
            let whole = buffer.get(..filled).unwrap_or_default().chunks_exact(self.record);
            let rest = whole.remainder().len();
            for record in whole {
                if records.len().saturating_mul(size_of::<R>()) >= self.room {
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
                records.push(parse(record).ok_or(io::ErrorKind::InvalidData)?);
            }
            buffer.copy_within(filled - rest..filled, 0);
            filled = rest;
        }
    }
}
