"""A pipe of a user that is larger than usual, in pages."""

import fcntl
import os
import sys
import scene


def build():
    user, pages = int(sys.argv[1]), int(sys.argv[2])

    def grow():
        scene.become(user)
        reader, writer = os.pipe2(os.O_CLOEXEC)
        fcntl.fcntl(writer, 1031, pages * os.sysconf("SC_PAGESIZE"))
        return []

    scene.child(grow)


scene.run(build)
