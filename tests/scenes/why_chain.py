"""Two chains: `first` reads from `middle`, which reads from `last`, which sleeps; and one that reads two pipes of a sleeper's.

The name of `middle` would colour a terminal red."""

import scene
import blocking


def build():
    one, two, other, spare = (blocking.pipe(name) for name in ("one", "two", "other", "spare"))
    first = blocking.part(blocking.read(one[0]), one[0])
    middle = blocking.part(blocking.read(two[0]), two[0], one[1], work=lambda: scene.set_name(b"esc\x1b[31mred"))
    last = blocking.part(blocking.sleep, two[1])
    apart = blocking.part(blocking.read(other[0]), other[0], spare[0])
    sleeper = blocking.part(blocking.sleep, other[1], spare[1])
    blocking.let_go()
    for pid in (first, middle, apart):
        blocking.settle(pid, "pipe_read")
    for pid in (last, sleeper):
        blocking.settle(pid, "nanosleep")
    return {"first": first, "middle": middle, "last": last, "apart": apart, "sleeper": sleeper}


scene.run(build)
