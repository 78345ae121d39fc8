"""One process, many descriptors: dup, flags, packet mode, and an anonymous pipe opened again through /proc."""

import fcntl
import os
import scene


def build():
    reader, _ = scene.pipe("dup")
    os.dup2(reader, 77, inheritable=True)
    fcntl.fcntl(reader, fcntl.F_DUPFD_CLOEXEC, 100)

    scene.pipe("nonblocking", os.O_NONBLOCK)
    scene.pipe("packet", os.O_DIRECT | os.O_CLOEXEC)

    # One descriptor that is both ends, and nothing else: what opens a pipe through /proc for r+w.
    reader, writer = scene.pipe("both")
    os.open(f"/proc/self/fd/{reader}", os.O_RDWR)
    scene.close(reader, writer)

    # An O_PATH descriptor is no end: this pipe has a reader only.
    reader, writer = scene.pipe("path_only_writer")
    path_only = os.open(f"/proc/self/fd/{writer}", os.O_PATH)
    os.close(writer)

    # And this one has no end at all, so that it is not to be listed.
    reader, writer = os.pipe()
    held = os.open(f"/proc/self/fd/{reader}", os.O_PATH)
    scene.close(reader, writer)
    return {"path_only_fd": path_only, "endless": os.fstat(held).st_ino}


scene.run(build)
