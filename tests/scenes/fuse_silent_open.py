"""Processes that open a FIFO of a file system whose server takes requests and answers none: so does whoever looks the FIFO up.

The number of processes is an argument. One process on a pipe of its own is not blocked by any of that.
"""

import os
import sys
import scene
import blocking
import fuse_server


def build():
    server, mnt = fuse_server.mounted("mnt")
    opening = [blocking.part(lambda: os.open(mnt + "/fifo", os.O_RDONLY)) for _ in range(int(sys.argv[1]))]
    for pid in opening:
        blocking.settle(pid, "wait_for_partner")
    reader, _ = scene.pipe("pipe")
    reading = scene.child(lambda: None, then=lambda: os.read(reader, 1))
    fuse_server.silence(server)
    return {"openers": opening, "reader": reading, "mnt": mnt}


scene.run(build, fuse_server.clean)
