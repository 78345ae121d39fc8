"""A process with files of every kind that has no path, and others that wait for some of their descriptors. Tells of each descriptor what it
made: `details` as in JSON, or null."""

import ctypes
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import threading
import time
import blocking
import scene

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
STREAM, DATAGRAM, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
# No other file gets this number.
NEVER_AGAIN = scene.TABLE - 1
# In processes that wait.
EPOLL, REUSED, MOVED, PIDFD = range(scene.TABLE - 5, scene.TABLE - 1)

_files = {}


def add(fd, **details):
    _files[fd] = details or None
    return fd


def address(pair):
    host, port = pair[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def inet(one, family, state, has_peer=True):
    peer = address(one.getpeername()) if has_peer else None
    add(one.fileno(), kind="socket", family=family, state=state, local=address(one.getsockname()), peer=peer, path=None)
    scene.keep(one)


def internet():
    for family, host in ((INET, "127.0.0.1"), (INET6, "::1")):
        listener, client, closing = (socket.socket(family, STREAM) for _ in range(3))
        listener.bind((host, 0))
        listener.listen()
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        closing.connect(listener.getsockname())
        half, _ = listener.accept()
        closing.shutdown(socket.SHUT_WR)
        # It has seen the end.
        assert half.recv(1) == b""
        bound, connected = socket.socket(family, DATAGRAM), socket.socket(family, DATAGRAM)
        bound.bind((host, 0))
        connected.connect(bound.getsockname())
        if family == INET:
            netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            netlink.bind((0, 0))
            add(netlink.fileno(), kind="socket", family="netlink", state=None, local=None, peer=None, path=None)
            scene.keep(netlink)
        inet(listener, "TCP", "listen", has_peer=False)
        inet(client, "TCP", "established")
        inet(accepted, "TCP", "established")
        inet(closing, "TCP", "fin-wait-2")
        inet(half, "TCP", "close-wait")
        inet(bound, "UDP", None, has_peer=False)
        inet(connected, "UDP", "established")


def local(one, kind, state, path=None, peer=None, peer_path=None):
    of_peer = {"unix_peer": {"inode": os.fstat(peer.fileno()).st_ino, "path": peer_path}} if peer else {}
    add(one.fileno(), kind="socket", family="UNIX", type=kind, state=state, local=None, peer=None, path=path, **of_peer)
    scene.keep(one)


def unix():
    for kind, word in ((STREAM, "stream"), (SEQPACKET, "seqpacket")):
        path = os.path.abspath(word)
        listener, client = socket.socket(UNIX, kind), socket.socket(UNIX, kind)
        listener.bind(path)
        listener.listen()
        client.connect(path)
        accepted, _ = listener.accept()
        local(listener, word, "listen", path)
        local(client, word, "established", None, accepted, path)
        local(accepted, word, "established", path, client)
        one, other = socket.socketpair(UNIX, kind)
        local(one, word, "established", None, other)
        local(other, word, "established", None, one)
    abstract = f"lspipe-fds-{os.getpid()}"
    bound, sender, alone = (socket.socket(UNIX, DATAGRAM) for _ in range(3))
    bound.bind("\0" + abstract)
    sender.connect("\0" + abstract)
    alone.bind(os.path.abspath("datagram"))
    # Both ends of a connection by one of them count as connected (`SS_CONNECTED`).
    local(bound, "datagram", "established", "@" + abstract)
    local(sender, "datagram", "established", None, bound, "@" + abstract)
    local(alone, "datagram", None, os.path.abspath("datagram"))


def processes():
    child = scene.child(lambda: scene.set_name("fds target"))
    add(os.pidfd_open(child), kind="pidfd", pid=child, command="fds target")
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    ended = os.pidfd_open(gone)
    os.waitpid(gone, 0)
    add(ended, kind="pidfd", pid=None, command=None)


def fdinfo(fd, key):
    with open(f"/proc/self/fdinfo/{fd}") as file:
        return next(line.split()[1] for line in file if line.startswith(key))


def anonymous():
    event = scene.call("eventfd", 5, 0)
    add(event, kind="eventfd", id=int(fdinfo(event, "eventfd-id:")), count=5)
    for armed in (False, True):
        timer = scene.call("timerfd_create", time.CLOCK_MONOTONIC, 0)
        if armed:
            scene.call("timerfd_settime", timer, 0, struct.pack("qqqq", 0, 0, 100_000, 0), None)
        add(timer, kind="timerfd", armed=armed)
    mask = ctypes.create_string_buffer(128)
    for number in (signal.SIGUSR2, signal.SIGUSR1):
        scene.call("sigaddset", mask, int(number))
    add(scene.call("signalfd", -1, mask, 0), kind="signalfd", signals=[int(signal.SIGUSR1), int(signal.SIGUSR2)])
    inotify = scene.call("inotify_init1", 0)
    scene.call("inotify_add_watch", inotify, b".", 0x100)
    add(inotify, kind="inotify", watches=1)
    add(os.open("/dev/null", os.O_RDWR))
    master, slave = pty.openpty()
    add(master)
    add(slave)
    return event, master, slave


def watchers(event):
    reader, writer = scene.pipe("watched")
    add(reader)
    add(writer)
    # Its number is closed, and the file is not: the epoll goes on watching it.
    gone = os.dup2(event, NEVER_AGAIN)
    epoll = select.epoll()
    for fd in (event, reader, gone):
        epoll.register(fd, select.EPOLLIN)
    other = os.dup(gone)
    os.close(gone)
    add(other, kind="eventfd", id=_files[event]["id"], count=5)
    add(epoll.fileno(), kind="epoll", watches=sorted([event, reader]), others=1)
    empty = select.epoll()
    add(empty.fileno(), kind="epoll", watches=[])
    scene.keep(epoll, empty)
    return {event, reader}


def waiting():
    """Processes that wait in each way, with what they wait for, and what they do not wait for."""
    cases = []

    def case(name, place, then, waited, others, perhaps=(), epolls=()):
        pid = blocking.part(then, *waited, *others, *perhaps)
        blocking.settle(pid, place)
        cases.append({"name": name, "pid": pid, "waited": sorted(waited), "others": sorted(others), "perhaps": sorted(perhaps),
                      "epolls": list(epolls)})

    def polls(fds):
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        return lambda: poll.poll()

    # What is written to `full` must not wake the others.
    (a, b), (c, d), (rest, full) = blocking.pipe("a"), blocking.pipe("c"), blocking.pipe("full")
    case("poll", "poll", polls([a, c]), [a, c], [b, d])
    case("select", "poll", lambda: select.select([a], [], [c]), [a, c], [b])
    case("read", "pipe", lambda: os.read(a, 1), [a], [c, b])
    case("write", "pipe", lambda: os.write(full, bytes(1 << 20)), [full], [a, rest])

    def epoll(waits):
        watched = select.epoll()
        watched.register(a, select.EPOLLIN)
        # What came once is not reported again.
        spent, filled = os.pipe()
        os.write(filled, b"x")
        watched.register(spent, select.EPOLLIN | select.EPOLLONESHOT)
        watched.poll()
        watched.poll() if waits else blocking.sleep()

    case("epoll", "ep", lambda: epoll(True), [a], [b])
    case("watched", "nanosleep", lambda: epoll(False), [a], [b])

    def moved():
        # The epoll goes on watching the eventfd, whose number is now that of a file that cannot be watched.
        event = scene.call("eventfd", 0, 0)
        os.dup2(event, REUSED)
        watched = select.epoll()
        os.dup2(watched.fileno(), EPOLL)
        for fd in (a, REUSED):
            watched.register(fd, select.EPOLLIN)
        os.dup2(event, MOVED)
        os.close(event)
        passwd = os.open("/etc/passwd", os.O_RDONLY)
        os.dup2(passwd, REUSED)
        blocking.sleep()

    case("moved", "nanosleep", moved, [a], [b, REUSED], [MOVED], [[EPOLL, {"kind": "epoll", "watches": [a], "others": 1}]])

    def pidfd():
        child = os.fork()
        if child == 0:
            scene.call("prctl", scene.PR_SET_PDEATHSIG, signal.SIGKILL)
            blocking.sleep()
        os.dup2(os.pidfd_open(child), PIDFD)
        os.waitid(os.P_PIDFD, PIDFD, os.WEXITED)

    case("pidfd", "wait", pidfd, [PIDFD], [b])

    # Two open files of one name, so that the lock of one keeps the other waiting.
    holder, wanted = (os.open("lock", os.O_RDWR | os.O_CREAT, 0o600) for _ in range(2))
    fcntl.flock(holder, fcntl.LOCK_EX)
    scene.keep(holder, wanted)
    case("flock", "lock", lambda: fcntl.flock(wanted, fcntl.LOCK_EX), [], [b, holder], [wanted])
    blocking.let_go()
    return cases


def build():
    internet()
    unix()
    processes()
    event, master, slave = anonymous()
    watched = watchers(event)
    cases = waiting()
    threading.Thread(target=lambda: os.read(slave, 1), daemon=True).start()
    scene.wait_for(lambda: any(place and "futex" not in place for tid, place in blocking.places(os.getpid()).items() if tid != os.getpid()), "a reader")
    return {"files": [[fd, details] for fd, details in sorted(_files.items())], "master": master, "slave": slave,
            "name": os.ttyname(slave), "watched": sorted(watched), "cases": cases}


scene.run(build)
