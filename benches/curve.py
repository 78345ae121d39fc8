"""Makes a load of real processes of one shape, prints `ready`, and holds it until its standard input ends."""

import array
import ctypes
import mmap
import os
import resource
import signal
import socket
import sys
import threading

PR_SET_PDEATHSIG = 1
FUTEX_WAIT = 0
SYS_FUTEX = {"x86_64": 202, "aarch64": 98}.get(os.uname().machine, 202)
libc = ctypes.CDLL(None)


def child(work):
    """A process that does this, and ends with this one."""
    if os.fork() == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        work()
        signal.pause()
        os._exit(0)


def keep(*fds):
    """Closes all others."""
    for fd in sorted(map(int, os.listdir("/proc/self/fd"))):
        if fd > 2 and fd not in fds:
            try:
                os.close(fd)
            except OSError:
                pass


def pipelines(count):
    for _ in range(count // 2):
        reader, writer = os.pipe()
        child(lambda: (keep(reader), os.read(reader, 1)))
        child(lambda: keep(writer))
        os.close(reader), os.close(writer)


def one_pipe(count):
    reader, writer = os.pipe()
    for _ in range(count):
        child(lambda: (keep(reader, writer), os.read(reader, 1)))
    # What is awake must hold none: it could write.
    keep()


def line(count, first_reads):
    pipes = [os.pipe() for _ in range(count)]
    for number in range(count):
        reader, writer = pipes[number][0], pipes[(number + 1) % count][1]
        reads = number > 0 or first_reads
        child(lambda: (keep(reader, writer), os.read(reader, 1) if reads else None))
    keep()


def ring(count):
    line(count, True)


def chain(count):
    line(count, False)


def in_flight(count):
    sockets = []
    for _ in range(count):
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))])
        os.close(writer)
        child(lambda: (keep(reader), os.read(reader, 1)))
        os.close(reader)
        sockets += [ours, theirs]
    return sockets


def threads(count):
    reader, writer = os.pipe()
    threading.stack_size(64 * 1024)
    for _ in range(count):
        threading.Thread(target=os.read, args=(reader, 1), daemon=True).start()
    return reader, writer


def futex(count):
    word = mmap.mmap(-1, mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_int.from_buffer(word))
    wait = lambda: libc.syscall(SYS_FUTEX, ctypes.c_void_p(address), FUTEX_WAIT, 0, None, None, 0)
    threading.stack_size(64 * 1024)
    for _ in range(count):
        threading.Thread(target=wait, daemon=True).start()
    return word


def ends(count):
    for _ in range(0, count, 2000):
        child(lambda: [os.pipe() for _ in range(min(count, 2000) // 2)])


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = globals()[sys.argv[1]](int(sys.argv[2]))
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
