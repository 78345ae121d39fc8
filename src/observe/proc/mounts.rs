//! Mounts: those that gave no answer, remembered so that each costs its second of waiting only once; and what mountinfo says.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use procfs::process::MountInfo;

use super::process::ProcessDir;
use crate::model::{Device, PipeId};

/// Where instances of devpts are mounted, and their devices, in the order in which they were mounted.
pub(super) type DevptsMounts = Vec<(PathBuf, Device)>;

/// The mount IDs, as fdinfo shows them, of file systems that do not answer.
#[derive(Default)]
pub(super) struct DeadMounts {
    /// Read for each descriptor, so that the set is locked only if there is anything in it.
    any: AtomicBool,
    ids: Mutex<HashSet<u64>>,
}

impl DeadMounts {
    pub(super) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    pub(super) fn contains(&self, id: Option<u64>) -> bool {
        id.is_some_and(|id| self.ids.lock().unwrap_or_else(PoisonError::into_inner).contains(&id))
    }

    pub(super) fn add(&self, id: Option<u64>) {
        if let Some(id) = id {
            self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
            self.any.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn clear(&self) {
        self.any.store(false, Ordering::Relaxed);
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The mounts in mountinfo, without lines that are cut short. Not by `MountInfos`, which gives up on the whole file if one of its
/// names is not UTF-8.
fn mounts(mountinfo: &[u8]) -> impl Iterator<Item = MountInfo> {
    let lines = mountinfo.split(|byte| *byte == b'\n');
    lines.filter_map(|line| MountInfo::from_line(&String::from_utf8_lossy(line)).ok())
}

/// A mount, as a process has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) point: PathBuf,
    /// The device of all its files; none where they may be of others, as on btrfs and on overlayfs.
    pub(super) device: Option<Device>,
}

/// File systems that may stop answering, and whose files are all of the device that mountinfo shows: their getattr takes it from the
/// superblock (`generic_fillattr` in fs/stat.c, `fuse_fillattr` in fs/fuse/dir.c).
const ONE_DEVICE: [&str; 8] = ["9p", "cifs", "fuse", "fuseblk", "nfs", "nfs4", "smb3", "virtiofs"];

/// The mount of that ID. Reading mountinfo asks no file system.
pub(super) fn mount(process: &ProcessDir, id: u64) -> Option<Mount> {
    mount_in(&process.long_text("mountinfo"), id)
}

fn mount_in(mountinfo: &[u8], id: u64) -> Option<Mount> {
    let mount = mounts(mountinfo).find(|mount| u64::try_from(mount.mnt_id) == Ok(id))?;
    let kind = mount.fs_type.split('.').next().unwrap_or_default();
    let device = mount.majmin.parse().ok().filter(|_| ONE_DEVICE.contains(&kind));
    Some(Mount { point: mount.mount_point, device })
}

/// The instances of devpts; see pts(4). Their files have the device of the file system.
pub(super) fn devpts(mountinfo: &[u8]) -> DevptsMounts {
    let devpts = mounts(mountinfo).filter(|mount| mount.fs_type == "devpts" && mount.root == "/");
    devpts.filter_map(|mount| Some((mount.mount_point, mount.majmin.parse().ok()?))).collect()
}

/// The pipes of which the kernel holds the write end for an autofs mount, ascending.
pub(super) fn autofs_pipes(mountinfo: &[u8]) -> Vec<PipeId> {
    let autofs = mounts(mountinfo).filter(|mount| mount.fs_type == "autofs");
    // It is -1 for a mount whose daemon is gone.
    let inode = |mount: MountInfo| mount.super_options.get("pipe_ino")?.as_ref()?.parse().ok();
    let pipes: BTreeSet<PipeId> = autofs.filter_map(inode).map(PipeId::anonymous).collect();
    pipes.into_iter().collect()
}

/// Whether the proc on this device is mounted with `hidepid`. The option is shown only where it hides something
/// (`proc_show_options` in fs/proc/root.c).
pub(super) fn is_hidepid(mountinfo: &[u8], device: Device) -> bool {
    let device = device.to_string();
    mounts(mountinfo).any(|mount| mount.majmin == device && mount.super_options.contains_key("hidepid"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn autofs_mount_tells_its_pipe() {
        let text = b"24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,pipe_ino=5\n\
            25 1 254:0 / /caf\xe9 rw,relatime shared:1 - ext4 /dev/vda1 rw\n\
            40 24 0:38 / /proc/sys/fs/binfmt_misc rw,relatime shared:16 - autofs systemd-1 rw,fd=29,pgrp=1,timeout=0,minproto=5,maxproto=5,direct,pipe_ino=15043\n\
            41 24 0:39 / /net rw - autofs /etc/auto.net rw,fd=-1,pgrp=-1,pipe_ino=-1\n\
            42 24 0:40 / /a\\040b rw - autofs";
        assert_eq!(autofs_pipes(text), [PipeId::anonymous(15043)]);
    }

    #[test]
    fn a_mount_has_the_device_of_its_files_where_that_is_sure() {
        let text = b"25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n\
            60 25 0:45 / /home/u/far rw,nosuid - fuse.sshfs u@far:/ rw,user_id=1000,group_id=1000\n\
            61 25 0:46 / /merged rw - overlay overlay rw\n";
        let of = |id| mount_in(text, id).map(|mount| (mount.point, mount.device));
        assert_eq!(of(60), Some(("/home/u/far".into(), Some(Device { major: 0, minor: 45 }))));
        assert_eq!(of(61), Some(("/merged".into(), None)));
        assert_eq!(of(62), None);
    }

    #[test]
    fn instances_of_devpts() {
        let text = b"24 1 0:26 / /dev/pts rw,nosuid,noexec,relatime shared:3 - devpts devpts rw,gid=5,mode=620,ptmxmode=000\n\
            60 24 0:45 / /srv/box/dev/pts rw - devpts devpts rw\n61 24 0:26 /3 /srv/box/dev/console rw - devpts devpts rw\n\
            62 24 0:27 / /dev/shm rw - tmpfs tmpfs rw\n";
        let of = |point: &str, minor| (PathBuf::from(point), Device { major: 0, minor });
        assert_eq!(devpts(text), [of("/dev/pts", 26), of("/srv/box/dev/pts", 45)]);
    }

    /// By the name since Linux 5.8, and by the number before.
    #[test]
    fn proc_that_hides_processes() {
        let text = b"22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw\n\
            42 27 0:39 / /a rw,relatime - proc proc rw,gid=4,hidepid=invisible\n43 27 0:40 / /b rw - proc proc rw,hidepid=2\n\
            44 27 0:41 / /c rw - tmpfs hidepid=2 rw\n";
        let is_hidden = |minor| is_hidepid(text, Device { major: 0, minor });
        assert_eq!([21, 39, 40, 41, 42].map(is_hidden), [false, true, true, false, false]);
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(
            text in "([0-9]{1,3} [0-9]{1,3} [0-9:]{1,5} / /[a-z\\\\0-7]{0,8} rw )?(shared:1 |master:|propagate_from:x )?(- autofs a )?[\\t \n()0-9a-f:,=/.-]{0,80}"
        ) {
            let _ = (autofs_pipes(text.as_bytes()), devpts(text.as_bytes()), is_hidepid(text.as_bytes(), Device { major: 1, minor: 2 }));
        }
    }
}
