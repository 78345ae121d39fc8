"""Two FIFOs, each of which somebody opens from one side, and nobody from the other. One open is relative to a folder."""

import os
import scene
import blocking


def build():
    told = {}
    os.mkdir("folder")
    for name in ("read", "written"):
        os.mkfifo(f"folder/{name}")
        path = os.path.realpath(f"folder/{name}")
        fd = os.open(path, os.O_PATH)
        status = os.fstat(fd)
        os.close(fd)
        told[name] = {"path": path, "id": f"fifo:[{os.major(status.st_dev)}:{os.minor(status.st_dev)}:{status.st_ino}]"}
    reads = blocking.part(lambda: os.open(told["read"]["path"], os.O_RDONLY))
    writes = blocking.part(lambda: os.open("../folder/written", os.O_WRONLY), work=lambda: os.chdir("folder"))
    told["read"]["pid"], told["written"]["pid"] = reads, writes
    for pid in (reads, writes):
        blocking.settle(pid, "wait_for_partner")
    return told


scene.run(build)
