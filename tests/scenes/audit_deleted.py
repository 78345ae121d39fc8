"""FIFOs that were removed while in use: `used` has both sides, `left` has lost its writer, and `linked` has one more name."""

import os
import scene


def build():
    for name in ("used", "left", "linked"):
        os.mkfifo(name)
        path = os.path.realpath(name)
        if name == "linked":
            os.link(name, "other")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        writer = os.open(path, os.O_WRONLY)
        os.unlink(name)
        # Another link is alive: the name still ends as the kernel ends it.
        told = path if name != "linked" else path + " (deleted)"
        scene.label(name, reader, told, deleted=name != "linked")
        if name == "left":
            os.close(writer)


scene.run(build)
