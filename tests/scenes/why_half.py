"""Two pipes of which somebody without rights sees half: of one a stranger holds the write end, of the other a stopped process the read
end, and root's processes, which are about to write and to read, hold the same ends."""

import os
import signal
import sys
import scene
import blocking

USER = int(sys.argv[1])


def build():
    from_r, from_w = blocking.pipe("from")
    to_r, to_w = blocking.pipe("to")

    def part(then, *keep, session=False):
        def work():
            if session:
                os.setsid()
            scene.become(USER)

        return blocking.part(then, *keep, work=work)

    told = {
        "writer": blocking.part(blocking.sleep, from_w),
        "reader": blocking.part(blocking.sleep, to_r),
        "holder": part(blocking.sleep, from_w, session=True),
        "stopped": part(scene.hold, to_r),
    }
    told["reads"] = part(blocking.read(from_r), from_r)
    told["writes"] = part(blocking.write(to_w), to_w)
    blocking.let_go()
    os.kill(told["stopped"], signal.SIGSTOP)
    blocking.settle(told["reads"], "pipe_read")
    blocking.settle(told["writes"], "pipe_write")
    scene.wait_for(lambda: scene.state_of(told["stopped"]) == "T", "the reader to stop")
    blocking.age(told["reads"])
    return told


scene.run(build)
