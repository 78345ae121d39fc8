"""Two pipelines with nothing wrong: a busy one, and one whose writer is in no hurry."""

import os
import subprocess
import scene


def build():
    os.nice(19)
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
        os.close(end)
        writer.stdout = None
    return {"pids": pids}


scene.run(build)
