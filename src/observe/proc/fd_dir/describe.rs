//! Everything about a descriptor of any type, for a list of whole tables. What cannot be read stays unknown.

use rustix::fs::{FileType as Type, Statx, StatxFlags};

use super::{ATTEMPTS, FdDir, by_fdinfo};
use crate::model::{AccessMode, Descriptor, Fd, FileType};
use crate::observe::channel::{self, device};

impl FdDir<'_> {
    /// What a descriptor is.
    pub(in crate::observe::proc) fn describe(&self, fd: Fd) -> Descriptor {
        let identity = |stat: &Option<Statx>| stat.as_ref().map(|stat| (device(stat), stat.stx_ino, stat.stx_mode));
        let mask = StatxFlags::TYPE | StatxFlags::INO;
        let mut stat = self.statx(fd, mask).ok();
        let mut descriptor = self.describe_once(fd, stat.as_ref());
        for _ in 0..ATTEMPTS {
            let now = self.statx(fd, mask).ok();
            if identity(&now) == identity(&stat) {
                break;
            }
            // It was another file when the rest was read.
            stat = now;
            descriptor = self.describe_once(fd, stat.as_ref());
        }
        descriptor
    }

    fn describe_once(&self, fd: Fd, stat: Option<&Statx>) -> Descriptor {
        let target = self.link(fd).ok();
        let info = match &target {
            Some(link) => self.fdinfo_by_link(fd, link),
            None => self.fdinfo(fd).ok(),
        };
        let flags = info.and_then(|info| info.flags);
        let access = match flags {
            Some(flags) => flags.access(),
            None => self.pipefs().and_then(|_| self.link_mode(fd).ok().flatten()),
        };
        let channel = stat.and_then(|stat| self.channel(fd, stat));
        // A descriptor that is only a path is no end, and still leads to the pipe.
        let ends = channel.map(|channel| channel.ends(access.unwrap_or(AccessMode::ReadWrite)));
        let pipe = ends.into_iter().flatten().flatten().next().map(|(pipe, _)| pipe);
        let pipe = pipe.or_else(|| channel::by_link(target.as_deref()?)?.ok());
        let pipe = pipe.or_else(|| by_fdinfo(info?, self.pipefs()?));
        let by_name = target.as_deref().and_then(file_type_by_name);
        Descriptor {
            pid: self.table.process.pid,
            tid: self.table.tid,
            fd,
            access,
            flags,
            file_type: by_name
                .or_else(|| file_type(Type::from_raw_mode(stat?.stx_mode.into())))
                .or_else(|| file_type(channel::class(pipe?.kind()).file_type)),
            target: target.map(Into::into),
            pipe,
            details: None,
            polled: None,
        }
    }
}

/// The type that the text of a link gives away: names that no path can have, and those that a saved tree cannot follow.
fn file_type_by_name(target: &[u8]) -> Option<FileType> {
    let known: [(&[u8], FileType); 5] = [
        (b"anon_inode:", FileType::AnonymousInode),
        (b"pipe:[", FileType::Fifo),
        (b"socket:[", FileType::Socket),
        (b"/dev/pts/", FileType::CharacterDevice),
        (b"/dev/tty", FileType::CharacterDevice),
    ];
    known.into_iter().find(|(prefix, _)| target.starts_with(prefix)).map(|(_, file_type)| file_type)
}

fn file_type(file_type: Type) -> Option<FileType> {
    match file_type {
        Type::RegularFile => Some(FileType::Regular),
        Type::Directory => Some(FileType::Directory),
        Type::Symlink => Some(FileType::Symlink),
        Type::Fifo => Some(FileType::Fifo),
        Type::Socket => Some(FileType::Socket),
        Type::CharacterDevice => Some(FileType::CharacterDevice),
        Type::BlockDevice => Some(FileType::BlockDevice),
        Type::Unknown => None,
    }
}
