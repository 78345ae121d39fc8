//! The formats of /proc, from bytes to values. Pure: no file is opened here, and no input can make it panic.
//!
//! A field that is missing, cut short or out of range is none; the rest of the text still counts. This is why `stat` and
//! `status` are read here and not by the procfs crate, which wants every field to be there, and a command to be UTF-8.

mod fdinfo;

use std::str::FromStr;

use procfs::{FromRead as _, ProcessCGroups};

pub(super) use self::fdinfo::{
    event_count, event_id, in_flight, inotify_watches, is_armed, locks, pid_of_pidfd, registered, signals, tty_index,
};
use crate::model::{OpenFlags, Uid};

/// The numbers at the beginning of a text such as `\t1000\t1000\t1000\t1000`, up to the first word that is none.
fn numbers<T: FromStr>(text: &[u8]) -> impl Iterator<Item = T> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map_while(number)
}

fn number<T: FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

fn in_radix(word: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(word).ok()?.trim_ascii(), radix).ok()
}

/// The keys and values of lines such as `flags:\t02`, without the white space around the value.
fn fields(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(text).filter_map(|line| {
        let (key, rest) = line.split_at_checked(line.iter().position(|byte| *byte == b':')?)?;
        Some((key, rest.get(1..)?.trim_ascii()))
    })
}

/// The rest of the first line that begins with a key.
fn value<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    lines(text).find_map(|line| line.strip_prefix(key)).map(<[u8]>::trim_ascii)
}

/// What /proc/PID/fdinfo/FD says of any descriptor; see `proc_pid_fdinfo(5)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FdInfo {
    /// `flags:\t02000000`, in octal.
    pub(super) flags: Option<OpenFlags>,
    /// `mnt_id:\t16`
    pub(super) mnt_id: Option<u64>,
    /// `ino:\t18913`, since Linux 5.14.
    pub(super) ino: Option<u64>,
}

pub(super) fn fdinfo(text: &[u8]) -> FdInfo {
    let mut info = FdInfo::default();
    for (key, value) in fields(text) {
        match key {
            b"flags" => info.flags = in_radix(value, 8).and_then(|flags| flags.try_into().ok()).map(OpenFlags),
            b"mnt_id" => info.mnt_id = number(value),
            b"ino" => info.ino = number(value),
            _ => {}
        }
    }
    info
}

/// Fields of /proc/PID/stat, for example `252 (grep) S 251 251 60 …`; see `proc_pid_stat(5)`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    /// Between the first `(` and the last `)`: the command may hold either.
    pub(super) command: Vec<u8>,
    pub(super) state: Option<char>,
    pub(super) ppid: Option<u32>,
    pub(super) pgid: Option<u32>,
    pub(super) sid: Option<u32>,
    /// `PF_*` of include/linux/sched.h.
    pub(super) flags: Option<u32>,
    /// The CPU time of all threads, in user and kernel mode, in clock ticks.
    pub(super) cpu: Option<u64>,
    /// Clock ticks after boot.
    pub(super) start_time: Option<u64>,
    /// The CPU on which it last ran; of a process, its leader.
    pub(super) processor: Option<u32>,
}

pub(super) fn stat(text: &[u8]) -> Stat {
    stat_fields(text).unwrap_or_default()
}

fn stat_fields(text: &[u8]) -> Option<Stat> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.get(digits..)?.strip_prefix(b" (").filter(|_| digits > 0)?;
    let (command, rest) = text.split_at_checked(text.iter().rposition(|byte| *byte == b')')?)?;
    let mut fields = rest.get(1..)?.trim_ascii().split(|byte| *byte == b' ');
    let state = fields.next().and_then(|word| word.first()).filter(|byte| byte.is_ascii_alphabetic());
    Some(Stat {
        command: command.to_vec(),
        state: state.map(|byte| char::from(*byte)),
        ppid: fields.next().and_then(number),
        pgid: fields.next().and_then(number),
        sid: fields.next().and_then(number),
        // Two fields in between: tty_nr and tpgid.
        flags: fields.nth(2).and_then(number),
        // Fields 14 and 15 of the page: utime and stime.
        cpu: fields
            .nth(4)
            .and_then(number::<u64>)
            .zip(fields.next().and_then(number))
            .and_then(|(user, kernel)| user.checked_add(kernel)),
        // Field 22; six lie between.
        start_time: fields.nth(6).and_then(number),
        // Field 39; sixteen lie between.
        processor: fields.nth(16).and_then(number),
    })
}

/// Fields of /proc/PID/io; see `proc_pid_io(5)`. Each is none where the file may not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Io {
    /// The bytes that were read from files of any kind: `rchar: 323934931`.
    pub(super) read: Option<u64>,
    /// The bytes that were written: `wchar: 323929600`.
    pub(super) written: Option<u64>,
}

pub(super) fn io(text: &[u8]) -> Io {
    let of = |key| value(text, key).and_then(number);
    Io { read: of(b"rchar:"), written: of(b"wchar:") }
}

/// Fields of /proc/PID/status; see `proc_pid_status(5)`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// The second number of `Uid:\t1000\t1000\t1000\t1000`: the effective one, as ps and lsof show.
    pub(super) uid: Option<Uid>,
    /// `NSpid:\t1058\t11\t1`: its number in the PID namespace of the proc, in the one below that, and so on down to its own.
    pub(super) ns_pids: Vec<u32>,
    /// The process that traces it: `TracerPid:\t0` where none does.
    pub(super) tracer: Option<u32>,
    /// `SigBlk:\t0000000000004000`, in hexadecimal.
    pub(super) blocks: Option<u64>,
    /// `SigCgt:\t0000000000000002`, likewise.
    pub(super) catches: Option<u64>,
    /// `SigIgn:\t0000000000001000`, likewise.
    pub(super) ignores: Option<u64>,
    /// The sum of `voluntary_ctxt_switches` and `nonvoluntary_ctxt_switches`.
    pub(super) switches: Option<u64>,
}

impl Status {
    /// Its number in its own PID namespace, where that is another than that of the proc.
    pub(super) fn ns_pid(&self) -> Option<u32> {
        self.ns_pids.iter().skip(1).last().copied()
    }

    /// The number of PID namespaces between its own and that of the proc.
    pub(super) fn level(&self) -> usize {
        self.ns_pids.len().saturating_sub(1)
    }
}

pub(super) fn status(text: &[u8]) -> Status {
    let mut status = Status::default();
    for (key, value) in fields(text) {
        match key {
            b"Uid" => status.uid = numbers(value).nth(1).map(Uid),
            b"NSpid" => status.ns_pids = numbers(value).collect(),
            b"TracerPid" => status.tracer = number(value).filter(|pid| *pid != 0),
            b"SigBlk" => status.blocks = in_radix(value, 16),
            b"SigCgt" => status.catches = in_radix(value, 16),
            b"SigIgn" => status.ignores = in_radix(value, 16),
            b"voluntary_ctxt_switches" | b"nonvoluntary_ctxt_switches" => {
                let count = number::<u64>(value).map(|count| count.wrapping_add(status.switches.unwrap_or_default()));
                status.switches = count.or(status.switches);
            }
            _ => {}
        }
    }
    status
}

/// The process that a thread belongs to, in a status file.
pub(super) fn tgid(text: &[u8]) -> Option<u32> {
    number(value(text, b"Tgid:")?)
}

/// Who a thread is when it opens a file; see credentials(7).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    /// The user and the group for file systems, `fsuid` and `fsgid`.
    pub(super) user: u32,
    pub(super) group: u32,
    /// The supplementary groups.
    pub(super) groups: Vec<u32>,
    /// The effective capabilities, each the bit of its number.
    pub(super) capabilities: u64,
}

/// The credentials in a status file; none if it lacks any of them.
pub(super) fn credentials(text: &[u8]) -> Option<Credentials> {
    let of = |key: &[u8]| fields(text).find(|(name, _)| *name == key).map(|(_, value)| value);
    Some(Credentials {
        user: numbers(of(b"Uid")?).nth(3)?,
        group: numbers(of(b"Gid")?).nth(3)?,
        groups: numbers(of(b"Groups")?).collect(),
        capabilities: in_radix(of(b"CapEff")?, 16)?,
    })
}

/// The IDs of our own user namespace in a `uid_map` or `gid_map`: the first of each range, and how many; see `user_namespaces(7)`.
pub(super) fn id_map(text: &[u8]) -> Vec<(u32, u32)> {
    let range = |line| {
        let mut numbers = numbers::<u32>(line).skip(1);
        Some((numbers.next()?, numbers.next()?))
    };
    lines(text).filter_map(range).collect()
}

/// The soft limit, in the line `Max open files            1024                 4096                 files` of /proc/PID/limits; see
/// `proc_pid_limits(5)`. None where it is `unlimited`.
pub(super) fn fd_limit(text: &[u8]) -> Option<u64> {
    numbers(value(text, b"Max open files")?).next()
}

/// The inode in a link of /proc/PID/ns: `pid:[4026531836]`; see namespaces(7).
pub(super) fn namespace(link: &[u8]) -> Option<u64> {
    let (_, rest) = split_at(link, b":[")?;
    number(rest.strip_suffix(b"]")?)
}

/// What stands before and after the first place where a text holds another.
fn split_at<'a>(text: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = text.windows(needle.len()).position(|window| window == needle)?;
    Some((&text[..start], &text[start + needle.len()..]))
}

/// When a thread was last on a processor, by the line `se.exec_start : 907987.688729` of /proc/PID/sched: milliseconds of a clock
/// of the scheduler, which only a difference makes sense of.
pub(super) fn exec_start(text: &[u8]) -> Option<std::time::Duration> {
    let milliseconds: f64 = number(value(text, b"se.exec_start")?.strip_prefix(b":")?.trim_ascii())?;
    std::time::Duration::try_from_secs_f64(milliseconds / 1000.0).ok()
}

/// The number of its context switches, by the line `nr_switches : 7` of the same file.
pub(super) fn switches(text: &[u8]) -> Option<u64> {
    number(value(text, b"nr_switches")?.strip_prefix(b":")?.trim_ascii())
}

/// The text of a file that holds one line, such as comm or sys/kernel/hostname, without its newline.
pub(super) fn line(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n").unwrap_or(text)
}

/// The numbers in a file such as children of /proc/PID/task/TID: `1058 1060 `.
pub(super) fn list(text: &[u8]) -> Vec<u32> {
    numbers(text).collect()
}

/// The number that a file of /proc/sys holds.
pub(super) fn single(text: &[u8]) -> Option<u64> {
    number(line(text))
}

/// The seconds in the line `btime 1763829000` of /proc/stat: when the machine was booted.
pub(super) fn boot_time(text: &[u8]) -> Option<i64> {
    number(value(text, b"btime ")?)
}

/// What runs a process, by its control group: the outermost names, since whoever runs inside of a container or a user manager may make
/// control groups of any name below.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// The container. One of a user, as of rootless podman, is named after that user, too: `user@1000/ID`.
    pub(super) container: Option<String>,
    /// The systemd unit of the system: for the units of a user manager `user@1000.service`.
    pub(super) unit: Option<String>,
}

/// Reads /proc/PID/cgroup: `0::/system.slice/docker-<64 hex>.scope`, and several such lines with control groups version 1.
pub(super) fn cgroup(text: &[u8]) -> Group {
    let Ok(ProcessCGroups(groups)) = ProcessCGroups::from_read(text) else {
        return Group::default();
    };
    let paths = || groups.iter().map(|group| group.pathname.as_str());
    // Version 1 has the units in the hierarchy that systemd named after itself.
    let systemd = groups.iter().find(|group| group.controllers.iter().any(|name| name == "name=systemd"));
    let unit_path = systemd.map_or_else(|| paths().next(), |group| Some(group.pathname.as_str()));
    Group {
        container: paths().find_map(container),
        unit: unit_path.and_then(|path| path.split('/').find(|name| is_unit(name))).map(str::to_owned),
    }
}

/// Kinds of units that hold processes; see systemd.unit(5).
fn is_unit(name: &str) -> bool {
    [".service", ".scope", ".socket", ".mount", ".swap"].iter().any(|suffix| name.ends_with(suffix))
}

/// The outermost container that a path of control groups names.
fn container(path: &str) -> Option<String> {
    let mut user = None;
    path.split('/').find_map(|name| {
        let found = container_name(name);
        user = user.or_else(|| name.strip_prefix("user@")?.strip_suffix(".service"));
        found.map(|found| user.map_or_else(|| found.clone(), |user| format!("user@{user}/{found}")))
    })
}

/// The container that the name of a control group stands for.
fn container_name(name: &str) -> Option<String> {
    let scope = name.strip_suffix(".scope").unwrap_or(name);
    // The monitor beside a container is named after it, but runs outside it.
    if scope.starts_with("crio-conmon-") || scope.starts_with("libpod-conmon-") {
        return None;
    }
    // docker-ID, cri-containerd-ID, crio-ID, libpod-ID, or the bare ID of docker/ID and kubepods/podUID/ID.
    // With containerd and the driver of systemd it may be slice:cri-containerd:ID.
    let id = scope.rsplit_once(['-', ':']).map_or(scope, |(_, id)| id);
    if is_hex(id, 64) {
        return Some(id.to_owned());
    }
    // Amazon ECS: TASK-NUMBER.
    if let Some((task, serial)) = scope.split_once('-')
        && is_hex(task, 32)
        && !serial.is_empty()
        && serial.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Some(scope.to_owned());
    }
    if let Some(name) = name.strip_prefix("lxc.payload.") {
        return Some(name.to_owned());
    }
    // A machine of systemd-machined(8), its name escaped as in systemd-escape(1).
    name.strip_prefix("machine-")?.strip_suffix(".scope").map(|name| name.replace("\\x2d", "-"))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The major and the minor of the controlling terminal, by field 7 of /proc/PID/stat: `new_encode_dev` of `linux/kdev_t.h`. None if the process
/// has none.
pub(super) fn controlling_terminal(text: &[u8]) -> Option<(u32, u32)> {
    let rest = text.get(text.iter().rposition(|byte| *byte == b')')?..)?;
    let number: i32 = number(rest.split(|byte| *byte == b' ').nth(5)?)?;
    let device = number.cast_unsigned();
    (device != 0).then_some((device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00))
}

/// The inode of an `io_uring`, if a line of /proc/PID/maps is about one: the ring lives for as long as it is mapped, whether it has a
/// descriptor or not.
pub(super) fn mapped_ring(line: &[u8]) -> Option<u64> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let inode = number(words.nth(4)?)?;
    (words.next()? == IO_URING).then_some(inode)
}

/// The link of the descriptor of an `io_uring`.
pub(super) const IO_URING: &[u8] = b"anon_inode:[io_uring]";

/// What the kernel writes behind the name of a file that has none any more; a file may be called so, too.
pub(super) const DELETED: &[u8] = b" (deleted)";

#[cfg(test)]
mod tests;
