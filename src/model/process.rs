//! Facts about a process.

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

/// The first 128 KiB of /proc/PID/cmdline: arguments, each terminated by a NUL. A process may overwrite its own, and then the last NUL may
/// be missing. Stored unsplit: there may be very many arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "Words", inline))]
pub struct CommandLine(pub Vec<u8>);

impl CommandLine {
    /// The arguments; none for a kernel thread or a zombie.
    pub fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        let text = self.0.strip_suffix(b"\0").unwrap_or(&self.0);
        let all = (!self.0.is_empty()).then(|| text.split(|byte| *byte == 0));
        all.into_iter().flatten()
    }

    /// The arguments as text, and all of them in base64 if any is not UTF-8; null if the command line is not known.
    fn or_null<S: Serializer>(line: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
        let words =
            line.as_ref().map(|line| line.arguments().map(|word| String::from_utf8_lossy(word).into_owned()).collect());
        let inexact = line.as_ref().filter(|line| std::str::from_utf8(&line.0).is_err());
        let bytes = inexact.map(|line| line.arguments().map(|word| Base64(word.to_vec())).collect());
        Words { cmdline: words, cmdline_bytes: bytes }.serialize(serializer)
    }

    fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        let Words { cmdline, cmdline_bytes } = Words::deserialize(deserializer)?;
        let words = |words: Vec<String>| words.into_iter().map(|word| Base64(word.into_bytes())).collect();
        let ended = |word: Base64| word.0.into_iter().chain([0]);
        let line = cmdline_bytes.or_else(|| cmdline.map(words));
        Ok(line.map(|line| Self(line.into_iter().flat_map(ended).collect())))
    }
}

/// A command line in JSON.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Words {
    /// The arguments, from the first 128 KiB of the command line.
    cmdline: Option<Vec<String>>,
    /// Every argument in base64, if any is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    cmdline_bytes: Option<Vec<Base64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_keeps_empty_arguments_and_needs_no_last_nul() {
        let arguments = |text: &str| -> Vec<String> {
            let line = CommandLine(text.into());
            line.arguments().map(|argument| String::from_utf8(argument.to_vec()).unwrap()).collect()
        };
        assert_eq!(arguments(""), [""; 0]);
        assert_eq!(arguments("grep\0\0x\0"), ["grep", "", "x"]);
        assert_eq!(arguments("nginx: worker process"), ["nginx: worker process"]);
        assert_eq!(arguments("\0"), [""]);
    }
}
