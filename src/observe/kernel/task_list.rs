//! The kernel's list of threads, by process, and which of them have not run between two lists. Pure.

use std::collections::{HashMap, HashSet};

use super::record::TaskRecord;
use crate::model::{Pid, TaskId};

/// The threads of all processes at one time.
#[derive(Default)]
pub(crate) struct TaskList {
    /// Ordered by thread ID.
    processes: HashMap<Pid, Vec<TaskRecord>>,
}

/// The bits of `__state` that say how a thread sleeps: `TASK_REPORT` of linux/sched.h.
const REPORTED: u32 = 0x7f;
const INTERRUPTIBLE: u32 = 1;
const UNINTERRUPTIBLE: u32 = 2;
/// `TASK_NOLOAD`, of an idle thread.
const NO_LOAD: u32 = 0x400;

/// `PF_EXITING`
const EXITING: u32 = 4;

impl TaskRecord {
    /// The state as in `proc_pid_stat(5)`, if the thread is asleep: S or D.
    pub(crate) const fn sleep(&self) -> Option<char> {
        match self.state & REPORTED {
            _ if self.on_cpu || self.flags & EXITING != 0 || self.state & NO_LOAD != 0 => None,
            INTERRUPTIBLE => Some('S'),
            UNINTERRUPTIBLE => Some('D'),
            _ => None,
        }
    }

    /// The number of context switches.
    pub(crate) const fn all_switches(&self) -> u64 {
        self.switches.0.wrapping_add(self.switches.1)
    }
}

impl TaskList {
    pub(crate) fn new(records: Vec<TaskRecord>) -> Self {
        let mut processes: HashMap<Pid, Vec<TaskRecord>> = HashMap::new();
        for record in records {
            processes.entry(record.pid).or_default().push(record);
        }
        for threads in processes.values_mut() {
            threads.sort_unstable_by_key(|thread| thread.tid);
        }
        Self { processes }
    }

    /// The threads of a process; empty if it is not listed.
    pub(crate) fn of(&self, pid: Pid) -> &[TaskRecord] {
        self.processes.get(&pid).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn record(&self, id: TaskId) -> Option<&TaskRecord> {
        let threads = self.of(id.pid);
        threads.binary_search_by_key(&id.tid, |thread| thread.tid).ok().and_then(|place| threads.get(place))
    }

    /// The processes of which no thread has run since an earlier list, nor any thread that could change their descriptors or memory.
    ///
    /// A thread counts if both lists have it off its processor, asleep in one state, with equal numbers of switches. It has not run in
    /// between: to run it would have to be switched to, and to be off its processor again, to be switched from, which adds one. (The switches
    /// are read after the rest, so that one that stops running meanwhile has more of them.) What was read of it between the two lists is
    /// therefore what is so still. It follows only of what was read after the whole earlier list: who looks takes a list first, and then
    /// reads. A thread that is new or gone makes the sets of threads differ.
    pub(crate) fn at_rest_since(&self, earlier: &Self) -> HashSet<Pid> {
        let is_same = |(one, other): (&TaskRecord, &TaskRecord)| one == other && one.sleep().is_some();
        let (mut resting, mut tables, mut memories) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (pid, threads) in &self.processes {
            let before = earlier.of(*pid);
            if before.len() == threads.len() && threads.iter().zip(before).all(is_same) {
                resting.insert(*pid);
            } else {
                tables.extend(threads.iter().map(|thread| thread.table));
                memories.extend(threads.iter().map(|thread| thread.memory));
            }
        }
        let is_shared = |thread: &TaskRecord| tables.contains(&thread.table) || memories.contains(&thread.memory);
        resting.retain(|pid| !self.of(*pid).iter().any(is_shared));
        resting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tid;
    use crate::observe::kernel::Address;

    /// A thread of process 7 that sleeps, with a table and memory of its own process.
    fn asleep(pid: u32, tid: u32) -> TaskRecord {
        TaskRecord {
            task: Address::new(u64::from(tid)),
            pid: Pid(pid),
            tid: Tid(tid),
            parent: Some(Pid(1)),
            state: INTERRUPTIBLE,
            on_cpu: false,
            flags: 0,
            switches: (10, 2),
            started: 5,
            last_run: None,
            processor: None,
            entry: None,
            command: b"cat".to_vec().into(),
            table: Address::new(u64::from(pid)),
            memory: Address::new(u64::from(pid)),
            group: Address::new(1),
            session: Address::new(1),
        }
    }

    fn rests(earlier: Vec<TaskRecord>, later: Vec<TaskRecord>) -> Vec<u32> {
        let resting = TaskList::new(later).at_rest_since(&TaskList::new(earlier));
        let mut pids: Vec<u32> = resting.into_iter().map(|pid| pid.0).collect();
        pids.sort_unstable();
        pids
    }

    #[test]
    fn a_process_rests_if_all_its_threads_do() {
        let two = || vec![asleep(7, 8), asleep(7, 7), asleep(9, 9)];
        assert_eq!(rests(two(), two()), [7, 9]);
        let change = |change: fn(&mut TaskRecord)| {
            let mut later = two();
            change(&mut later[0]);
            (rests(two(), later.clone()), rests(later.clone(), two()), rests(later.clone(), later))
        };
        // It ran and came back.
        let ran = change(|thread| thread.switches.0 += 1);
        assert_eq!(ran, (vec![9], vec![9], vec![7, 9]));
        // It runs, is about to, or has been stopped, in both.
        for still in [
            |thread: &mut TaskRecord| thread.on_cpu = true,
            |thread: &mut TaskRecord| thread.state = 0,
            |thread: &mut TaskRecord| thread.state = 4,
            |thread: &mut TaskRecord| thread.flags = EXITING,
        ] {
            assert_eq!(change(still), (vec![9], vec![9], vec![9]));
        }
        // Another thread of the same number, and another parent.
        assert_eq!(change(|thread| thread.started = 6).0, [9]);
        assert_eq!(change(|thread| thread.parent = Some(Pid(2))).0, [9]);
    }

    #[test]
    fn a_thread_more_or_less_is_a_change() {
        let (one, two) = (vec![asleep(7, 7)], vec![asleep(7, 7), asleep(7, 8)]);
        assert_eq!(rests(one.clone(), two.clone()), [0; 0]);
        assert_eq!(rests(two, one.clone()), [0; 0]);
        assert_eq!(rests(Vec::new(), one.clone()), [0; 0]);
        assert_eq!(rests(one, Vec::new()), [0; 0]);
    }

    /// After clone(2) with `CLONE_FILES` or `CLONE_VM`, one process changes what the descriptors of another mean.
    #[test]
    fn what_shares_a_table_or_memory_rests_with_it() {
        for share in [
            |thread: &mut TaskRecord| thread.table = Address::new(7),
            |thread: &mut TaskRecord| thread.memory = Address::new(7),
        ] {
            let mut other = asleep(9, 9);
            share(&mut other);
            let mut ran = asleep(7, 7);
            ran.switches.1 += 1;
            assert_eq!(rests(vec![asleep(7, 7), other.clone()], vec![ran, other.clone()]), [0; 0]);
            assert_eq!(rests(vec![asleep(7, 7), other.clone()], vec![asleep(7, 7), other]), [7, 9]);
        }
    }
}
