//! bpf(2), as far as iterators need it, and a map of the kernel's types. See linux/bpf.h.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;

const MAP_CREATE: libc::c_long = 0;
const PROG_LOAD: libc::c_long = 5;
const LINK_CREATE: libc::c_long = 28;
const ITER_CREATE: libc::c_long = 33;

/// `BPF_PROG_TYPE_TRACING`
const TRACING: u32 = 26;

/// `BPF_TRACE_ITER`
const TRACE_ITER: u32 = 28;

/// The license of the programs: the helpers that they call are for those that are compatible with the GPL.
const LICENSE: &CStr = c"Dual MIT/GPL";

/// The part of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Default)]
struct ProgramAttributes {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attach_type: u32,
    unused: [u32; 9],
    attach_btf_id: u32,
    unused_too: [u32; 2],
}

/// The part for `BPF_MAP_CREATE`.
#[repr(C)]
#[derive(Default)]
struct MapAttributes {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
}

/// `BPF_MAP_TYPE_HASH`
const HASH: u32 = 1;

/// `BPF_F_NO_PREALLOC`: an entry takes memory when it is added.
const NO_PREALLOCATION: u32 = 1;

/// The part for `BPF_LINK_CREATE`.
#[repr(C)]
#[derive(Default)]
struct LinkAttributes {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    unused: [u64; 2],
}

/// The part for `BPF_ITER_CREATE`.
#[repr(C)]
#[derive(Default)]
struct IteratorAttributes {
    link: u32,
    flags: u32,
}

/// A command that returns a descriptor.
///
/// # Safety
///
/// `A` is what the kernel expects for this command, without padding, and its pointers are valid for what the command does with them.
unsafe fn bpf<A>(command: libc::c_long, attributes: &mut A) -> io::Result<OwnedFd> {
    let attributes: *mut A = attributes;
    // SAFETY: the attributes live until it returns; the caller vouches for what is in them.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<A>()) };
    let fd = libc::c_int::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel made it for us, and nothing else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn number(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// How often a program is loaded before it counts as refused: the verifier gives up with `EAGAIN` when a signal arrives.
const LOADS: u32 = 8;

/// Loads a program that an iterator runs. `function` is the BTF number of the function that stands for the iterator. Up to 15 bytes of the
/// name are kept. What the verifier says goes to `log`, which may be empty.
///
/// # Errors
///
/// `EPERM` without the capabilities `CAP_BPF` and `CAP_PERFMON`; `EACCES` or `EINVAL` if the verifier refuses it.
pub(crate) fn load_iterator(
    name: &CStr,
    instructions: &[[u8; 8]],
    function: u32,
    log: &mut [u8],
) -> io::Result<OwnedFd> {
    let too_long = |_| io::ErrorKind::InvalidInput;
    let mut attributes = ProgramAttributes {
        program_type: TRACING,
        instruction_count: u32::try_from(instructions.len()).map_err(too_long)?,
        instructions: instructions.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        expected_attach_type: TRACE_ITER,
        attach_btf_id: function,
        ..ProgramAttributes::default()
    };
    if !log.is_empty() {
        attributes.log_level = 1;
        attributes.log_size = u32::try_from(log.len()).map_err(too_long)?;
        attributes.log = log.as_mut_ptr() as u64;
    }
    // The last stays 0.
    for (to, from) in attributes.name.iter_mut().take(15).zip(name.to_bytes()) {
        *to = *from;
    }
    let mut tries = LOADS;
    loop {
        // SAFETY: the kernel reads the instructions and the license, and writes at most `log_size` bytes to the log; all live until it returns.
        let loaded = unsafe { bpf(PROG_LOAD, &mut attributes) };
        tries -= 1;
        match loaded {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) && tries > 0 => {}
            loaded => return loaded,
        }
    }
}

/// Makes a map for programs, with keys and values of these sizes in bytes.
///
/// # Errors
///
/// `EPERM` without `CAP_BPF`, and before Linux 5.11 where `RLIMIT_MEMLOCK` is too low.
pub(crate) fn hash_map(key_size: u32, value_size: u32, max_entries: u32) -> io::Result<OwnedFd> {
    let mut attributes = MapAttributes { map_type: HASH, key_size, value_size, max_entries, flags: NO_PREALLOCATION };
    // SAFETY: there is no pointer in it.
    unsafe { bpf(MAP_CREATE, &mut attributes) }
}

/// Attaches a loaded program to its iterator. What is returned holds the program.
///
/// # Errors
///
/// `ENOMEM`, `EMFILE`.
pub(crate) fn link_iterator(program: &OwnedFd) -> io::Result<OwnedFd> {
    let mut attributes =
        LinkAttributes { program: number(program), attach_type: TRACE_ITER, ..LinkAttributes::default() };
    // SAFETY: there is no pointer in it.
    unsafe { bpf(LINK_CREATE, &mut attributes) }
}

/// Begins one iteration: reading the file runs the program.
///
/// # Errors
///
/// `ENOMEM`, `EMFILE`.
pub(crate) fn iterate(link: &OwnedFd) -> io::Result<File> {
    let mut attributes = IteratorAttributes { link: number(link), flags: 0 };
    // SAFETY: as above.
    unsafe { bpf(ITER_CREATE, &mut attributes) }.map(File::from)
}

/// The bytes of a file of the kernel that never changes.
pub(crate) enum FixedFile {
    /// Mapped to memory, from this address and of this length.
    Mapped(NonNull<u8>, usize),
    /// Read.
    Read(Vec<u8>),
}

// SAFETY: the map is only ever read.
unsafe impl Send for FixedFile {}
// SAFETY: as above.
unsafe impl Sync for FixedFile {}

impl FixedFile {
    /// Maps /sys/kernel/btf/vmlinux, or reads it: before Linux 6.16 it cannot be mapped (`ENODEV`).
    ///
    /// # Errors
    ///
    /// `ENOENT` where the kernel was built without it, and others of open(2) and read(2).
    pub(crate) fn kernel_types() -> io::Result<Self> {
        let mut file = File::open("/sys/kernel/btf/vmlinux")?;
        let length = usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        // SAFETY: a new map of no particular address, of memory of the kernel that lives and stays the same while the machine runs.
        let address = unsafe {
            libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
        };
        if address != libc::MAP_FAILED
            && let Some(address) = NonNull::new(address.cast())
        {
            return Ok(Self::Mapped(address, length));
        }
        let mut bytes = Vec::with_capacity(length.saturating_add(1));
        file.read_to_end(&mut bytes)?;
        Ok(Self::Read(bytes))
    }
}

impl AsRef<[u8]> for FixedFile {
    fn as_ref(&self) -> &[u8] {
        match self {
            // SAFETY: this many bytes are mapped from there, for as long as this value lives, and nothing writes to them.
            Self::Mapped(address, length) => unsafe { std::slice::from_raw_parts(address.as_ptr(), *length) },
            Self::Read(bytes) => bytes,
        }
    }
}

impl Drop for FixedFile {
    fn drop(&mut self) {
        if let Self::Mapped(address, length) = self {
            // SAFETY: it was mapped so, and no slice of it outlives this value.
            unsafe {
                libc::munmap(address.as_ptr().cast(), *length);
            }
        }
    }
}
