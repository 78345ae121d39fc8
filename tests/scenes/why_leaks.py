"""Write ends in hands that have nothing to do with the pipe, while a reader waits for its end of file.

`daemon`: one of another session, which has not run for long; `fresh`: one that has; `flight`: the same, and one more is on its way to a process that has not received it; `rw`: one that has the FIFO open for both; `helper`: a program that was not told of it; `both`: one
that inherited the read end, too."""

import array
import os
import socket
import subprocess
import sys
import scene
import blocking


def daemon(is_sent=False):
    reader, writer = blocking.pipe("pipe")
    ours, theirs = socket.socketpair()

    def launcher():
        os.setsid()
        scene.close(reader)
        scene.child(blocking.stray, then=blocking.once_orphaned(os.getpid(), scene.hold))

    first = scene.child(launcher, then=lambda: os._exit(0))
    reading = blocking.part(blocking.read(reader), reader)
    if is_sent:
        ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))])
        scene.keep(theirs)
    blocking.let_go()
    holder, = scene.gone(first)
    blocking.rest(holder, "the holder to be at its rest")
    return reading, holder


def rw():
    os.mkfifo("fifo")
    path = os.path.realpath("fifo")
    told = []

    def holds():
        scene.label("fifo", os.open(path, os.O_RDWR), path)

    holder = scene.child(holds)
    reading = scene.child(lambda: told.append(os.open(path, os.O_RDONLY)), then=lambda: os.read(told[0], 1))
    return reading, holder


def helper(is_both=False):
    told = []

    def starts():
        reader, writer = scene.pipe("pipe")
        os.set_inheritable(writer, True)
        os.set_inheritable(reader, is_both)
        process = subprocess.Popen(["sleep", "3600"], close_fds=False)
        scene.keep(process)
        more = [(reader, "r", reader)] if is_both else []
        scene.program(process.pid, "sleep", ["sleep", "3600"], (writer, "w", writer), *more)
        os.close(writer)
        told.append(reader)

    reading = scene.child(starts, then=lambda: os.read(told[0], 1))
    holder = scene.pid_of("sleep")
    scene.wait_for(lambda: scene.comm_of(holder) == b"sleep", "sleep to start")
    return reading, holder


def build():
    reading, holder = {"daemon": daemon, "fresh": daemon, "flight": lambda: daemon(True), "rw": rw, "helper": helper, "both": lambda: helper(True)}[sys.argv[1]]()
    blocking.settle(reading, "pipe_read")
    if sys.argv[1] in ("daemon", "flight"):
        blocking.age(reading, holder)
    return {"reader": reading, "holder": holder}


scene.run(build)
