//! Commands that unblock: the signal that kills or resumes a process, and whether it can be sent from here.

use super::Phrases;
use super::phrases::thousands;
use crate::model::{Pid, SleepOn, Task, TaskState};

/// SIGTERM by its bit in `SigCgt`: what kill(1) sends by default.
const SIGTERM: u64 = 1 << 14;

/// Maximum number of processes in a command.
const MOST_KILLED: usize = 20;

/// The init process of the PID namespace that the proc file system shows.
const INIT: Pid = Pid(1);

impl Phrases<'_> {
    /// How to resume a stopped process.
    pub(super) fn resume(&self, pid: Pid) -> String {
        self.kill(" -CONT", &[pid])
    }

    /// `kill -CONT 252`. No command where the PIDs are not those of our namespace, in which they are of other processes.
    fn kill(&self, option: &str, pids: &[Pid]) -> String {
        let named: Vec<String> = pids.iter().take(MOST_KILLED).map(ToString::to_string).collect();
        let named = named.join(" ");
        let more = match pids.len().saturating_sub(MOST_KILLED) {
            0 => String::new(),
            more => format!(" and {} others", thousands(more)),
        };
        if self.graph.coverage.own_pids {
            return format!("`kill{option} {named}`{more}");
        }
        format!("kill(1){option} of PID {named}{more} in its PID namespace")
    }

    /// How to kill the first process that SIGTERM kills; otherwise the first.
    pub(super) fn end_one(&self, mut pids: impl Iterator<Item = Pid> + Clone) -> String {
        let pid = pids.clone().find(|pid| !self.ignores_sigterm(*pid)).or_else(|| pids.next());
        pid.map_or_else(|| "send a signal".to_owned(), |pid| self.end_all(&[pid]))
    }

    /// How to kill all of these.
    pub(super) fn end_all(&self, pids: &[Pid]) -> String {
        let (inits, others): (Vec<Pid>, Vec<Pid>) = pids.iter().partition(|pid| self.ignores_sigterm(**pid));
        let (own, nested): (Vec<Pid>, Vec<Pid>) = inits.into_iter().partition(|pid| *pid == INIT);
        let mut ways = Vec::new();
        if !others.is_empty() {
            ways.push(self.kill("", &others));
        }
        if !nested.is_empty() {
            ways.push(format!("{}, which ends the whole PID namespace", self.kill(" -KILL", &nested)));
        }
        if !own.is_empty() {
            ways.push(format!(
                "end PID {INIT} from outside its PID namespace: inside, init receives only signals that it handles"
            ));
        }
        ways.join(" and ")
    }

    /// Whether a process is the init of a PID namespace and SIGTERM is dropped; see `pid_namespaces(7)`. It is not where there is a
    /// handler for it, nor where it is blocked, as for signalfd(2), or waited for by sigwait(3) (`sig_ignored` in kernel/signal.c).
    fn ignores_sigterm(&self, pid: Pid) -> bool {
        let waits_for_one =
            |task: &Task| matches!(&task.doing, TaskState::Sleeps { sleep } if sleep.on == SleepOn::Signal);
        self.groups.get(&pid).is_some_and(|group| {
            group.adopts.is_some()
                && (group.catches | group.blocks) & SIGTERM == 0
                && !group.tasks.iter().any(waits_for_one)
        })
    }
}
