"""Processes in a circle, each of which reads from the next. `free`: somebody who sleeps could write to one of them, too."""

import sys
import scene
import blocking


def build():
    size = 4
    pipes = [blocking.pipe(f"pipe{number}") for number in range(size)]
    pids = []
    for number, (reader, _) in enumerate(pipes):
        writer = pipes[number - 1][1]
        pids.append(blocking.part(blocking.read(reader), reader, writer))
    free = []
    if sys.argv[1] == "free":
        free.append(blocking.part(blocking.sleep, pipes[2][1]))
        blocking.settle(free[0], "nanosleep")
    blocking.let_go()
    for pid in pids:
        blocking.settle(pid, "pipe_read")
    return {"ring": pids, "free": free}


scene.run(build)
