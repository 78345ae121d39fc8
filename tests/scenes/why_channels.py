"""Processes that wait for UNIX sockets and pseudoterminals: for each kind, one that waits and one that holds the other side."""

import fcntl
import os
import pty
import socket
import termios
import tty

import blocking
import scene

CLONE_NEWNET = 0x40000000
STREAM, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_SEQPACKET

_cases = []


def to(receiver):
    """What is sent to a socket."""
    return f"unix:[{os.fstat(receiver).st_ino}]"


def flow(slave, direction):
    status = os.fstat(slave)
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    return f"pty:[{device}:{os.minor(status.st_rdev)}:{direction}]"


def case(name, operation, own, other, pipe, back, then, path=None):
    """One process that has `own` alone and does `then`, for ever, and one that has `other`. `pipe` is what it waits for."""
    waiter = blocking.part(then, own)
    peer = blocking.part(scene.hold, other)
    blocking.rest(waiter, name)
    _cases.append({"name": name, "operation": operation, "waiter": waiter, "fd": own, "peer": peer, "peer_fd": other,
                   "pipe": pipe, "back": back, "path": path})


def pair(kind=STREAM):
    return blocking.made(*(one.detach() for one in socket.socketpair(socket.AF_UNIX, kind)))


def reads(name, pair, then, path=None):
    own, other = pair
    case(name, "read", own, other, to(own), to(other), lambda: then(own), path)


def writes(name, pair, then):
    own, other = pair
    case(name, "write", own, other, to(other), to(own), lambda: then(own))


def receive(fd):
    socket.socket(fileno=fd).recv(1)


def receive_message(fd):
    socket.socket(fileno=fd).recvmsg(1)


def fill(fd):
    while True:
        os.write(fd, bytes(4096))


def fill_by_messages(fd):
    own = socket.socket(fileno=fd)
    while True:
        own.sendmsg([bytes(4096)])


def terminal():
    master, slave = blocking.made(*pty.openpty())
    tty.setraw(slave)
    return master, slave


def terminals():
    def of(name, operation, is_master, then):
        master, slave = terminal()
        own, other = (master, slave) if is_master else (slave, master)
        flows = [flow(slave, "input"), flow(slave, "output")]
        is_input = is_master == (operation == "write")
        pipe, back = flows if is_input else flows[::-1]
        case(name, operation, own, other, pipe, back, lambda: then(own), os.ttyname(slave))

    of("slave-read", "read", False, lambda fd: os.read(fd, 1))
    of("slave-write", "write", False, fill)
    of("master-read", "read", True, lambda fd: os.read(fd, 1))
    of("master-write", "write", True, fill)

    master, slave = terminal()

    def control():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        own = os.open("/dev/tty", os.O_RDWR)
        os.dup2(own, slave)
        os.close(own)

    waiter = blocking.part(lambda: os.read(slave, 1), slave, work=control)
    peer = blocking.part(scene.hold, master)
    blocking.rest(waiter, "controlling")
    _cases.append({"name": "controlling", "operation": "read", "waiter": waiter, "fd": slave, "peer": peer,
                   "peer_fd": master, "pipe": flow(slave, "input"), "back": flow(slave, "output"),
                   "path": os.ttyname(slave)})


def connected(address):
    """A client and the socket that was accepted."""
    listener, client = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    client.connect(address)
    accepted, _ = listener.accept()
    listener.close()
    return blocking.made(client.detach(), accepted.detach())


def build():
    path = os.path.abspath("bound")
    reads("stream-read", pair(), lambda fd: os.read(fd, 1))
    reads("stream-recv", pair(), receive)
    reads("stream-recvmsg", pair(), receive_message)
    writes("stream-write", pair(), fill)
    writes("stream-sendmsg", pair(), fill_by_messages)
    reads("seqpacket-recv", pair(SEQPACKET), receive)
    reads("seqpacket-recvmsg", pair(SEQPACKET), receive_message)
    writes("seqpacket-sendmsg", pair(SEQPACKET), fill_by_messages)
    reads("path", connected(path), receive, path)
    abstract = f"lspipe-test-{os.getpid()}"
    reads("abstract", connected("\0" + abstract), receive, "@" + abstract)
    terminals()
    # No channels: nothing was accepted, the peer is gone, or a socket is of another kind.
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0{abstract}-listener")
    listener.listen()
    alone, gone = (one.detach() for one in socket.socketpair())
    os.close(gone)
    datagram, other = (one.detach() for one in socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
    blocking.made(listener.fileno(), alone, datagram, other)
    none = [blocking.part(lambda: listener.accept(), listener.fileno(), alone),
            blocking.part(lambda: os.read(datagram, 1), datagram)]
    for pid in none:
        blocking.rest(pid, "accept and datagram")
    if os.geteuid() == 0:
        scene.call("unshare", CLONE_NEWNET)
        reads("namespace", pair(), receive)
    blocking.let_go()
    listener.detach()
    return {"cases": _cases, "none": none}


scene.run(build)
