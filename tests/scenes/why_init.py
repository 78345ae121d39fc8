"""A shell that is the first process of a PID namespace, and so takes in its orphans, with a pipeline.

`adopted`: the only writer is a daemon that the first program of the pipeline has left behind; `started`: the shell itself has started
the writer, in a session of its own; `steps`: it has started a writer in its own session, and what has started the reader."""

import os
import subprocess
import sys
import scene

# Each with how many processes there are in the end.
SCRIPTS = {
    "adopted": ("(setsid sleep 3600 & sleep .2) | cat & wait", 3),
    "started": ("setsid sleep 3600 | cat & wait", 3),
    "steps": ("sleep 3600 | { cat; :; } & wait", 4),
}


def only(command, pids):
    found = [pid for pid in pids if scene.comm_of(pid) == command]
    return found[0] if len(found) == 1 else None


def place(pid):
    with open(f"/proc/{pid}/wchan") as file:
        return file.read()


def build():
    script, count = SCRIPTS[sys.argv[1]]
    words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script]
    unshare = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    scene.keep(unshare)

    def is_there():
        pids = scene.descendants(unshare.pid)
        told.update(init=min(pids, default=None), reader=only(b"cat", pids), holder=only(b"sleep", pids))
        return len(pids) == count and None not in told.values() and "pipe_read" in place(told["reader"])

    told = {}
    scene.wait_for(is_there, "the pipeline to hang")
    told["pipe"] = os.readlink(f"/proc/{told['reader']}/fd/0")
    return told


scene.run(build)
