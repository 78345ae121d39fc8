"""The machine of the picture: a pipeline at work, a FIFO, a daemon that keeps a pipe open, and a deadlock.

It has a PID namespace of its own, so that lspipe sees nothing else, and its PIDs are the same each time. It prints `ready` once each
process rests.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

FOLDER = sys.argv[1]
PR_SET_NAME = 15
os.chdir(FOLDER)


def part(name, work, *ends):
    """A child that goes by this name, has these descriptors as stdin and stdout, and does `work`."""
    pid = os.fork()
    if pid:
        return pid
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())
    stdin, stdout = ends
    os.dup2(os.open("/dev/null", os.O_RDWR) if stdin is None else stdin, 0)
    os.dup2(os.open("/dev/null", os.O_RDWR) if stdout is None else stdout, 1)
    os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
    os.closerange(3, 256)
    work()
    os._exit(0)


def program(*argv):
    return lambda: os.execvp(argv[0], argv)


def rest():
    while True:
        signal.pause()


def build():
    """Starts a daemon, which inherits the output, and ends."""
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(PR_SET_NAME, b"cache-daemon")
        os.setsid()
        os.dup2(os.open("/dev/null", os.O_RDWR), 0)
        time.sleep(100000)


def convert():
    """Writes a megabyte to cat, and never reads what comes back."""
    cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    cat.stdin.write(b"x" * 1000000)


def function_of(pid):
    """The place in the kernel where a process sleeps."""
    with open(f"/proc/{pid}/wchan") as file:
        return file.read()


def wait_for(condition, what):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"not seen: {what}")
        time.sleep(0.02)


def settled(pid, function):
    wait_for(lambda: function in function_of(pid), f"PID {pid} in {function}")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


def main():
    # The PIDs that the picture shows, and inode numbers in ascending order, which each CPU has of its own.
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write("250")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    open("log", "w").close()
    os.mkfifo("jobs.fifo")

    # tail -f log | grep error | sort
    (first, tail), (second, grep) = os.pipe(), os.pipe()
    part("tail", program("tail", "-f", "log"), None, tail)
    grepping = part("grep", program("grep", "error"), first, grep)
    sorting = part("sort", program("sort"), second, None)
    for fd in (first, tail, second, grep):
        os.close(fd)
    settled(grepping, "pipe_read")
    settled(sorting, "pipe_read")

    # A server that keeps its FIFO open for both, and a client.
    fifo = os.open("jobs.fifo", os.O_RDWR)
    server = part("jobs", lambda: os.read(0, 1), fifo, None)
    client = os.open("jobs.fifo", os.O_WRONLY)
    part("submit", rest, None, client)
    os.close(fifo)
    os.close(client)
    settled(server, "pipe_read")

    # build | tee build.log
    reader, writer = os.pipe()
    building = part("build", build, None, writer)
    tee = part("tee", program("tee", "build.log"), reader, None)
    os.close(reader)
    os.close(writer)
    os.waitpid(building, 0)
    settled(tee, "pipe_read")

    converting = part("convert", convert, None, None)
    wait_for(lambda: len(children_of(converting)) == 1, "cat to start")
    settled(converting, "pipe_write")
    settled(children_of(converting)[0], "pipe_write")

    # Reaps by itself from here on.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    os.dup2(os.open("/dev/null", os.O_RDWR), 1)
    rest()


def init():
    """PID 1: adopts orphans, and starts nothing but the scene."""
    # What the caller left open is no part of the picture.
    os.closerange(3, 4096)
    os.dup2(os.open("/dev/null", os.O_RDWR), 0)
    if os.fork() == 0:
        os.setsid()
        main()
    os.dup2(0, 1)
    while True:
        os.wait()


init()
