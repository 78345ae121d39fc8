"""Two pipelines with nothing wrong: a busy one, and one whose writer is in no hurry. And a pool of tokens as make(1) has it, which all
its descendants inherit with both ends, and from which it reads one when it wants to start something."""

import os
import subprocess
import scene
import blocking


def make():
    ends = scene.pipe("tokens", 0)
    worker = subprocess.Popen(["sleep", "3600"], close_fds=False)
    scene.keep(worker)
    scene.program(worker.pid, "sleep", ["sleep", "3600"], (ends[0], "r", ends[0]), (ends[1], "w", ends[1]))
    scene.wait_for(lambda: scene.comm_of(worker.pid) == b"sleep", "sleep to start")
    tokens.extend(ends)


tokens = []


def build():
    os.nice(19)
    maker = scene.child(make, then=lambda: os.read(tokens[0], 1))
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


scene.run(build)
