//! Which script a process keeps waiting: a shell that started it in the foreground and does nothing until it exits. It judges no pipe.
//!
//! A server that waits for its next client looks the same as a step of a script that never ends. What distinguishes them, as far as
//! anything does, is how the process was started. What is not known of either is no evidence that a script waits.

use std::time::Duration;

use super::processes::Processes;
use crate::model::{CommandLine, Pid, Process, TaskState, WaitTarget};

/// The names of shells.
const SHELLS: [&[u8]; 10] = [b"sh", b"bash", b"dash", b"ash", b"ksh", b"ksh93", b"mksh", b"zsh", b"yash", b"busybox"];

/// The programs that start services and may be no init process.
const SUPERVISORS: [&[u8]; 8] =
    [b"systemd", b"supervisord", b"s6-supervise", b"runsv", b"supervise", b"containerd-shim", b"conmon", b"circusd"];

/// The words that begin a loop.
const LOOPS: [&[u8]; 3] = [b"while", b"until", b"for"];

/// SIGINT and SIGQUIT by their bits in `SigIgn`: a shell without job control ignores both in what it starts with `&`, and exec(2) keeps
/// that.
const ASYNCHRONOUS: u64 = 1 << 1 | 1 << 2;

/// A script gets that far before it starts a server or never; one that started the process later has had clients, or other work.
const FIRST_STEPS: Duration = Duration::from_secs(60);

/// The shell that waits for a process in the foreground and has no other child. None if the process
///
/// - may have been started with `&`, or is a job of an interactive shell, which has a process group of its own
/// - belongs to a service, whose shell was started by an init process or a supervisor
/// - was started in a loop of `sh -c`, or long after the shell was.
pub(crate) fn waiting_script(processes: &Processes<'_>, pid: Pid) -> Option<Pid> {
    processes.threads(pid)?;
    let shell = processes.parent(pid)?;
    let is_awaited = || {
        let tasks = processes.threads(shell).map_or(&[][..], |group| &group.tasks);
        let awaits = |target: &WaitTarget| matches!(target, WaitTarget::Children(_));
        matches!(tasks, [task] if matches!(&task.doing, TaskState::Waits { causes, besides: None } if causes.iter().all(awaits)))
    };
    let is_alive = |child: &&Pid| processes.threads(**child).is_none_or(|group| !group.tasks.is_empty());
    let is_only_child = || processes.children(shell).iter().filter(is_alive).eq([&pid]);
    let is_same_job = || processes.process_group(pid).is_some_and(|job| processes.process_group(shell) == Some(job));
    let supervises = |pid: Pid| {
        processes.adopts(pid) || processes.name(pid).is_some_and(|name| SUPERVISORS.contains(&name.as_slice()))
    };
    let is_service =
        || supervises(shell) || processes.parent(shell).is_none_or(|above| above == Pid(1) || supervises(above));
    if is_asynchronous(processes, pid) || !is_awaited() || !is_only_child() || !is_same_job() || is_service() {
        return None;
    }
    let [facts, of_shell] = [pid, shell].map(|pid| processes.facts(pid).or_else(|| processes.beside(pid)));
    let runs_script = of_shell?.cmdline.as_ref().is_some_and(|line| is_shell(line) && !is_loop(line));
    (runs_script && is_soon_after(facts?, of_shell?)).then_some(shell)
}

/// Whether a shell without job control may have started it with `&`.
pub(crate) fn is_asynchronous(processes: &Processes<'_>, pid: Pid) -> bool {
    processes.threads(pid).is_some_and(|group| group.ignores & ASYNCHRONOUS == ASYNCHRONOUS)
}

/// Whether a process was started within the first steps of another.
fn is_soon_after(process: &Process, shell: &Process) -> bool {
    let age = process.started_at.zip(shell.started_at).and_then(|(later, earlier)| later.since(earlier));
    age.is_some_and(|age| age < FIRST_STEPS)
}

pub(crate) fn is_shell(line: &CommandLine) -> bool {
    let name = line.arguments().next().and_then(|program| program.rsplit(|byte| *byte == b'/').next());
    name.is_some_and(|name| SHELLS.contains(&name))
}

/// Whether it is `sh -c` of a text with a loop: what is in the file of a script is not known.
fn is_loop(line: &CommandLine) -> bool {
    let mut arguments = line.arguments().skip(1).skip_while(|argument| !is_dash_c(argument)).skip(1);
    let is_word = |text: &[u8]| text.split(|byte| !byte.is_ascii_alphanumeric()).any(|word| LOOPS.contains(&word));
    arguments.next().is_some_and(is_word)
}

/// `-c`, also among other letters.
fn is_dash_c(argument: &&[u8]) -> bool {
    argument.strip_prefix(b"-").is_some_and(|letters| !letters.starts_with(b"-") && letters.contains(&b'c'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_and_loops_by_the_command_line() {
        let line = |words: &str| CommandLine::from(format!("{words}|").replace('|', "\0").into_bytes());
        for (words, shell, is_in_loop) in [
            ("/bin/sh|./init.sh", true, false),
            ("bash|-ec|while :; do read l < a; done", true, true),
            ("sh|-c|forge < meanwhile", true, false),
            ("sh|-x|while", true, false),
            ("/usr/bin/make|run", false, false),
            ("python3|-c|while 1: pass", false, true),
        ] {
            assert_eq!((is_shell(&line(words)), is_loop(&line(words))), (shell, is_in_loop), "{words}");
        }
    }
}
