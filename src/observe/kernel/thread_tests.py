"""Children and threads that sleep in and around pipes. Prints the truth of them, and holds them until its standard input ends."""

import ctypes
import fcntl
import json
import mmap
import os
import select
import signal
import struct
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
MACHINE = os.uname().machine
PR_SET_PDEATHSIG = 1
SYS_USERFAULTFD = {"x86_64": 323, "aarch64": 282}[MACHINE]
UFFDIO_API, UFFDIO_REGISTER = 0xC018AA3F, 0xC020AA00
parts = []


def inode(fd):
    return os.fstat(fd).st_ino


def part(role, then, waits):
    """A child that does this. `waits` is where it then is: the pipe, the queue, and how."""
    pid = os.fork()
    if pid == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        try:
            then()
        finally:
            os._exit(1)
    parts.append({"role": role, "pid": pid, "waits": waits})
    return pid


def fill(fd):
    os.set_blocking(fd, False)
    try:
        while True:
            os.write(fd, bytes(4096))
    except BlockingIOError:
        os.set_blocking(fd, True)


def look(pid):
    """Whether it sleeps, and how often it has been switched."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        state = file.read().rpartition(b")")[2].split()[0]
    with open(f"/proc/{pid}/status") as file:
        return state in (b"S", b"D"), [line for line in file if "ctxt" in line]


def asleep():
    """Whether all parts sleep, and stay in that sleep for a moment."""
    before = [look(one["pid"]) for one in parts]
    time.sleep(0.2)
    return all(sleeps for sleeps, _ in before) and before == [look(one["pid"]) for one in parts]


def faulting():
    """The address of a page whose contents no process supplies."""
    fd = libc.syscall(SYS_USERFAULTFD, 0)
    if fd < 0:
        return None
    fcntl.ioctl(fd, UFFDIO_API, bytearray(struct.pack("QQQ", 0xAA, 0, 0)))
    page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    fcntl.ioctl(fd, UFFDIO_REGISTER, bytearray(struct.pack("QQQQ", address, 4096, 1, 0)))
    return fd, page, address


def main():
    r, w = os.pipe()
    part("read", lambda: os.read(r, 1), [[inode(r), "readers", "sleeps"]])
    full_r, full_w = os.pipe()
    fill(full_w)
    part("write", lambda: os.write(full_w, bytes(1 << 16)), [[inode(full_w), "writers", "sleeps"]])
    from_r, from_w = os.pipe()
    to_r, to_w = os.pipe()
    part("splice", lambda: os.splice(from_r, to_w, 1), [[inode(from_r), "readers", "sleeps"]])
    poll_r, poll_w = os.pipe()

    def poll():
        poller = select.poll()
        poller.register(poll_r, select.POLLIN)
        poller.register(full_w, select.POLLOUT)
        poller.poll()

    part("poll", poll, [[inode(poll_r), "readers", "polls 1 of 2"], [inode(full_w), "writers", "polls 4 of 2"]])
    select_r, select_w = os.pipe()
    part("select", lambda: select.select([select_r], [], []), [[inode(select_r), "readers", "polls 1 of 1"]])
    epoll_r, epoll_w = os.pipe()
    epoll = select.epoll()
    epoll.register(epoll_r, select.EPOLLIN)
    part("epoll", epoll.poll, [])
    held_r, held_w = os.pipe()
    os.write(held_w, b"x")
    page = faulting()

    def hold():
        # A child has none of its parent's.
        mine = faulting()
        libc.read(held_r, ctypes.c_void_p(mine[2]), 1)

    if page:
        part("holder", hold, [[inode(held_r), "lock", "holds"]])
    many_r, many_w = os.pipe()
    for number in range(70):
        part(f"many {number}", lambda: os.read(many_r, 1), None)

    def threads():
        for _ in range(2):
            threading.Thread(target=lambda: os.read(r, 1)).start()
        time.sleep(3600)

    part("threads", threads, None)
    while not asleep():
        pass
    truth = {"parts": parts, "epoll": inode(epoll_r), "many": inode(many_r), "read": inode(r), "holds": bool(page)}
    print(json.dumps(truth), flush=True)
    sys.stdin.read()


main()
