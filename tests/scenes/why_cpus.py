"""Threads that are blocked, each on a CPU of its own: of two processes, and of one with two threads. With the time at which each blocked, in ms.
"""

import mmap
import os
import struct
import threading
import time
import scene
import blocking

CPUS = sorted(os.sched_getaffinity(0))[:2]
times = mmap.mmap(-1, 4096)
began = time.monotonic()


def block(place, cpu, fd):
    def then():
        # Of the calling thread alone.
        os.sched_setaffinity(0, {cpu})
        struct.pack_into("d", times, 8 * place, time.monotonic() - began)
        os.read(fd, 1)

    return then


def build():
    fds = [blocking.pipe(name) for name in ("one", "two", "three", "four")]
    apart = [blocking.part(block(place, CPUS[place], fds[place][0]), *fds[place]) for place in (0, 1)]

    def both():
        threading.Thread(target=block(3, CPUS[1], fds[3][0]), daemon=True).start()
        block(2, CPUS[0], fds[2][0])()

    threads = blocking.part(both, *fds[2], *fds[3])
    blocking.let_go()
    blocking.settle(apart[0], "pipe_read")
    blocking.settle(apart[1], "pipe_read")
    blocking.settle(threads, "pipe_read", "pipe_read")
    other = next(int(tid) for tid in os.listdir(f"/proc/{threads}/task") if int(tid) != threads)
    tids = [*apart, threads, other]
    return {"tids": tids, "blocked_at": [round(1000 * it) for it in struct.unpack_from("4d", times)]}


scene.run(build)
