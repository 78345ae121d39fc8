"""Starts the helper of a probe in a way in which lspipe does not, and tells in a line of JSON whether it served and whether it ended.

helper.py HOW PROGRAM [PID FD MAJOR MINOR INODE]
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

HOW, PROGRAM = sys.argv[1:3]
LIMIT, PR_SET_PDEATHSIG = 60, 1


def request(pid, fd, major, minor, inode):
    return json.dumps({"pid": pid, "tid": None, "fd": fd, "kind": "anonymous", "device": f"{major}:{minor}",
                       "inode": inode, "sizes": True}).encode()


def request_for(pid, fd):
    status = os.stat(f"/proc/{pid}/fd/{fd}")
    return request(pid, fd, os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)


def pair():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def start(theirs):
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    return subprocess.Popen([PROGRAM, "--probe-helper"], stdin=theirs, stdout=proc, stderr=subprocess.DEVNULL, cwd="/proc")


def talk(ours, message):
    """Whether the request was answered, and whether the other side was closed."""
    ours.settimeout(LIMIT)
    served, sent = False, False
    try:
        while True:
            answer = ours.recv(4096)
            if not answer:
                return served, True
            if b"Ready" in answer and not sent:
                sent = True
                ours.send(message)
            elif b"Sizes" in answer or b"Polled" in answer or b"Nothing" in answer:
                served = True
                ours.shutdown(socket.SHUT_WR)
    except socket.timeout:
        return served, False
    except (BrokenPipeError, ConnectionResetError):
        return served, True


def tell(served, ended):
    print(json.dumps({"served": served, "ended": ended}), flush=True)


def started(message):
    ours, theirs = pair()
    start(theirs)
    theirs.close()
    tell(*talk(ours, message))


def foreign(message):
    ours, theirs = pair()
    child = os.fork()
    if child == 0:
        ours.close()
        start(theirs).wait()
        os._exit(0)
    theirs.close()
    tell(*talk(ours, message))
    os.kill(child, signal.SIGKILL)


def became(message, queued=False):
    """A process that made the socket is lspipe itself by the time the helper looks."""
    lspipe = os.fork()
    if lspipe:
        os.waitpid(lspipe, 0)
        return
    ours, theirs = pair()
    parent = os.getpid()
    if queued:
        ours.send(message)
    if os.fork() == 0:
        ours.close()
        while open(f"/proc/{parent}/comm").read() != "lspipe\n":
            time.sleep(0.01)
        proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        os.chdir("/proc")
        os.dup2(theirs.fileno(), 0)
        os.dup2(proc, 1)
        os.execv(PROGRAM, [PROGRAM, "--probe-helper"])
    if os.fork() == 0:
        theirs.close()
        tell(*talk(ours, message))
        os.kill(parent, signal.SIGKILL)
        os._exit(0)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    os.execv(PROGRAM, [PROGRAM, "-q", "-r", "1000"])


def holder():
    """A process that alone holds the write end of a pipe, its read end, and what to ask of it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(read)
        signal.pause()
    os.close(write)
    while os.readlink(f"/proc/{child}/fd/{write}") == "" or os.path.exists(f"/proc/{child}/fd/{read}"):
        time.sleep(0.01)
    return child, read, request_for(child, write)


def end(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def deaf():
    """Never takes an answer."""
    child, read, message = holder()
    ours, theirs = pair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    helper = start(theirs)
    theirs.close()
    ours.recv(4096)
    ours.setblocking(False)
    try:
        while helper.poll() is None:
            ours.send(message)
    except OSError:
        # It has ended, or takes no more, since it waits for us.
        pass
    # It is in the middle of a request, or was.
    time.sleep(0.5)
    end(child)
    os.read(read, 1)
    helper.wait()
    tell(False, True)


def stopped():
    """Is stopped at any time, until it is found to be while it has a duplicate."""
    child, read, message = holder()
    pipe = os.readlink(f"/proc/self/fd/{read}")
    helper = None
    # On a loaded machine its timer may end one before it is found so.
    while helper is None:
        helper = stopped_with_duplicate(pipe, message)
    end(child)
    # Nothing lets it go on.
    os.read(read, 1)
    helper.wait()
    tell(True, True)


def stopped_with_duplicate(pipe, message):
    """A helper that is stopped while it has a duplicate; None if it ended before."""
    ours, theirs = pair()
    helper = start(theirs)
    theirs.close()
    ours.recv(4096)

    def ask():
        try:
            while True:
                ours.send(message)
        except OSError:
            pass

    def take():
        try:
            while ours.recv(4096):
                pass
        except OSError:
            pass

    for work in (ask, take):
        threading.Thread(target=work, daemon=True).start()
    fds = f"/proc/{helper.pid}/fd"
    try:
        while True:
            helper.send_signal(signal.SIGSTOP)
            while open(f"/proc/{helper.pid}/stat").read().rsplit(")", 1)[1].split()[0] not in "TZ":
                pass
            if pipe in [os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds)]:
                return helper
            helper.send_signal(signal.SIGCONT)
            time.sleep(0.0001)
    except (FileNotFoundError, ProcessLookupError):
        helper.wait()
        return None


def orphan():
    """Has a parent that is gone, while its socket is not."""
    ours, theirs = pair()
    gone = os.fork()
    if gone == 0:
        start(theirs)
        os._exit(0)
    theirs.close()
    os.waitpid(gone, 0)
    tell(*talk(ours, b""))


def idle():
    """Is asked nothing."""
    ours, theirs = pair()
    helper = start(theirs)
    theirs.close()
    helper.wait()
    tell(False, True)


if len(sys.argv) > 3:
    target = request(*map(int, sys.argv[3:]))
    ways = {"started": started, "foreign": foreign, "became": became, "queued": lambda message: became(message, True)}
    ways[HOW](target)
else:
    {"deaf": deaf, "stopped": stopped, "orphan": orphan, "idle": idle}[HOW]()
