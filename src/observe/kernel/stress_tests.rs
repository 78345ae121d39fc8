//! The kernel's lists under stress: pipes whose ends move without pause, of which an account may say nothing, and never that an end is
//! hidden; and more of them than one read gives.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use super::tests::open;
use super::*;
use crate::model::{Probed, Side};

/// How often to look. A single pass, or two whose counts alone agree, is wrong once in some 300.
const LOOKS: usize = 2000;

/// A process that moves the ends of its pipe, and the inode of that.
struct Restless {
    process: Child,
    inode: u64,
}

impl Restless {
    fn start() -> Self {
        let script = include_str!("tests/restless.py");
        let mut process = Command::new("python3").args(["-c", script]).stdout(Stdio::piped()).spawn().expect("python3");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Self { inode: line.trim().parse().expect("an inode"), process }
    }

    /// What two passes say of its pipe, if the second shows it at all.
    fn probed(&self, passes: &[Pass; 2]) -> Option<Probed> {
        account(passes).into_iter().find(|(record, _)| record.inode == self.inode).map(|(_, probed)| probed)
    }
}

impl Drop for Restless {
    fn drop(&mut self) {
        self.process.kill().expect("kill");
        self.process.wait().expect("wait");
    }
}

/// An end that a thread is closing is in no table any more and still counts, for as long as that thread gets no processor: then the count is
/// right, and a later one is another.
#[test]
fn what_moves_is_never_hidden_for_long() {
    let Some(kernel) = open(Tier::Full) else { return };
    let all = [Restless::start(), Restless::start()];
    let look = |restless: &Restless, number: usize| -> Option<[Option<u32>; 2]> {
        let first = kernel.ends(false).expect("ends");
        let passes = [first, kernel.ends(false).expect("ends")];
        let probed = restless.probed(&passes)?;
        Some(Side::BOTH.map(|side| {
            let hidden = probed.unseen(side).map(|unseen| unseen.descriptions);
            let has = if hidden.is_some_and(|hidden| hidden > 0) { Some(true) } else { None };
            assert_eq!(
                probed.has(side),
                has,
                "look {number}: both ends are open all the time, and all others are seen"
            );
            hidden
        }))
    };
    let is_hidden = |sides: &[Option<u32>; 2]| sides.iter().any(|side| side.is_some_and(|hidden| hidden > 0));
    let (mut proven, mut open, mut closing) = (0, 0, 0);
    for number in 0..LOOKS {
        for restless in &all {
            let Some(mut sides) = look(restless, number) else { continue };
            open += usize::from(sides.contains(&None));
            proven += usize::from(!sides.contains(&None));
            for pause in 0..100 {
                if !is_hidden(&sides) {
                    break;
                }
                closing += 1;
                assert!(pause < 99, "look {number}: still hidden: {sides:?}");
                thread::sleep(Duration::from_millis(10));
                sides = look(restless, number).unwrap_or([None; 2]);
            }
        }
    }
    assert!(proven > 0 && open > 0, "{proven} proven and {open} open: at rest, or never so");
    assert!(closing <= proven / 10, "{closing} of {proven} proven were wrong soon after");
}

/// More sleepers than the kernel gives in one read: what has no room in one is in the next.
#[test]
fn many_sleepers_are_listed_once() {
    let Some(kernel) = open(Tier::Full) else { return };
    let pipes: Vec<_> = (0..12).map(|_| io::pipe().expect("a pipe")).collect();
    let sleepers: Vec<_> = pipes
        .iter()
        .flat_map(|(reader, _)| (0..60).map(move |_| reader.try_clone().expect("a duplicate")))
        .map(|mut reader| thread::spawn(move || reader.read(&mut [0])))
        .collect();
    let inodes: BTreeSet<u64> = pipes
        .iter()
        .map(|(reader, _)| fs::metadata(format!("/proc/self/fd/{}", reader.as_raw_fd())).expect("its inode").ino())
        .collect();
    // Each sleeps as soon as it gets to it.
    let mut listed = BTreeMap::new();
    for _ in 0..1000 {
        let waits = kernel.waits().expect("a kernel that lets programs read by address");
        listed = BTreeMap::new();
        for wait in waits.iter().filter(|wait| inodes.contains(&wait.inode)) {
            assert_eq!(wait.how, WaitKind::Readers);
            *listed.entry((wait.inode, wait.task)).or_insert(0) += 1;
        }
        if listed.len() == sleepers.len() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    drop(pipes);
    assert_eq!((listed.len(), listed.values().max()), (sleepers.len(), Some(&1)));
    for sleeper in sleepers {
        assert_eq!(sleeper.join().expect("no panic").expect("EOF"), 0);
    }
}
