//! Facts about a process.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Base64, CommandName, Pid, Time, Uid};

/// Facts about a process that holds an end. A field is none if its file could not be read, or it was not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Process {
    /// The process ID.
    pub pid: Pid,
    /// The parent.
    pub ppid: Option<u32>,
    /// The process group; 0 if it was created outside the PID namespace.
    pub pgid: Option<u32>,
    /// The session; 0 if it was created outside the PID namespace, and for kernel threads.
    pub sid: Option<u32>,
    /// The effective user ID.
    pub uid: Option<Uid>,
    /// The command name (comm), at most 15 bytes.
    #[serde(flatten)]
    pub command: CommandName,
    /// The command line; empty for a kernel thread or a zombie.
    #[serde(flatten, serialize_with = "CommandLine::or_null", deserialize_with = "CommandLine::optional")]
    #[cfg_attr(test, schemars(with = "CommandLine"))]
    pub cmdline: Option<CommandLine>,
    /// The state letter of `proc_pid_stat(5)`, for example `S`.
    pub state: Option<char>,
    /// When it was started.
    pub started_at: Option<Time>,
    /// The PID in the innermost PID namespace, if that is not the scanned one.
    pub ns_pid: Option<u32>,
    /// The container, from the cgroup: an ID in hexadecimal, or the name of an LXC container or a machine; the outermost of several. One of
    /// a user manager is named after that: `user@1000/ID`.
    pub container: Option<String>,
    /// The systemd unit, from the cgroup: the outermost, so `user@1000.service` for the units of a user.
    pub unit: Option<String>,
    /// The soft limit of open descriptors, `RLIMIT_NOFILE` of getrlimit(2). This field and the following are read for an audit only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd_limit: Option<u64>,
    /// The number of descriptors in the fd table; none before Linux 6.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fds: Option<u64>,
    /// The inode of the PID namespace; see `pid_namespaces(7)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<u64>,
}

impl Process {
    /// Only the PID is known.
    #[must_use]
    pub fn unknown(pid: Pid) -> Self {
        Self { pid, ..Self::default() }
    }
}

/// The beginning of /proc/PID/cmdline: arguments, each terminated by a NUL. A process may overwrite its own, and then the last NUL may
/// be missing. Stored unsplit, since there may be very many arguments, and once for all processes that have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "Words", inline))]
pub struct CommandLine {
    /// The text as /proc has it.
    pub text: Arc<[u8]>,
    /// Whether it was longer than the first 4 KiB, of which `text` is.
    pub cut: bool,
}

impl From<Vec<u8>> for CommandLine {
    /// A whole one.
    fn from(text: Vec<u8>) -> Self {
        Self { text: text.into(), cut: false }
    }
}

impl CommandLine {
    /// The arguments; none for a kernel thread or a zombie.
    pub fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        let text = self.text.strip_suffix(b"\0").unwrap_or(&self.text);
        let all = (!self.text.is_empty()).then(|| text.split(|byte| *byte == 0));
        all.into_iter().flatten()
    }

    /// The arguments as text, and all of them in base64 if any is not UTF-8; null if the command line is not known.
    fn or_null<S: Serializer>(line: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
        let words =
            line.as_ref().map(|line| line.arguments().map(|word| String::from_utf8_lossy(word).into_owned()).collect());
        let inexact = line.as_ref().filter(|line| std::str::from_utf8(&line.text).is_err());
        let bytes = inexact.map(|line| line.arguments().map(|word| Base64(word.to_vec())).collect());
        let cut = line.as_ref().is_some_and(|line| line.cut);
        Words { cmdline: words, cmdline_bytes: bytes, cmdline_cut: cut }.serialize(serializer)
    }

    fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        let Words { cmdline, cmdline_bytes, cmdline_cut } = Words::deserialize(deserializer)?;
        let words = |words: Vec<String>| words.into_iter().map(|word| Base64(word.into_bytes())).collect();
        let ended = |word: Base64| word.0.into_iter().chain([0]);
        let line = cmdline_bytes.or_else(|| cmdline.map(words));
        Ok(line.map(|line| Self { text: line.into_iter().flat_map(ended).collect(), cut: cmdline_cut }))
    }
}

/// A command line in JSON.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Words {
    /// The arguments, from the first 4 KiB of the command line.
    cmdline: Option<Vec<String>>,
    /// Every argument in base64, if any is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    cmdline_bytes: Option<Vec<Base64>>,
    /// True if the command line is longer, so that the last argument may be incomplete; otherwise missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    cmdline_cut: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_keeps_empty_arguments_and_needs_no_last_nul() {
        let arguments = |text: &str| -> Vec<String> {
            let line = CommandLine::from(text.as_bytes().to_vec());
            line.arguments().map(|argument| String::from_utf8(argument.to_vec()).unwrap()).collect()
        };
        assert_eq!(arguments(""), [""; 0]);
        assert_eq!(arguments("grep\0\0x\0"), ["grep", "", "x"]);
        assert_eq!(arguments("nginx: worker process"), ["nginx: worker process"]);
        assert_eq!(arguments("\0"), [""]);
    }
}
