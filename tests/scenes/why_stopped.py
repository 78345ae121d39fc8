"""A writer blocked on a full pipe whose reader was stopped."""

import os
import signal
import scene
import blocking


def build():
    reader, writer = blocking.pipe("pipe")
    stopped = blocking.part(scene.hold, reader)
    writing = blocking.part(blocking.write(writer), writer)
    blocking.let_go()
    os.kill(stopped, signal.SIGSTOP)
    scene.wait_for(lambda: scene.state_of(stopped) == "T", "the reader to stop")
    blocking.settle(writing, "pipe_write")
    return {"reader": stopped, "writer": writing}


scene.run(build)
