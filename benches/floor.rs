//! The floor: the least work that finds every pipe end on the machine, with nothing made of what it finds.
//!
//! For each process: one `O_PATH` descriptor on its directory, so that a PID that is used again is not mistaken for it;
//! for each descriptor one `statx` through the link, with the flags that keep it from asking the file system; for each pipe end one `lstat`,
//! whose permission bits are the access mode. With `fdinfo`, each pipe end's fdinfo file is read as well, as it must be
//! to report the flags.
//!
//! It runs in a process of its own, so that it is timed as its rivals are: from start to exit.

use std::env;
use std::ffi::{CStr, CString};
use std::hint::black_box;
use std::io;
use std::mem::MaybeUninit;
use std::ops::AddAssign;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Command;
use std::str;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, SeekFrom, StatxFlags, openat, seek, statat, statx};
use rustix::io::{Errno, read};

/// The argument that makes this program a floor.
pub(crate) const ROLE: &str = "--floor";

const FDINFO: &str = "fdinfo";

/// The directory of a process is read by this much at a time: some thousand descriptors.
const DIRECTORY_BUFFER: usize = 32 * 1024;

/// Room for the fdinfo of a pipe, which is some 60 bytes.
const FDINFO_BUFFER: usize = 1024;

/// A table with more descriptors than this is shared out among all threads.
const BIG_TABLE: u64 = 4096;

/// What the walk met.
#[derive(Default)]
struct Census {
    processes: u64,
    descriptors: u64,
    ends: u64,
}

impl AddAssign for Census {
    fn add_assign(&mut self, other: Self) {
        self.processes += other.processes;
        self.descriptors += other.descriptors;
        self.ends += other.ends;
    }
}

/// The command that walks, as a process of its own.
pub(crate) fn command(threads: usize, fdinfo: bool) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args([ROLE, &threads.to_string()]);
    if fdinfo {
        command.arg(FDINFO);
    }
    Ok(command)
}

/// Walks once and says what is on the machine.
pub(crate) fn census(threads: usize) -> io::Result<String> {
    let output = command(threads, false)?.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// The floor itself: `--floor THREADS [fdinfo]`. Prints what `census` reads.
pub(crate) fn walk(arguments: &[String]) -> io::Result<()> {
    let threads = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(1);
    let fdinfo = arguments.get(1).is_some_and(|text| text == FDINFO);
    let Census { processes, descriptors, ends } = Walk::new(threads, fdinfo)?.run()?;
    println!("{processes} processes, {descriptors} descriptors, {ends} pipe ends");
    Ok(())
}

/// A part of a big table: the descriptors from `first` up to `end`.
struct Piece {
    process: CString,
    first: u64,
    end: u64,
}

struct Walk {
    proc: OwnedFd,
    processes: Vec<CString>,
    /// The first process that no thread has taken yet.
    next: AtomicUsize,
    /// Big tables, set aside until all others are done, so that no thread ends alone with one.
    pieces: Mutex<Vec<Piece>>,
    threads: usize,
    fdinfo: bool,
}

impl Walk {
    fn new(threads: usize, fdinfo: bool) -> io::Result<Self> {
        let proc = open_directory(CWD, c"/proc", OFlags::empty())?;
        let mut processes = Vec::new();
        each_name(&proc, |name| {
            if name.to_bytes()[0].is_ascii_digit() {
                processes.push(name.to_owned());
            }
            true
        })?;
        Ok(Self { proc, processes, next: AtomicUsize::new(0), pieces: Mutex::new(Vec::new()), threads, fdinfo })
    }

    fn run(&self) -> io::Result<Census> {
        let tables_done = Barrier::new(self.threads);
        let mut census = Census::default();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads).map(|_| scope.spawn(|| self.work(&tables_done))).collect();
            for worker in workers {
                census += worker.join().map_err(|_| io::Error::other("a thread panicked"))?;
            }
            Ok(census)
        })
    }

    fn work(&self, tables_done: &Barrier) -> Census {
        let mut census = Census::default();
        while let Some(process) = self.processes.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            // A process that is gone, or that may not be looked at, counts for nothing.
            if self.process(process, &mut census).is_ok() {
                census.processes += 1;
            }
        }
        tables_done.wait();
        while let Some(piece) = self.take_piece() {
            let _ = self.piece(&piece, &mut census);
        }
        census
    }

    fn take_piece(&self) -> Option<Piece> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn process(&self, process: &CStr, census: &mut Census) -> Result<(), Errno> {
        let directory = open_directory(&self.proc, process, OFlags::PATH)?;
        // Since Linux 6.2 this is the number of descriptors; before, 0, and a big table stays in one piece.
        let size = u64::try_from(statat(&directory, c"fd", AtFlags::empty())?.st_size).unwrap_or(0);
        if size > BIG_TABLE && self.threads > 1 {
            self.set_aside(process, size);
            return Ok(());
        }
        Table::open(&directory, self.fdinfo)?.walk(u64::MAX, census)
    }

    /// Cuts a table into pieces as if it had no gaps; the last one has no end, so that none is missed if it has.
    fn set_aside(&self, process: &CStr, size: u64) {
        let count = self.threads as u64;
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        for index in 0..count {
            pieces.push(Piece {
                process: process.to_owned(),
                first: size * index / count,
                end: if index + 1 == count { u64::MAX } else { size * (index + 1) / count },
            });
        }
    }

    fn piece(&self, piece: &Piece, census: &mut Census) -> Result<(), Errno> {
        let directory = open_directory(&self.proc, &piece.process, OFlags::PATH)?;
        let table = Table::open(&directory, self.fdinfo)?;
        // Descriptor N stands at position N + 2, after `.` and `..`.
        seek(&table.links, SeekFrom::Start(piece.first + 2))?;
        table.walk(piece.end, census)
    }
}

/// The descriptors of one process.
struct Table {
    links: OwnedFd,
    fdinfo: Option<OwnedFd>,
}

impl Table {
    fn open(process: &OwnedFd, fdinfo: bool) -> Result<Self, Errno> {
        Ok(Self {
            links: open_directory(process, c"fd", OFlags::empty())?,
            fdinfo: fdinfo.then(|| open_directory(process, c"fdinfo", OFlags::PATH)).transpose()?,
        })
    }

    /// From where the directory stands up to the descriptor `end`.
    fn walk(&self, end: u64, census: &mut Census) -> Result<(), Errno> {
        each_name(&self.links, |name| {
            match number(name) {
                Some(number) if number >= end => return false,
                Some(_) => {
                    census.descriptors += 1;
                    // A descriptor that was closed meanwhile is no end.
                    census.ends += u64::from(self.is_end(name).unwrap_or(false));
                }
                None => {}
            }
            true
        })
    }

    fn is_end(&self, name: &CStr) -> Result<bool, Errno> {
        let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        let file = statx(&self.links, name, flags, StatxFlags::TYPE | StatxFlags::INO)?;
        if FileType::from_raw_mode(file.stx_mode.into()) != FileType::Fifo {
            return Ok(false);
        }
        black_box(statat(&self.links, name, AtFlags::SYMLINK_NOFOLLOW)?);
        if let Some(fdinfo) = &self.fdinfo {
            black_box(read_fdinfo(fdinfo.as_fd(), name)?);
        }
        Ok(true)
    }
}

fn read_fdinfo(fdinfo: BorrowedFd<'_>, name: &CStr) -> Result<[u8; FDINFO_BUFFER], Errno> {
    let file = openat(fdinfo, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut buffer = [0; FDINFO_BUFFER];
    read(&file, &mut buffer)?;
    Ok(buffer)
}

fn open_directory(at: impl AsFd, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

/// The names in a directory, until `visit` returns false.
fn each_name(directory: &OwnedFd, mut visit: impl FnMut(&CStr) -> bool) -> Result<(), Errno> {
    let mut buffer = [MaybeUninit::uninit(); DIRECTORY_BUFFER];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        if !visit(entry?.file_name()) {
            break;
        }
    }
    Ok(())
}

/// A descriptor's number; none for `.` and `..`.
fn number(name: &CStr) -> Option<u64> {
    str::from_utf8(name.to_bytes()).ok()?.parse().ok()
}
