"""A thread waits in open(2) of a FIFO of its own, and another overwrites the path in its memory with that of another FIFO."""

import ctypes
import os
import sys
import threading
import time
import scene
import blocking

PATH = os.fsencode(sys.argv[1])


def claim():
    name = ctypes.create_string_buffer(4096)
    name.value = os.fsencode(os.path.realpath("own"))

    def overwrite():
        while "wait_for_partner" not in open("/proc/self/wchan").read():
            time.sleep(0.01)
        name.value = PATH
        open("overwritten", "w").close()
        while True:
            time.sleep(1000)

    threading.Thread(target=overwrite, daemon=True).start()
    scene.libc.open(name, os.O_RDONLY)


def build():
    os.mkfifo("own")
    pid = blocking.part(claim)
    scene.wait_for(lambda: os.path.exists("overwritten"), "the path to be overwritten")
    blocking.settle(pid, "wait_for_partner", "nanosleep")
    return {"pid": pid}


scene.run(build)
