//! Which side of which pseudoterminal a descriptor is; see pts(4). No terminal is opened.
//!
//! Two instances of devpts number their terminals alike, so each is identified by the device of its instance. That of a slave is in the
//! answer of statx(2). A master may be of any: a device file `ptmx` belongs to the devpts at `pts` beside it (`devpts_ptmx_path` in
//! fs/devpts/inode.c).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Statx};

use super::fd_dir::FdDir;
use super::mounts::DevptsMounts;
use super::parse;
use crate::model::{Device, Fd};
use crate::observe::channel::{Terminal, device};

/// Of `linux/major.h`: `UNIX98_PTY_SLAVE_MAJOR` and `TTYAUX_MAJOR`, with the minors of /dev/ptmx and /dev/tty.
const SLAVES: u32 = 136;
const PTMX: (u32, u32) = (5, 2);
const CONTROLLING: (u32, u32) = (5, 0);

impl FdDir<'_> {
    /// The side that a character device is; none if it is no pseudoterminal, or it is not known which.
    pub(super) fn terminal(&self, fd: Fd, stat: &Statx) -> Option<Terminal> {
        match (stat.stx_rdev_major, stat.stx_rdev_minor) {
            (SLAVES, _) => slave(stat),
            PTMX => {
                let number = parse::tty_index(&self.fdinfo_text(fd).ok()?)?;
                let devpts = self.devpts_of_master(fd, device(stat))?;
                Some(Terminal { devpts, number, is_master: true })
            }
            CONTROLLING => {
                let (major, number) = parse::controlling_terminal(&self.table.process.text("stat"))?;
                let devpts = only(self.table.process.devpts())?;
                (major == SLAVES).then_some(Terminal { devpts, number: number.into(), is_master: false })
            }
            _ => None,
        }
    }

    fn devpts_of_master(&self, fd: Fd, own: Device) -> Option<Device> {
        let mounted = self.table.process.devpts();
        // Opened as /dev/pts/ptmx, in devpts itself.
        if mounted.iter().any(|(_, devpts)| *devpts == own) {
            return Some(own);
        }
        let link = self.link(fd).ok()?;
        let beside = Path::new(OsStr::from_bytes(&link)).parent().map(|dir| dir.join("pts"));
        let at = |place: &Path| mounted.iter().rev().find(|(point, _)| point == place).map(|(_, devpts)| *devpts);
        beside.and_then(|place| at(&place)).or_else(|| only(mounted))
    }
}

/// The slave that a file of devpts is.
pub(super) fn slave(stat: &Statx) -> Option<Terminal> {
    let is_slave = FileType::from_raw_mode(stat.stx_mode.into()) == FileType::CharacterDevice;
    let number = stat.stx_rdev_minor.into();
    (is_slave && stat.stx_rdev_major == SLAVES).then(|| Terminal { devpts: device(stat), number, is_master: false })
}

/// The device of the only instance that is mounted, but for one that another hides at the same place.
fn only(mounted: &DevptsMounts) -> Option<Device> {
    let is_hidden = |index: usize, point: &PathBuf| mounted.iter().skip(index + 1).any(|(later, _)| later == point);
    let visible = mounted.iter().enumerate().filter(|(index, (point, _))| !is_hidden(*index, point));
    let mut devices = visible.map(|(_, (_, devpts))| *devpts);
    let first = devices.next()?;
    devices.all(|other| other == first).then_some(first)
}

/// The path of a slave whose terminal is open, as processes with the usual /dev see it.
pub(super) fn path(terminal: Terminal) -> Vec<u8> {
    format!("/dev/pts/{}", terminal.number).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_instance_is_the_one_that_is_not_hidden() {
        let devpts = |point: &str, minor| (PathBuf::from(point), Device { major: 0, minor });
        let of = |mounted: &[(PathBuf, Device)]| only(&mounted.to_vec()).map(|devpts| devpts.minor);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[devpts("/dev/pts", 24), devpts("/dev/pts", 26)]), Some(26));
        assert_eq!(of(&[devpts("/dev/pts", 26), devpts("/srv/pts", 26)]), Some(26));
        assert_eq!(of(&[devpts("/dev/pts", 26), devpts("/srv/box/dev/pts", 45)]), None);
    }
}
