"""Somebody who opens a FIFO of a file system whose server has stopped since: whoever looks the FIFO up gets no answer."""

import os
import scene
import blocking
import fuse_server


def build():
    server, mnt = fuse_server.mounted("mnt")
    opening = blocking.part(lambda: os.open("../fifo", os.O_RDONLY), work=lambda: os.chdir(mnt + "/dir"))
    blocking.settle(opening, "wait_for_partner")
    fuse_server.stop(server)
    return {"opener": opening}


scene.run(build, fuse_server.clean)
