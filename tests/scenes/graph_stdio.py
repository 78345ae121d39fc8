"""Programs that share their input and output with others, and with those that only wait for them.

`pipelines`: many pipelines of bash, each without and with job control, all at once; between which programs data go is known from how
each was written down. `shared`: a pipe of which two processes have both ends, and a third has only inherited the write end."""

import os
import subprocess
import sys
import time
import scene

CHAIN = """python3 -c '
import subprocess as s
first = s.Popen(["sleep", "3601"], stdout=s.PIPE)
second = s.Popen(["cat"], stdin=first.stdout, stdout=s.PIPE)
s.Popen(["sort"], stdin=second.stdout).wait()' | wc"""
AT_WORK = """python3 -c '
import subprocess, time
subprocess.Popen(["sleep", "3601"])
time.sleep(3600)' | wc"""

# A command, and which program writes into which, by which of its descriptors where that is a standard one.
PIPELINES = [
    ("sleep 3601 | diff <(sleep 3602) -", [("sleep 3601", 1, "diff", 0), ("sleep 3602", 1, "diff", None)]),
    ("sleep 3601 | comm - <(sort <(sleep 3602))",
     [("sleep 3601", 1, "comm", 0), ("sleep 3602", 1, "sort", None), ("sort", 1, "comm", None)]),
    ("paste <(sleep 3601) <(sleep 3602) | cat",
     [("sleep 3601", 1, "paste", None), ("sleep 3602", 1, "paste", None), ("paste", 1, "cat", 0)]),
    ("cat <(sleep 3601 | sort) | wc", [("sleep 3601", 1, "sort", 0), ("sort", 1, "cat", None), ("cat", 1, "wc", 0)]),
    ("sleep 3601 | tee >(grep x) | cat",
     [("sleep 3601", 1, "tee", 0), ("tee", None, "grep", 0), ("tee", 1, "cat", 0), ("grep", 1, "cat", 0)]),
    ("sleep 3601 | tee >(grep x | sort) >(uniq) | cat",
     [("sleep 3601", 1, "tee", 0), ("tee", None, "grep", 0), ("tee", None, "uniq", 0), ("grep", 1, "sort", 0),
      ("tee", 1, "cat", 0), ("sort", 1, "cat", 0), ("uniq", 1, "cat", 0)]),
    # The second one starts with the output of the first.
    ("sleep 3601 > >(cat -u) 2> >(cat -n)",
     [("sleep 3601", 1, "cat -u", 0), ("sleep 3601", 2, "cat -n", 0), ("cat -n", 1, "cat -u", 0)]),
    ("coproc cat; sleep 3601 >&${COPROC[1]}; true", [("sleep 3601", 1, "cat", 0), ("cat", 1, "bash", None)]),
    # Between two sleeps, the shell writes.
    ("exec > >(cat); sleep 3601; true", [("bash", 1, "cat", 0)]),
    ("sleep 3601 | while read -r line; do echo $line; done | cat", [("sleep 3601", 1, "BASH", 0), ("BASH", 1, "cat", 0)]),
    ("bash -c 'sleep 3601 | (cat; true); true' | sort", [("sleep 3601", 1, "cat", 0), ("cat", 1, "sort", 0)]),
    ("(sleep 3601 & sleep 3602; true) | cat", [("sleep 3601", 1, "cat", 0)]),
    # Its own input has come to an end.
    ("echo 3601 3602 | xargs -P 2 -n 1 sleep | cat",
     [(None, None, "xargs", 0), ("sleep 3601", 1, "cat", 0), ("sleep 3602", 1, "cat", 0)]),
    (CHAIN, [("sleep 3601", 1, "cat", 0), ("cat", 1, "sort", 0), ("sort", 1, "wc", 0)]),
    (AT_WORK, [("sleep 3601", 1, "wc", 0), ("python3", 1, "wc", 0)]),
]


def read(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read()


def pid_of(shell, command):
    """The one process of a shell whose command line begins so; `bash` is the shell, and `BASH` its child that reads."""
    if command == "bash":
        return shell
    pids = scene.descendants(shell)
    if command == "BASH":
        found = [pid for pid in pids if scene.comm_of(pid) == b"bash"]
    else:
        found = [pid for pid in pids if read(pid, "cmdline").replace(b"\0", b" ").startswith(command.encode() + b" ")]
    pid, = found
    return pid


def pipe_of(pid, fd):
    target = os.readlink(f"/proc/{pid}/fd/{fd}")
    assert target.startswith("pipe:"), target
    return target


def fd_of(pid, pipe, fd):
    """The descriptor that was named, or the first of those that lead to the pipe."""
    fds = [int(fd) for fd in os.listdir(f"/proc/{pid}/fd")]
    return fd if fd is not None else min(fd for fd in fds if os.readlink(f"/proc/{pid}/fd/{fd}") == pipe)


def edges(shell, spec):
    found = []
    for writer, writer_fd, reader, reader_fd in spec:
        writer = writer and pid_of(shell, writer)
        reader = pid_of(shell, reader)
        pipe = pipe_of(writer, writer_fd) if writer_fd is not None else pipe_of(reader, reader_fd)
        start = writer and [writer, fd_of(writer, pipe, writer_fd)]
        found.append([pipe, start, [reader, fd_of(reader, pipe, reader_fd)]])
        assert pipe_of(*found[-1][2]) == pipe
    return found


def settled(shells):
    """The edges of each shell, once nothing moves any more."""
    try:
        assert all(scene.state_of(pid) == "S" for shell in shells for pid in scene.descendants(shell.pid))
        return [edges(shell.pid, spec) for shell, (_, spec) in zip(shells, PIPELINES * 2)]
    except (AssertionError, OSError, ValueError):
        return None


def pipelines():
    null = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    commands = [["bash", option, command] for option in ("-c", "-mc") for command, _ in PIPELINES]
    shells = [subprocess.Popen(command, **null) for command in commands]
    scene.keep(*shells)

    def twice():
        before = settled(shells)
        # On a busy machine one may be about to do more.
        time.sleep(1)
        return before and before == settled(shells)

    scene.wait_for(twice, "the pipelines")
    cases = [{"command": " ".join(command), "edges": its} for command, its in zip(commands, settled(shells))]
    return {"me": os.getpid(), "cases": cases}


def shared():
    ends = scene.pipe("shared")
    os.set_inheritable(ends[1], True)
    fork = scene.child(lambda: None)
    heir = subprocess.Popen(["sleep", "3603"], pass_fds=[ends[1]])
    scene.keep(ends, heir)
    scene.wait_for(lambda: scene.comm_of(heir.pid) == b"sleep", "sleep")
    return {"pipe": pipe_of(os.getpid(), ends[0]), "both": sorted([os.getpid(), fork]), "heir": heir.pid}


scene.run({"pipelines": pipelines, "shared": shared}[sys.argv[1]])
