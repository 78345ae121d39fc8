"""Pipelines that bash made, of real programs that hold still.

`branch`: one writes to two, one of which goes on; `subshell`: a shell in the middle of its job, which has the output of its program too;
`many`: twenty write into one pipe."""

import os
import subprocess
import sys
import scene

COMMANDS = {
    "branch": ("sleep 3600 | tee >(cat >/dev/null) >(grep x | sort >/dev/null) >/dev/null; true",
               {"sleep": 1, "tee": 1, "cat": 1, "grep": 1, "sort": 1}),
    "subshell": ("(sleep 3600; true) | cat >/dev/null; true", {"sleep": 1, "cat": 1}),
    "many": ("(for i in {1..20}; do sleep 3600 & done; wait) | cat >/dev/null; true", {"sleep": 20, "cat": 1}),
}


def pids_of(shell, name):
    return sorted(pid for pid in scene.descendants(shell) if scene.comm_of(pid) == name.encode())


def rests(pid):
    """Whether a process sleeps, and a shell in wait(2)."""
    with open(f"/proc/{pid}/wchan") as file:
        return scene.state_of(pid) == "S" and (scene.comm_of(pid) != b"bash" or file.read() in ("do_wait", "0"))


def inode(pid, fd):
    return os.stat(f"/proc/{pid}/fd/{fd}").st_ino


def parent_of(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])


def build():
    command, wanted = COMMANDS[sys.argv[1]]
    shell = subprocess.Popen(["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    scene.keep(shell)
    scene.wait_for(lambda: all(len(pids_of(shell.pid, name)) == count for name, count in wanted.items()), wanted)
    pids = {name: pids_of(shell.pid, name) for name in wanted}
    if "tee" in pids:
        tee, = pids["tee"]
        scene.wait_for(lambda: os.path.exists(f"/proc/{tee}/fd/4"), "tee to open its files")
    # A shell may not have got to its wait(2) yet.
    scene.wait_for(lambda: all(rests(pid) for pid in [shell.pid, *scene.descendants(shell.pid)]), "the shells to wait")
    inputs = {name: inode(pids[name][0], 0) for name in wanted if name != "sleep"}
    parents = {parent_of(pid) for pid in pids["sleep"]}
    return {"shell": shell.pid, "pids": pids, "inputs": inputs, "parents": sorted(parents)}


scene.run(build)
