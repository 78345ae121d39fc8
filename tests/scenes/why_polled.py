"""Processes of which each waits in one way for files of one kind, in a PID namespace of their own, so that no process outside it is unread.

The namespace has a /proc of its own at `proc`. `pids` are the processes by what they do, by their PIDs in it.
"""

import ctypes
import json
import mmap
import multiprocessing
import os
import select
import socket
import time
import scene

TIMERFD_CREATE = {"x86_64": 283, "aarch64": 85}
FUTEX = {"x86_64": 202, "aarch64": 98}
PROC = os.path.realpath("proc")


def syscall(numbers, *args):
    return scene.call("syscall", numbers[os.uname().machine], *args)


def poll(*asked, timeout=None):
    poller = select.poll()
    for fd, events in asked:
        poller.register(fd, events)
    return poller.poll(timeout)


def timer(seconds):
    fd = syscall(TIMERFD_CREATE, 1, 0)
    scene.call("timerfd_settime", fd, 0, (ctypes.c_long * 4)(0, 0, seconds, 0), None)
    return fd


def futex(memory, offset):
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + offset
    syscall(FUTEX, ctypes.c_void_p(address), 0, 0, None, None, 0)


def fork(then):
    pid = os.fork()
    if pid == 0:
        try:
            then()
        finally:
            os._exit(1)
    return pid


def family(*works):
    """A process whose children do these; it waits for them. Its PID and theirs."""
    reader, writer = os.pipe()

    def parent():
        os.write(writer, json.dumps([os.getpid(), *map(fork, works)]).encode())
        os.close(reader)
        os.close(writer)
        while True:
            os.wait()

    fork(parent)
    told = json.loads(os.read(reader, 4096))
    os.close(reader)
    os.close(writer)
    return told


def hold():
    time.sleep(3600)


def all_parts():
    """The processes by what they do, and what else there is to know."""
    empty_r, empty_w = os.pipe()
    full_r, full_w = os.pipe2(os.O_NONBLOCK)
    while True:
        try:
            os.write(full_w, bytes(4096))
        except BlockingIOError:
            break

    def oneshot():
        own_r, own_w = os.pipe()
        epoll = select.epoll()
        epoll.register(own_r, select.EPOLLIN | select.EPOLLONESHOT)
        epoll.register(empty_w, select.EPOLLIN | select.EPOLLET)
        epoll.register(empty_r, select.EPOLLIN)
        os.write(own_w, b"x")
        epoll.poll()
        epoll.poll()

    def awaits_child(*besides):
        return lambda: poll((os.pidfd_open(fork(hold)), select.POLLIN), *((of(), select.POLLIN) for of in besides))

    def spin():
        while True:
            pass

    def read():
        zero = os.open("/dev/zero", os.O_RDONLY)
        while True:
            os.read(zero, 1000)
            time.sleep(0.01)

    def tick():
        while True:
            poll((empty_r, select.POLLIN), timeout=1)

    def alone():
        own_r, own_w = os.pipe()
        os.read(own_r, 1)

    pids = {
        "data": fork(lambda: poll((empty_r, select.POLLIN))),
        "nothing": fork(lambda: poll((empty_r, 0))),
        "no_data": fork(lambda: poll((empty_w, select.POLLIN))),
        "no_data_select": fork(lambda: select.select([empty_w], [], [])),
        "room": fork(lambda: poll((full_w, select.POLLOUT))),
        "room_select": fork(lambda: select.select([], [full_w], [])),
        "oneshot": fork(oneshot),
        "child": fork(awaits_child()),
        "child_and_timer": fork(awaits_child(lambda: timer(3600))),
        "child_and_unarmed": fork(awaits_child(lambda: timer(0))),
        "spin": fork(spin),
        "read": fork(read),
        "tick": fork(tick),
        "alone": fork(alone),
    }

    server = socket.create_server(("127.0.0.1", 0))
    named = socket.socket(socket.AF_UNIX)
    named.bind("\0" + os.getcwd())
    named.listen()
    client = socket.create_connection(server.getsockname())
    peer, _ = server.accept()
    pids["sockets"] = fork(lambda: poll((server.fileno(), select.POLLIN), (named.fileno(), select.POLLIN),
                                        (client.fileno(), select.POLLIN), (empty_r, select.POLLIN)))
    pids["receives"] = fork(lambda: client.recv(1))
    scene.keep(peer)
    sockets = {name: os.fstat(it.fileno()).st_ino
               for name, it in [("server", server), ("named", named), ("client", client)]}
    addresses = ["%s:%d" % it for it in [server.getsockname(), client.getsockname()]]

    event = os.eventfd(0)
    events = family(lambda: poll((event, select.POLLIN)), lambda: os.eventfd_read(event), hold)
    os.close(event)
    shared = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    locks = family(lambda: futex(shared, 8), lambda: futex(shared, mmap.PAGESIZE + 4), hold)
    del shared
    semaphore = multiprocessing.get_context("fork").Semaphore(0)
    semaphores = family(semaphore.acquire, hold)
    del semaphore
    with open("file", "w+b") as file:
        file.truncate(mmap.PAGESIZE)
        mapped = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        pids["named_lock"] = fork(lambda: futex(mapped, 0))
    return {"pids": pids, "sockets": sockets, "addresses": addresses, "events": events, "locks": locks,
            "semaphores": semaphores, "named": "@" + os.getcwd()}


def is_asleep(pid):
    with open(f"{PROC}/{pid}/wchan") as file:
        return file.read() not in ["", "0"]


def build():
    os.mkdir("proc")
    scene.private_mounts()
    scene.call("unshare", scene.CLONE_NEWPID)

    def init():
        scene.mount("proc", PROC, b"proc", scene.MS_NOSUID_NODEV)
        told = all_parts()
        quiet = [pid for name, pid in told["pids"].items() if name not in ["spin", "read", "tick"]]
        for pid in [*quiet, *told["events"], *told["locks"], *told["semaphores"]]:
            scene.wait_for(lambda pid=pid: is_asleep(pid), f"{pid} to sleep")
        with open("told", "w") as file:
            json.dump(told, file)
        return []

    scene.child(init)
    with open("told") as file:
        return {"proc": PROC, **json.load(file)}


scene.run(build)
