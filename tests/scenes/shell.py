"""Pipelines that a shell made, of real programs held still."""

import os
import subprocess
import scene


def stand_in(folder, name):
    """A program called `name` that stops before it has said a word, so that what it feeds waits for it."""
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write("#!/bin/sh\nkill -STOP $$\n")
    os.chmod(path, 0o755)


def start(command, wanted, path):
    """Runs the shell until its children are called `wanted`, and answers with their pids by name."""
    shell = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             env={**os.environ, "PATH": path})
    scene.keep(shell)

    def names():
        return sorted(scene.comm_of(pid) for pid in scene.descendants(shell.pid))
    scene.wait_for(lambda: names() == sorted(wanted), f"{wanted}")
    scene.program(shell.pid, "sh", ["/bin/sh", "-c", command])
    return {scene.comm_of(pid): pid for pid in scene.descendants(shell.pid)}


def cat_pipeline():
    os.mkfifo("in")
    fifo = os.path.realpath("in")
    # Without a writer cat would wait in open(). This one also keeps it from seeing the end of its file.
    writer = os.open("in", os.O_RDWR | os.O_CLOEXEC)
    scene.label("in", writer, fifo)
    pids = start("cat in | grep x > file; true", [b"cat", b"grep"], os.environ["PATH"])
    cat, grep = pids[b"cat"], pids[b"grep"]
    # cat opens its file at the first free number, after 0, 1 and 2.
    scene.wait_for(lambda: os.path.exists(f"/proc/{cat}/fd/3"), "cat to open its FIFO")
    probe = os.open(f"/proc/{grep}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
    scene.label("cat_grep", probe)
    scene.program(cat, "cat", ["cat", "in"], (3, "r", writer), (1, "w", probe))
    scene.program(grep, "grep", ["grep", "x"], (0, "r", probe))
    os.close(probe)
    return {"cat": cat, "grep": grep}


def ls_pipeline():
    os.mkdir("stand-ins")
    stand_in("stand-ins", "ls")
    path = os.path.realpath("stand-ins") + ":" + os.environ["PATH"]
    pids = start("ls | grep temp > grepped; ps -A -f > listed", [b"ls", b"grep"], path)
    ls, grep = pids[b"ls"], pids[b"grep"]
    scene.wait_for(lambda: scene.state_of(ls) == "T", "ls to stop")
    probe = os.open(f"/proc/{grep}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
    scene.label("ls_grep", probe)
    # A script's command is its own name, its command line the interpreter's.
    scene.program(ls, "ls", ["/bin/sh", os.path.realpath("stand-ins/ls")], (1, "w", probe))
    scene.program(grep, "grep", ["grep", "temp"], (0, "r", probe))
    os.close(probe)
    return {"ls": ls, "grep": grep}


def build():
    return {**{"cat_" + key: pid for key, pid in cat_pipeline().items()},
            **{"ls_" + key: pid for key, pid in ls_pipeline().items()}}


scene.run(build)
