//! What a process is doing, by its threads.

use super::{Phrases, list, thousands, verb};
use crate::model::{AlternativeWake, Gap, Pid, SleepOn, Task, TaskState, UnreadablePart};

/// Maximum number of threads among which one that is awake is looked for: the same process may be in each finding.
const MOST_LOOKED_AT: usize = 256;

impl Phrases<'_> {
    /// What a process is doing: its only thread, or the one of several that is most awake.
    pub(crate) fn process_doing(&self, pid: Pid) -> String {
        match self.groups.get(&pid).map_or(&[][..], |group| &group.tasks) {
            [] if self.has_exited(pid) => "has exited and is not yet reaped".to_owned(),
            [] => "is in a state that could not be read".to_owned(),
            [task] => self.doing(task),
            tasks => {
                let task = tasks.iter().take(MOST_LOOKED_AT).min_by_key(|task| rest(task));
                task.map_or_else(String::new, |task| {
                    format!("has {} threads, of which {} {}", thousands(tasks.len()), task.id.tid, self.doing(task))
                })
            }
        }
    }

    /// Whether a process has no thread left: it is a zombie.
    fn has_exited(&self, pid: Pid) -> bool {
        let is_zombie = self.graph.processes.get(&pid).is_some_and(|process| process.state == Some('Z'));
        let is_unread = |gap: &Gap| gap.what == UnreadablePart::Tasks || gap.limit().is_some();
        let is_listed = self.groups.get(&pid).is_some_and(|group| group.tasks.is_empty());
        is_zombie || (is_listed && !self.graph.coverage.gaps_of(pid).any(is_unread))
    }

    /// What several threads are doing: ` are sleeping`, or `: 27 are waiting for the process itself and 1 is running`.
    pub(crate) fn threads_doing(tasks: &[&Task]) -> String {
        let mut kinds: Vec<(Occupation, usize)> = Vec::new();
        for task in tasks {
            let occupation = occupation(&task.doing, task.woke.is_some());
            match kinds.iter_mut().find(|(kind, _)| *kind == occupation) {
                Some((_, count)) => *count += 1,
                None => kinds.push((occupation, 1)),
            }
        }
        if let [(what, _)] = kinds[..] {
            return format!(" are {what}");
        }
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let doing = list(kinds, |(what, count)| format!("{} {} {what}", thousands(count), verb(count, "is", "are")));
        format!(": {doing}")
    }
}

/// How far a thread is from acting: the least of those of a process says most about it.
const fn rest(task: &Task) -> u8 {
    match (&task.doing, &task.woke) {
        (TaskState::Runs, None) => 0,
        (TaskState::Waits { besides: Some(_), .. }, _) => 1,
        (TaskState::Runs, Some(_)) => 2,
        (TaskState::Waits { besides: None, .. }, _) => 4,
        _ => 3,
    }
}

/// After "is" or "are".
type Occupation = &'static str;

const fn occupation(doing: &TaskState, wakes: bool) -> Occupation {
    match doing {
        TaskState::Runs if wakes => "waking now and then",
        TaskState::Runs => "running",
        TaskState::Waits { besides: Some(AlternativeWake::Timeout), .. } => "polling with a timeout",
        TaskState::Waits { .. } => "waiting for the process itself",
        TaskState::Sleeps { sleep } => match sleep.on {
            SleepOn::Timer => "sleeping",
            SleepOn::Signal => "waiting for a signal",
            SleepOn::Files | SleepOn::SomeFiles | SleepOn::Terminal | SleepOn::Socket => "waiting for other files",
            SleepOn::Futex => "waiting for a thread or a timeout",
            SleepOn::IoUring => "waiting for an io_uring completion",
            SleepOn::FileInPipe { .. } | SleepOn::Other => "blocked elsewhere in the kernel",
        },
        TaskState::Stopped => "stopped by a signal",
        TaskState::Traced => "stopped by the tracer",
        TaskState::Frozen => "frozen",
        TaskState::Exits => "exiting",
        TaskState::Unknown => "in a state that could not be read",
    }
}
