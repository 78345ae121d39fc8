"""Processes with far more of something than usual, which wait for pipes or for their own threads.

The first argument says what: `epoll`: a supervisor with an epoll of very many files; `poll`: threads that poll an array with the same pipe
in all its entries; `futex`: threads that wait for a futex which is not marked as private, in a process of many mappings; `args`: forked
processes of one long command line. The others are its size.
"""

import ctypes
import fcntl
import os
import resource
import select
import sys
import threading
import scene
import blocking

SYS_FUTEX = {"x86_64": 202, "aarch64": 98}
FUTEX_WAIT, MAP_PRIVATE_ANONYMOUS = 0, 0x22
# Above those that the scene looks at.
FIRST_COPY = 1000
PIPES = 40


def raise_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def run_threads(count, work):
    """So many threads that do this, and a first one that waits for one of them."""
    threading.stack_size(64 * 1024)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    threads[0].join()


def epoll(files):
    """The awake worker holds what the supervisor waits for, and nothing but that; the idle one waits for the supervisor."""
    pipes = [blocking.pipe(f"pipe{number}") for number in range(PIPES)]
    requests = blocking.pipe("requests")
    readers = [reader for reader, _ in pipes]
    epolled = min(files, raise_limit() - FIRST_COPY - 10)

    def supervise():
        watch = select.epoll()
        for number in range(epolled):
            copy = fcntl.fcntl(readers[number % PIPES], fcntl.F_DUPFD, FIRST_COPY)
            watch.register(copy, select.EPOLLIN)
        watch.poll()

    idle = blocking.part(blocking.read(requests[0]), requests[0], *(writer for _, writer in pipes[1:]))
    awake = blocking.part(blocking.sleep, pipes[0][1])
    supervisor = blocking.part(supervise, requests[1], *readers)
    blocking.let_go()
    blocking.settle(supervisor, "poll")
    blocking.settle(idle, "pipe_read")
    return {"supervisor": supervisor, "idle": idle, "awake": awake, "files": epolled}


def poll(threads, entries):
    reader, writer = blocking.pipe("pipe")

    class Entry(ctypes.Structure):
        _fields_ = [("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short)]

    def work():
        raise_limit()
        array = (Entry * entries)(*[(reader, select.POLLIN, 0)] * entries)
        run_threads(threads, lambda: scene.libc.poll(array, entries, -1))

    pid = blocking.part(work, reader)
    blocking.part(blocking.sleep, writer)
    blocking.let_go()
    blocking.settle(pid, "futex", *["poll"] * threads)
    return {"pid": pid}


def futex(threads, mappings):
    reader, writer = blocking.pipe("pipe")

    def work():
        scene.libc.mmap.restype = ctypes.c_void_p
        for number in range(mappings):
            # Neighbors of different protection are not merged.
            scene.libc.mmap(None, 4096, 1 if number % 2 else 3, MAP_PRIVATE_ANONYMOUS, -1, 0)
        word = ctypes.c_int(0)
        call = SYS_FUTEX[os.uname().machine]
        run_threads(threads, lambda: scene.libc.syscall(call, ctypes.byref(word), FUTEX_WAIT, 0, None, None, 0))

    pid = blocking.part(work, reader, writer)
    blocking.let_go()
    blocking.settle(pid, *["futex"] * (threads + 1))
    return {"pid": pid}


def args(processes, length):
    """This process has that command line: the scene was started with it."""
    if len(sys.argv[-1]) != length:
        os.execv(sys.executable, [*sys.orig_argv, "x" * length])
    reader, writer = blocking.pipe("pipe")
    pids = [blocking.part(blocking.read(reader), reader) for _ in range(processes)]
    blocking.part(blocking.sleep, writer)
    blocking.let_go()
    for pid in pids:
        blocking.settle(pid, "pipe_read")
    return {"pids": pids}


what, *sizes = sys.argv[1:]
sizes = [int(size) for size in sizes if size.isdecimal()]
scene.run(lambda: {"epoll": epoll, "poll": poll, "futex": futex, "args": args}[what](*sizes))
