//! The values of arguments: processes, users and commands as they are on this machine now, columns and findings. Each function takes what
//! is typed of one value, and returns the values that begin so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::str::FromStr as _;

use clap::CommandFactory as _;
use clap_complete::engine::CompletionCandidate;

use crate::cli::Cli;
use crate::escape::{EscapeContext, is_shown_as_is, push_name};
use crate::findings::{Code, first_clause};
use crate::model::{Severity, Uid};
use crate::render::columns::Column;
use crate::users::known_users;

/// `PF_KTHREAD` of linux/sched.h: a thread of the kernel, which holds no pipe.
const PF_KTHREAD: u32 = 0x0020_0000;

/// The field of /proc/PID/stat with the flags, counted from the one after the name.
const FLAGS: usize = 6;

/// A process that may be named.
struct Process {
    pid: u32,
    command: Vec<u8>,
}

/// PIDs, each also after a `^`.
pub(super) fn chosen_pids(typed: &str) -> Vec<CompletionCandidate> {
    chosen(typed, pids)
}

/// PIDs, and names of commands.
pub(super) fn processes(typed: &str) -> Vec<CompletionCandidate> {
    let commands = if typed.is_empty() { Vec::new() } else { commands(typed) };
    pids(typed).into_iter().chain(commands).collect()
}

/// Users, each also after a `^`.
pub(super) fn chosen_users(typed: &str) -> Vec<CompletionCandidate> {
    chosen(typed, users)
}

/// Names of commands, each also after a `^`.
pub(super) fn chosen_commands(typed: &str) -> Vec<CompletionCandidate> {
    chosen(typed, commands)
}

/// Columns of a report, which may begin with a `+`.
pub(super) fn columns(typed: &str) -> Vec<CompletionCandidate> {
    columns_of(typed, Column::is_selectable)
}

/// Columns of `fds`, likewise.
pub(super) fn fds_columns(typed: &str) -> Vec<CompletionCandidate> {
    columns_of(typed, |_| true)
}

fn columns_of(typed: &str, is_known: fn(Column) -> bool) -> Vec<CompletionCandidate> {
    let (plus, typed) = typed.strip_prefix('+').map_or(("", typed), |typed| ("+", typed));
    let columns = Column::ALL.iter().filter(|column| is_known(**column) && begins(column.heading(), typed));
    columns.map(|column| candidate(&format!("{plus}{}", column.heading()), column.help())).collect()
}

/// What `--fail-on` takes.
pub(super) fn severities_and_codes(typed: &str) -> Vec<CompletionCandidate> {
    let severities = Severity::ALL.iter().map(|severity| severity.as_str());
    words(&severities.chain(Code::ALL.iter().map(|code| code.as_str())).map(str::to_owned).collect::<Vec<_>>(), typed)
}

/// What `help` takes.
pub(super) fn topics(typed: &str) -> Vec<CompletionCandidate> {
    let command = Cli::command();
    let commands = command.get_subcommands().filter(|command| command.get_name().starts_with(typed));
    let about = |command: &clap::Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    let codes = words(&Code::ALL.iter().map(|code| code.as_str().to_owned()).collect::<Vec<_>>(), typed);
    commands.map(|command| candidate(command.get_name(), &about(command))).chain(codes).collect()
}

/// Those of these words that begin so, in any case. A code is described.
pub(super) fn words(words: &[String], typed: &str) -> Vec<CompletionCandidate> {
    let about = |word: &str| Code::from_str(word).map(|code| first_clause(code.about().explain)).unwrap_or_default();
    words.iter().filter(|word| begins(word, typed)).map(|word| candidate(word, &about(word))).collect()
}

fn begins(word: &str, typed: &str) -> bool {
    word.get(..typed.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(typed))
}

fn candidate(value: &str, help: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help((!help.is_empty()).then(|| help.to_owned().into()))
}

/// Values that `^` excludes.
fn chosen(typed: &str, values: fn(&str) -> Vec<CompletionCandidate>) -> Vec<CompletionCandidate> {
    match typed.strip_prefix('^') {
        Some(typed) => values(typed).into_iter().map(|value| value.add_prefix("^")).collect(),
        None => values(typed),
    }
}

fn pids(typed: &str) -> Vec<CompletionCandidate> {
    let mut processes = all_processes();
    processes.retain(|process| process.pid.to_string().starts_with(typed));
    processes.sort_unstable_by_key(|process| process.pid);
    let candidates = processes.iter().map(|process| candidate(&process.pid.to_string(), &escaped(&process.command)));
    candidates.collect()
}

fn users(typed: &str) -> Vec<CompletionCandidate> {
    let owners: BTreeSet<Uid> = pid_dirs().filter_map(|(pid, _)| owner(pid)).collect();
    let named = known_users(&owners);
    // A blank separates users too.
    let is_one = |name: &str| !name.contains([',', ' ']) && !name.starts_with(['^', '-']) && is_shown_as_is(name);
    let users = named.iter().filter(|(name, _)| name.starts_with(typed) && is_one(name));
    users.map(|(name, uid)| candidate(name, &format!("UID {}", uid.0))).collect()
}

/// The names that `--command` takes as they are, with how many processes have each.
fn commands(typed: &str) -> Vec<CompletionCandidate> {
    let mut counts = BTreeMap::<String, usize>::new();
    for process in all_processes() {
        if let Some(name) =
            String::from_utf8(process.command).ok().filter(|name| name.starts_with(typed) && is_command(name))
        {
            *counts.entry(name).or_default() += 1;
        }
    }
    let help = |count| if count == 1 { "1 process".to_owned() } else { format!("{count} processes") };
    counts.into_iter().map(|(name, count)| candidate(&name, &help(count))).collect()
}

/// Whether `--command` takes it for a name, and a terminal shows it.
fn is_command(name: &str) -> bool {
    !name.is_empty() && !name.contains(',') && !name.starts_with(['^', '/', '-']) && is_shown_as_is(name)
}

fn escaped(name: &[u8]) -> String {
    let mut text = String::new();
    push_name(&mut text, name, EscapeContext::Line);
    text
}

/// The processes of this machine but our own and those of the kernel. No call in it waits for a process.
fn all_processes() -> Vec<Process> {
    let own = std::process::id();
    pid_dirs()
        .filter(|(pid, _)| *pid != own)
        .filter_map(|(pid, dir)| {
            let stat = fs::read(dir.join("stat")).ok()?;
            // The name may have parentheses; what follows it has none.
            let end = stat.iter().rposition(|byte| *byte == b')')?;
            let flags: u32 =
                std::str::from_utf8(stat.get(end + 1..)?).ok()?.split_whitespace().nth(FLAGS)?.parse().ok()?;
            if flags & PF_KTHREAD != 0 {
                return None;
            }
            let mut command = fs::read(dir.join("comm")).ok()?;
            command.pop_if(|last| *last == b'\n');
            Some(Process { pid, command })
        })
        .collect()
}

fn pid_dirs() -> impl Iterator<Item = (u32, std::path::PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

fn owner(pid: u32) -> Option<Uid> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|dir| Uid(dir.uid()))
}
