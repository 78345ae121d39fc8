"""Scenes of pipes, and what is true of them: the first argument names one.

A scene prints one line of JSON, then stays as it is until its stdin ends. Rows are the descriptors of a pipe: process, thread, number,
access mode, close-on-exec flag, and names that stand for the open file and the fd table.
"""

import ctypes
import fcntl
import json
import os
import platform
import pty
import select
import signal
import socket
import struct
import sys
import tempfile
import termios
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
PATH = getattr(os, "O_PATH", 0o10000000)
CLONE_FILES = 0x400
SYS_CLONE, SYS_EXIT = {"x86_64": (56, 60), "aarch64": (220, 93)}[platform.machine()]
SYS_IO_URING_SETUP, SYS_IO_URING_REGISTER = 425, 427
DIRECT = 0o200000 if platform.machine() == "aarch64" else 0o40000

pipes = []


def pipe(fd, rows, readers, writers, references, status=None, **facts):
    status = status or os.fstat(fd)
    device = [os.major(status.st_dev), os.minor(status.st_dev)]
    keys = ["pid", "tid", "fd", "access", "cloexec", "file", "table"]
    facts = {"slots": 0, "max_slots": 16, "queued": 0, "files": readers + writers, "unlinked": False} | facts
    pipes.append({"inode": status.st_ino, "device": device, "readers": readers, "writers": writers,
                  "rows": [dict(zip(keys, row)) for row in rows], "references": references} | facts)


def ready(path=None, **more):
    print(json.dumps({"pipes": pipes} | more), flush=True)
    sys.stdin.read()
    if path:
        remove(path)
    os._exit(0)


def row(fd, access, file, cloexec=True, pid=None, tid=None, table=None):
    pid = pid or os.getpid()
    return [pid, tid or pid, fd, access, cloexec, file, table or str(tid or pid)]


def die_with_parent(parent):
    libc.prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def child(run=signal.pause):
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with_parent(parent)
        run()
        os._exit(0)
    return pid


def until(is_so):
    for _ in range(3000):
        if is_so():
            return
        time.sleep(0.01)
    sys.exit("the scene did not come about")


def text(path):
    with open(path) as file:
        return file.read()


def sleeps_in(place, task):
    """Whether a task sleeps in a place of the kernel, which some kernels do not name."""
    wchan, state = text(f"{task}/wchan"), text(f"{task}/stat").rpartition(") ")[2][0]
    return place in wchan or (wchan, state) == ("0", "S")


def fifo():
    path = os.path.join(tempfile.mkdtemp(), "fifo")
    os.mkfifo(path)
    return path


def remove(path):
    os.unlink(path)
    os.rmdir(os.path.dirname(path))


def inherited():
    r, w = os.pipe()
    again = os.dup(w)
    os.set_inheritable(again, True)
    rows = []
    for pid in [os.getpid(), child(), child()]:
        rows += [row(r, "r", "r", pid=pid), row(w, "w", "w", pid=pid), row(again, "w", "w", False, pid=pid)]
    pipe(r, rows, 1, 1, {"r": 3, "w": 6})
    ready()


def named():
    path = fifo()
    both = os.open(path, os.O_RDWR | os.O_APPEND)
    one = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    none = os.open(path, PATH)
    os.write(both, bytes(5000))
    rows = [row(both, "rw", "both"), row(one, "r", "one"), row(none, None, "none")]
    remove(path)
    pipe(both, rows, 2, 1, {"both": 1, "one": 1, "none": 1}, files=2, slots=2, queued=5000, unlinked=True)
    # Not a pipe for the kernel while nothing but a reference is open.
    path = fifo()
    none = os.open(path, PATH)
    pipe(none, [row(none, None, "none")], 0, 0, {"none": 1}, none=True)
    ready(path)


def reopened():
    r, w = os.pipe()
    both = os.open(f"/proc/self/fd/{r}", os.O_RDWR)
    one = os.open(f"/proc/self/fd/{r}", os.O_WRONLY)
    rows = [row(r, "r", "r"), row(w, "w", "w"), row(both, "rw", "both"), row(one, "w", "one")]
    pipe(r, rows, 2, 3, {"r": 1, "w": 1, "both": 1, "one": 1}, files=4)
    ready()


def in_flight(keeps):
    r, w = os.pipe()
    to, at = socket.socketpair()
    socket.send_fds(to, [b"."], [w])
    rows, references = [row(r, "r", "r")], {"r": 1}
    if keeps:
        rows.append(row(w, "w", "w"))
        references["w"] = 2
    else:
        os.close(w)
    pipe(r, rows, 1, 1, references)
    ready()


def in_flight_kept():
    in_flight(True)


def in_flight_closed():
    in_flight(False)


def registered():
    r, w = os.pipe()
    ring = libc.syscall(SYS_IO_URING_SETUP, 4, ctypes.create_string_buffer(120))
    if ring < 0:
        print(json.dumps({"pipes": [], "lacks": f"io_uring: {os.strerror(ctypes.get_errno())}"}), flush=True)
        return
    if libc.syscall(SYS_IO_URING_REGISTER, ring, 2, (ctypes.c_int * 1)(w), 1) < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    os.close(w)
    pipe(r, [row(r, "r", "r")], 1, 1, {"r": 1})
    ready()


def opening():
    path = fifo()
    pid = child(lambda: os.open(path, os.O_RDONLY))
    until(lambda: sleeps_in("wait_for_partner", f"/proc/{pid}"))
    ours = os.open(path, PATH)
    remove(path)
    pipe(ours, [row(ours, None, "ours")], 1, 0, {"ours": 1}, unlinked=True)
    ready()


def threads():
    r, w = os.pipe()
    told = []

    def apart():
        libc.unshare(CLONE_FILES)
        other = os.pipe()
        # Has the table of this thread.
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        told.append((threading.get_native_id(), other))
        time.sleep(1000)

    threading.Thread(target=apart, daemon=True).start()
    # Has that of the process.
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    until(lambda: told)
    [(tid, (r2, w2))] = told
    rows = [row(r, "r", "r"), row(w, "w", "w"), row(r, "r", "r", tid=tid), row(w, "w", "w", tid=tid)]
    pipe(r, rows, 1, 1, {"r": 2, "w": 2})
    # Its descriptors are known by the other table only.
    status = os.stat(f"/proc/self/task/{tid}/fd/{r2}")
    pipe(r2, [row(r2, "r", "r2", tid=tid), row(w2, "w", "w2", tid=tid)], 1, 1, {"r2": 1, "w2": 1}, status)
    ready()


def leader_exited():
    r, w = os.pipe()

    def tell():
        leader = f"/proc/self/task/{os.getpid()}/stat"
        until(lambda: ") Z " in text(leader))
        tid = threading.get_native_id()
        pipe(r, [row(r, "r", "r", tid=tid), row(w, "w", "w", tid=tid)], 1, 1, {"r": 1, "w": 1})
        ready()

    threading.Thread(target=tell).start()
    for _ in range(2):
        threading.Thread(target=time.sleep, args=(1000,)).start()
    libc.syscall(SYS_EXIT, 0)


def shared_table():
    r, w = os.pipe()
    parent = os.getpid()
    pid = libc.syscall(SYS_CLONE, CLONE_FILES | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        die_with_parent(parent)
        signal.pause()
        os._exit(0)
    rows = []
    for it in [parent, pid]:
        rows += [row(r, "r", "r", pid=it, table="one"), row(w, "w", "w", pid=it, table="one")]
    pipe(r, rows, 1, 1, {"r": 1, "w": 1})
    ready()


def polled():
    r, w = os.pipe()
    poll = select.poll()
    poll.register(r, select.POLLIN)
    thread = threading.Thread(target=poll.poll, daemon=True)
    thread.start()
    until(lambda: sleeps_in("poll", f"/proc/self/task/{thread.native_id}"))
    pipe(r, [row(r, "r", "r"), row(w, "w", "w")], 1, 1, {"r": 2, "w": 1})
    ready()


def filled():
    def told(count, size=None, packet=1):
        r, w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC | DIRECT)
        if size:
            fcntl.fcntl(w, 1031, size)
        written = 0
        try:
            for _ in range(count):
                written += os.write(w, bytes(packet))
        except BlockingIOError:
            pass
        if packet > 1:
            # A read takes a whole packet, of which it gives a part.
            os.read(r, 100)
            written -= packet
        queued = struct.unpack("i", fcntl.ioctl(r, termios.FIONREAD, bytes(4)))[0]
        assert queued == written, (queued, written)
        rows, slots = [row(r, "r", "r"), row(w, "w", "w")], written // packet
        max_slots = fcntl.fcntl(w, 1032) // os.sysconf("SC_PAGESIZE")
        pipe(r, rows, 1, 1, {"r": 1, "w": 1}, slots=slots, max_slots=max_slots,
             queued=queued if slots <= 16 else None)

    told(0)
    told(3)
    told(100)
    told(17, size=1 << 20)
    told(16, size=1 << 20)
    told(0, size=1 << 20)
    told(9, packet=700)
    # Around the end of the ring.
    r, w = os.pipe()
    for _ in range(13):
        os.write(w, bytes(4096))
        os.read(r, 4096)
    os.write(w, bytes(30000))
    os.read(r, 1000)
    pipe(r, [row(r, "r", "r"), row(w, "w", "w")], 1, 1, {"r": 1, "w": 1}, slots=8, queued=29000)
    ready()


def channels():
    ours, theirs = socket.socketpair()
    master, slave = pty.openpty()
    null = os.open("/dev/null", os.O_RDWR)
    listed = [[fd, kind, os.fstat(fd).st_ino] for fd, kind in
              [(ours.fileno(), "socket"), (theirs.fileno(), "socket"), (master, "device"), (slave, "device")]]
    ready(pid=os.getpid(), listed=listed, left_out=[null])


globals()[sys.argv[1]]()
