"""FIFOs opened in every way there is."""

import os
import scene


def build():
    def make(name):
        os.mkfifo(name)
        return os.path.realpath(name)

    # Reader and writer in two processes, each of which closed what it has no use for.
    path = make("two")
    both = os.open(path, os.O_RDWR)
    scene.label("two", both, path)

    def writer(path=path):
        os.open(path, os.O_WRONLY)
        os.close(both)

    scene.child(writer)
    os.open(path, os.O_RDONLY)
    os.close(both)

    path = make("every_way")
    both = os.open(path, os.O_RDWR)
    scene.label("every_way", both, path)
    os.open(path, os.O_RDONLY)
    os.open(path, os.O_WRONLY)
    os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND)
    os.open(path, os.O_PATH)
    os.set_inheritable(os.open(path, os.O_RDWR | os.O_NONBLOCK), True)

    path = make("reader_only")
    scene.label("reader_only", os.open(path, os.O_RDONLY | os.O_NONBLOCK), path)

    path = make("rw_only")
    scene.label("rw_only", os.open(path, os.O_RDWR), path)

    # Held by an O_PATH descriptor alone: nobody is on either end, so that it is not to be listed.
    path = make("path_only")
    held = os.open(path, os.O_PATH)
    return {"path_only": {"path": path, "inode": os.fstat(held).st_ino}, "pid": os.getpid()}


scene.run(build)
