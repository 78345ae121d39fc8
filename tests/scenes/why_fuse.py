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
    # In fuse_* or in folio_*, as the kernel has it: not in the sleep between two looks at the server.
    scene.wait_for(lambda: all(place and "nanosleep" not in place for place in blocking.places(splicing).values()),
                   "the writer to wait for its file")
    reading = blocking.part(blocking.read(reader), reader)
    blocking.let_go()
    blocking.settle(reading, "pipe_read")
    return {"writer": splicing, "reader": reading}


scene.run(build, fuse_server.clean)
