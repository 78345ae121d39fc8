"""Two pipelines with nothing wrong: a busy one, and one whose writer is in no hurry. And two pools of tokens as make(1) has them.

From the first, whose ends a program inherits, a process reads a token; from the second, whose ends its parent has while it waits for
it, another does, and it also hears of the end of its child."""

import os
import select
import signal
import subprocess
import scene
import blocking


def starts(*ends):
    worker = subprocess.Popen(["sleep", "3600"], close_fds=not ends)
    scene.keep(worker)
    scene.program(worker.pid, "sleep", ["sleep", "3600"], *((fd, access, fd) for fd, access in zip(ends, "rw")))
    scene.wait_for(lambda: scene.comm_of(worker.pid) == b"sleep", "sleep to start")


def make():
    """Reads a token that a program of its own could give back."""
    told = []

    def work():
        told.extend(scene.pipe("tokens", 0))
        starts(*told)

    return scene.child(work, then=lambda: os.read(told[0], 1))


def recursive_make():
    """Waits for another make, which reads a token or hears of the end of its child."""
    def inner(ends):
        signal.signal(signal.SIGCHLD, lambda *_: None)
        starts()
        told.extend(ends)

    def outer():
        scene.child(inner, scene.pipe("jobs"), then=lambda: select.select(told[:1], [], []))

    told = []
    pid = scene.child(outer, then=lambda: os.wait4(-1, 0))
    return pid, *scene.children_of(pid)


def build():
    os.nice(19)
    maker = make()
    outer, inner = recursive_make()
    pids = []
    for name, words in (("busy", ["yes"]), ("lazy", ["sleep", "3600"])):
        writer = subprocess.Popen(words, stdout=subprocess.PIPE)
        end = writer.stdout.fileno()
        scene.label(name, end)
        reader = subprocess.Popen(["cat"], stdin=end, stdout=subprocess.DEVNULL)
        scene.program(writer.pid, words[0], words, (1, "w", end))
        scene.program(reader.pid, "cat", ["cat"], (0, "r", end))
        for process, command in ((writer, words[0]), (reader, "cat")):
            scene.wait_for(lambda: scene.comm_of(process.pid) == command.encode(), "the pipeline to start")
        scene.keep(writer, reader)
        pids += [writer.pid, reader.pid]
        writer.stdout.close()
    # The last of them is the lazy one's reader.
    blocking.settle(pids[-1], "pipe_read")
    blocking.settle(maker, "pipe_read")
    blocking.settle(outer, "do_wait")
    blocking.settle(inner, "poll")


scene.run(build)
