//! Completions: the Tab key in bash, zsh and fish, each on a terminal of its own, and the answers of lspipe that they show.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::need::{Need, need};
use crate::support::run::{LIMIT, lspipe};

/// A shell, and how it is told what a test needs.
struct Shell {
    name: &'static str,
    /// `--generate KIND`.
    kind: &'static str,
    /// Starts it without anybody's settings.
    start: &'static str,
    /// Reads the file `script`, and has Ctrl-G append the line to the file `told` and clear it.
    prepare: &'static str,
    /// What it adds after a whole word, and after a value of a list.
    after_word: &'static str,
    after_value: &'static str,
}

const BASH: Shell = Shell {
    name: "bash",
    kind: "complete-bash",
    start: "bash --noprofile --norc -i",
    prepare: r#"bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; bind 'set completion-query-items 0'; bind 'set page-completions off'; source ./script; bind -x '"\C-g": printf "%s\n" "$READLINE_LINE" >>told; READLINE_LINE='"#,
    after_word: " ",
    after_value: "",
};

const ZSH: Shell = Shell {
    name: "zsh",
    kind: "complete-zsh",
    start: "zsh -f -i",
    prepare: "unsetopt zle_bracketed_paste; LISTMAX=10000; autoload -U compinit; compinit -D -u; source ./script; \
              told() { print -r -- \"$BUFFER\" >>told; BUFFER= }; zle -N told; bindkey '^G' told",
    after_word: " ",
    after_value: ",",
};

const FISH: Shell = Shell {
    name: "fish",
    kind: "complete-fish",
    start: "fish --no-config -i",
    prepare: r"source ./script; bind \cg 'commandline >>told; commandline -r \'\''",
    after_word: " ",
    after_value: " ",
};

/// What a line becomes by the Tab key.
#[derive(Clone, Copy)]
enum Becomes {
    /// A whole word at its end.
    Word(&'static str),
    /// A value of a list at its end.
    Value(&'static str),
    /// Itself: nothing begins so, or several do.
    Same,
}
use Becomes::{Same, Value, Word};

const LINES: [(&str, Becomes); 47] = [
    ("lspipe --no-rea", Word("lspipe --no-reader")),
    ("lspipe fd", Word("lspipe fds")),
    ("lspipe fds -o DET", Value("lspipe fds -o DETAILS")),
    ("lspipe --color a", Same),
    ("lspipe --color al", Word("lspipe --color always")),
    ("lspipe --color=n", Word("lspipe --color=never")),
    ("lspipe --generate complete-z", Word("lspipe --generate complete-zsh")),
    ("lspipe graph --format m", Word("lspipe graph --format mermaid")),
    ("lspipe -q graph --format m", Word("lspipe -q graph --format mermaid")),
    ("lspipe why --desc", Word("lspipe why --descendants")),
    // JSON has no columns.
    ("lspipe --json --outp", Same),
    ("lspipe --repeat 2 --outp", Word("lspipe --repeat 2 --output")),
    // Columns.
    ("lspipe -o WRI", Value("lspipe -o WRITERS")),
    ("lspipe -o PIPE,WRI", Value("lspipe -o PIPE,WRITERS")),
    ("lspipe -o PIPE,", Same),
    ("lspipe -o PIPE,PIP", Same),
    ("lspipe -o +PID,US", Value("lspipe -o +PID,USER")),
    ("lspipe --output=PIPE,WRI", Value("lspipe --output=PIPE,WRITERS")),
    // Codes, severities and kinds.
    ("lspipe audit --on", Word("lspipe audit --only")),
    ("lspipe audit --only dead", Value("lspipe audit --only deadlock")),
    ("lspipe audit --only deadlock,self-", Value("lspipe audit --only deadlock,self-deadlock")),
    ("lspipe audit --only=deadlock,self-", Value("lspipe audit --only=deadlock,self-deadlock")),
    ("lspipe audit --fail-on error,self-", Value("lspipe audit --fail-on error,self-deadlock")),
    ("lspipe audit --explain self-", Word("lspipe audit --explain self-deadlock")),
    ("lspipe audit --only end-ho", Value("lspipe audit --only end-hoard")),
    // An audit alone reports it.
    ("lspipe why --only end-ho", Same),
    ("lspipe help self-", Word("lspipe help self-deadlock")),
    ("lspipe help gra", Word("lspipe help graph")),
    ("lspipe graph -k fifo,un", Value("lspipe graph -k fifo,unix")),
    // Users.
    ("lspipe -u roo", Value("lspipe -u root")),
    ("lspipe -u root,nobod", Value("lspipe -u root,nobody")),
    ("lspipe -u root,roo", Same),
    ("lspipe why --user=root,nobod", Value("lspipe why --user=root,nobody")),
    // Commands: two that run, and one with an escape sequence in its name, which no line has.
    ("lspipe -c lspc-o", Value("lspipe -c lspc-one")),
    ("lspipe -c cat,lspc-", Value("lspipe -c cat,lspc-one")),
    ("lspipe fds lspc-o", Value("lspipe fds lspc-one")),
    ("lspipe -c lspd", Value(r"lspipe -c lspd\ two")),
    // Files.
    ("lspipe only.", Word("lspipe only.fifo")),
    ("lspipe ./only.", Word("lspipe ./only.fifo")),
    ("lspipe only.fifo --no-rea", Word("lspipe only.fifo --no-reader")),
    ("lspipe why only.", Word("lspipe why only.fifo")),
    ("lspipe diff only.fifo only.", Word("lspipe diff only.fifo only.fifo")),
    ("lspipe audit --baseline only.", Word("lspipe audit --baseline only.fifo")),
    ("lspipe --from=only.", Word("lspipe --from=only.fifo")),
    // Which take no file.
    ("lspipe fds only.", Same),
    ("lspipe -u only.", Same),
    ("lspipe -p only.", Same),
];

/// A folder with what the lines name: a file, and programs that run.
struct Scene {
    home: TempDir,
    children: Vec<Child>,
}

impl Scene {
    fn start() -> Self {
        let home = TempDir::new().expect("temporary directory");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        fs::write(home.path().join("only.fifo"), "").expect("write");
        let sleep = fs::canonicalize("/bin/sleep").expect("sleep");
        let start = |name: &[u8]| {
            let program = home.path().join("bin").join(OsStr::from_bytes(name));
            fs::create_dir_all(program.parent().expect("a folder")).expect("a folder");
            fs::copy(&sleep, &program).expect("copy");
            Command::new(program).arg("600").stdin(Stdio::null()).spawn().expect("run a copy of sleep")
        };
        let children = [&b"lspc-one"[..], b"lspc-\x1b[31m", b"lspd two"].map(start).into();
        Self { home, children }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in &mut self.children {
            child.kill().expect("kill");
            child.wait().expect("wait");
        }
    }
}

#[track_caller]
fn script(shell: &Shell) -> String {
    let output = lspipe(["--generate", shell.kind]).run().expect(0);
    assert_eq!(output.stderr, "");
    output.text().to_owned()
}

/// Waits until the file has so many lines, and returns them.
#[track_caller]
fn lines_of(file: &Path, count: usize, seen: &Path) -> Vec<String> {
    let end = Instant::now() + LIMIT;
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text.matches('\n').count() >= count {
            return text.lines().map(str::to_owned).collect();
        }
        let seen = || String::from_utf8_lossy(&fs::read(seen).unwrap_or_default()).into_owned();
        assert!(Instant::now() < end, "{count} lines of {text:?}, on the terminal: {:?}", seen());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Types each line and the Tab key into a shell on a terminal; returns what the lines become. `wrapper` starts the shell, and `before` is
/// run in it.
#[track_caller]
fn type_into(shell: &Shell, home: &Path, wrapper: &str, before: &str, lines: &[&str]) -> Vec<String> {
    fs::write(home.join("script"), script(shell)).expect("write");
    let bin = Path::new(env!("CARGO_BIN_EXE_lspipe")).parent().expect("a folder");
    let [told, seen] = ["told", "seen"].map(|name| home.join(name));
    let mut terminal = Command::new("script")
        .args(["-qefc", &format!("stty cols 200 rows 50; exec {wrapper} {}", shell.start)])
        .arg(&seen)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", bin.display()))
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
        // Shells look for their settings there, and fish writes some.
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("run script");
    let mut keys = terminal.stdin.take().expect("stdin");
    let mut press = |text: &str| keys.write_all(text.as_bytes()).expect("type");
    press(&format!("{}; {before} echo ready >>told\n", shell.prepare));
    lines_of(&told, 1, &seen);
    for (count, line) in lines.iter().enumerate() {
        press(line);
        press("\t\x07");
        lines_of(&told, count + 2, &seen);
    }
    press("exit\n");
    drop(keys);
    assert!(terminal.wait().expect("wait").code().is_some());
    let mut all = lines_of(&told, lines.len() + 1, &seen);
    // Nothing of a process may reach the terminal as it is.
    assert!(
        !fs::read(&seen).expect("read").windows(8).any(|window| window == b"lspc-\x1b[3"),
        "{} prints an escape",
        shell.name
    );
    all.split_off(1)
}

fn completes(shell: &Shell) {
    let scene = Scene::start();
    let told = type_into(shell, scene.home.path(), "", "", &LINES.map(|(typed, _)| typed));
    let expected = LINES.map(|(typed, becomes)| match becomes {
        Word(line) => format!("{line}{}", shell.after_word),
        Value(line) => format!("{line}{}", shell.after_value),
        Same => typed.to_owned(),
    });
    let wrong: Vec<_> = told.iter().zip(&expected).filter(|(told, expected)| told != expected).collect();
    assert!(wrong.is_empty(), "{}, found and expected: {wrong:#?}", shell.name);
}

/// In a PID namespace, where it is known which PIDs there are: small ones, and 5000.
fn completes_pids(shell: &Shell) {
    let home = TempDir::new().expect("temporary directory");
    // What the shell starts later is far from 5000.
    let next = |pid: u32| format!("echo {} >/proc/sys/kernel/ns_last_pid", pid - 1);
    let nothing = if shell.name == "fish" { "true" } else { ":" };
    let before = format!("{}; sleep 600 & {nothing}; {};", next(5000), next(9000));
    let typed = [
        "lspipe -p 500",
        "lspipe -p 1,500",
        "lspipe -p ^500",
        "lspipe fds 1,500",
        "lspipe why --pid=1,500",
        "lspipe -p 6,7,8",
    ];
    let told = type_into(shell, home.path(), "unshare --pid --fork --kill-child --mount-proc", &before, &typed);
    let whole = |line: &str| format!("{line}0{}", shell.after_value);
    // zsh quotes what a pattern may begin with.
    let quoted = |line: &str| if shell.name == "zsh" { line.replace('^', r"\^") } else { line.to_owned() };
    let expected: Vec<String> =
        typed[..5].iter().map(|line| whole(&quoted(line))).chain([typed[5].to_owned()]).collect();
    assert_eq!(told, expected, "{}", shell.name);
}

#[test]
fn bash_completes() {
    need!(Need::Program("bash"), Need::Program("script"));
    completes(&BASH);
}

#[test]
fn zsh_completes() {
    need!(Need::Program("zsh"), Need::Program("script"));
    completes(&ZSH);
}

#[test]
fn fish_completes() {
    need!(Need::Program("fish"), Need::Program("script"));
    completes(&FISH);
}

#[test]
fn bash_completes_pids() {
    need!(Need::Root, Need::Program("bash"), Need::Program("script"), Need::Program("unshare"));
    completes_pids(&BASH);
}

#[test]
fn zsh_completes_pids() {
    need!(Need::Root, Need::Program("zsh"), Need::Program("script"), Need::Program("unshare"));
    completes_pids(&ZSH);
}

#[test]
fn fish_completes_pids() {
    need!(Need::Root, Need::Program("fish"), Need::Program("script"), Need::Program("unshare"));
    completes_pids(&FISH);
}

/// What the shells are told: names of processes as escapes, and none that a terminal would not show as a value.
#[test]
fn names_of_processes_are_shown_as_escapes() {
    let scene = Scene::start();
    let ask = |words: &[&str]| {
        let output = lspipe([&["--", "lspipe"], words].concat()).env("LSPIPE_COMPLETE", "1").run().expect(0);
        assert_eq!(output.stderr, "");
        output.text().to_owned()
    };
    for (child, name) in scene.children.iter().zip(["lspc-one", r"lspc-\x1b[31m", "lspd two"]) {
        let pids = ask(&["-p", &format!("1,{}", child.id())]);
        assert!(pids.starts_with("list\t1,\n"), "{pids}");
        assert!(pids.contains(&format!("\n1,{}\t{name}\n", child.id())), "{pids}");
    }
    // Other tests of this file have such processes too.
    let commands = ask(&["-c", "lspc-"]);
    let values: Vec<&str> = commands.lines().map(|line| line.split('\t').next().unwrap_or_default()).collect();
    assert_eq!(values, ["list", "lspc-one"]);
    // Without the first argument, the variable changes nothing.
    let version = lspipe(["-V"]).run().expect(0);
    assert_eq!(lspipe(["-V"]).env("LSPIPE_COMPLETE", "1").run().expect(0).stdout, version.stdout);
    assert_eq!(lspipe(["--", "-V"]).run().expect(2).text(), "", "a path, and no request");
}
