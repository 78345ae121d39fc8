"""A reader whose pipe two could write to: one sleeps, and the other reads a pipe of its own, for ever."""

import scene
import blocking


def build():
    hub, own = blocking.pipe("hub"), blocking.pipe("own")
    reader = blocking.part(blocking.read(hub[0]), hub[0])
    free = blocking.part(blocking.sleep, hub[1])
    stuck = blocking.part(blocking.read(own[0]), hub[1], *own)
    blocking.let_go()
    for pid in (reader, stuck):
        blocking.settle(pid, "pipe_read")
    blocking.settle(free, "nanosleep")
    return {"reader": reader, "free": free, "stuck": stuck}


scene.run(build)
