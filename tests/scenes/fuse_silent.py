"""A file system whose server takes requests and answers none, and a process that waits where to look asks that server.

It belongs to an ordinary user, and only that user may use it.
"""

import ctypes
import mmap
import os
import select
import struct
import sys
import threading
import blocking
import scene
import fuse_server

NOBODY = 65534
PRIVATE = f"user_id={NOBODY},group_id={NOBODY}"
PROT_READ_WRITE, MAP_PRIVATE, MADV_DONTNEED = 3, 2, 4
POLLED = 100

_later, _go = [], mmap.mmap(-1, 1)


def poll(mnt):
    """A thread polls an array that is in a mapping of a file, and the page of it is dropped."""
    scene.become(NOBODY)
    reader, _ = scene.pipe("pipe")
    os.dup2(reader, POLLED)
    file = os.open(mnt + "/file", os.O_RDONLY)
    libc = scene.libc
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    address = libc.mmap(None, fuse_server.SIZE, PROT_READ_WRITE, MAP_PRIVATE, file, 0)
    threading.Thread(target=libc.poll, args=(ctypes.c_void_p(address), 1, -1), daemon=True).start()

    def polls():
        tasks = [int(name) for name in os.listdir("/proc/self/task") if int(name) != os.getpid()]
        return any(b"poll" in open(f"/proc/self/task/{tid}/wchan", "rb").read() for tid in tasks)

    scene.wait_for(polls, "the thread to poll")
    scene.call("madvise", ctypes.c_void_p(address), fuse_server.SIZE, MADV_DONTNEED)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def epoll(mnt):
    """A process waits for an epoll, whose lock its child holds for as long as the server does not answer."""
    scene.become(NOBODY)
    reader, _ = scene.pipe("pipe")
    file = os.open(mnt + "/file", os.O_RDONLY)
    watching = select.epoll()
    watching.register(reader, select.EPOLLIN)
    scene.keep(watching)
    _later.extend([lambda: watching.register(file, select.EPOLLIN), watching.poll])


def build():
    kind = sys.argv[1]
    if kind == "poll":
        fuse_server.CONTENT[:] = struct.pack("=ihh", POLLED, select.POLLIN, 0)
    server, mnt = fuse_server.mounted("mnt", PRIVATE)
    if kind == "poll":
        pid = scene.child(poll, mnt)
        fuse_server.silence(server)
        return {"holder": pid}

    def both():
        epoll(mnt)
        scene.child(lambda: None, then=locked)

    def locked():
        scene.wait_for(lambda: _go[0], "the server to be silent")
        _later[0]()

    holder = scene.child(both, then=lambda: _later[1]())
    fuse_server.silence(server)
    _go[0] = 1
    child, = scene.children_of(holder)
    blocking.settle(child, "request_wait_answer")
    return {"holder": holder, "locker": child}


scene.run(build, fuse_server.clean)
