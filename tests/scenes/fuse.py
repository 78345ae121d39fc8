"""A file system whose server has stopped answering, and a process that holds what is on it.

The server is stopped only after the holder holds everything.
"""

import os
import fuse_server
import scene


def build():
    server, mnt = fuse_server.mounted("mnt")

    def holder():
        os.open(mnt + "/file", os.O_RDONLY)
        os.open(mnt + "/dir", os.O_RDONLY | os.O_DIRECTORY)
        fifo = os.open(mnt + "/fifo", os.O_RDWR)
        scene.label("fifo", fifo, mnt + "/fifo")
        scene.pipe("pipe")
        os.chdir(mnt + "/dir")

    pid = scene.child(holder)
    fuse_server.stop(server)
    return {"holder": pid, "mnt": mnt}


scene.run(build, fuse_server.clean)
