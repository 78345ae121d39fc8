"""A leaked write end, a stopped reader and a blocked open of the FIFO that is given, by processes with names of their own."""

import os
import signal
import sys
import scene
import blocking


def named(name, then, *keep, work=lambda: None):
    def begin():
        scene.set_name(name)
        work()

    return blocking.part(then, *keep, work=begin)


def build():
    leaked, held = blocking.pipe("leaked")
    reader, writer = blocking.pipe("stalled")
    daemon = named("restart-daemon", scene.hold, held, work=os.setsid)
    reading = named("restart-reader", blocking.read(leaked), leaked)
    stopped = named("restart-stop", scene.hold, reader)
    writing = named("restart-writer", blocking.write(writer), writer)
    opening = named("restart-open", lambda: os.open(sys.argv[1], os.O_RDONLY))
    blocking.let_go()
    os.kill(stopped, signal.SIGSTOP)
    scene.wait_for(lambda: scene.state_of(stopped) == "T", "the reader to stop")
    blocking.settle(reading, "pipe_read")
    blocking.settle(writing, "pipe_write")
    blocking.settle(opening, "wait_for_partner")
    return {"daemon": daemon}


scene.run(build)
