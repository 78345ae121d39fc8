"""A writer that splices from a file whose server has stopped: it holds the lock of the pipe, and the reader waits for that."""

import os
import scene
import blocking
import fuse_server


def build():
    server, mnt = fuse_server.mounted("mnt")
    reader, writer = blocking.pipe("pipe")
    told = []

    def splices():
        scene.wait_for(lambda: scene.state_of(server) == "T", "the server to stop")
        os.splice(told[0], writer, fuse_server.SIZE)

    splicing = blocking.part(splices, writer, work=lambda: told.append(os.open(mnt + "/file", os.O_RDONLY)))
    fuse_server.stop(server)
    blocking.rest(splicing, "the writer to wait for its file")
    reading = blocking.part(blocking.read(reader), reader)
    blocking.let_go()
    blocking.settle(reading, "pipe_read")
    return {"writer": splicing, "reader": reading}


scene.run(build, fuse_server.clean)
