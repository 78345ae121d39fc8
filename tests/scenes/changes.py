"""Pipes that do not stay as they are: when told to go on, one comes, one goes, ends come and go, and one is no more what it was."""

import fcntl
import os
import signal
import scene
import blocking

_ours, _children = {}, {}


def becomes_sleep():
    signal.sigwait({signal.SIGUSR1})
    os.execvp("sleep", ["sleep", "3600"])


def block_signal():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})


def build():
    _children["goes"] = blocking.part(scene.hold, *blocking.pipe("goes"))
    reader, writer = blocking.pipe("execs")
    os.set_inheritable(writer, True)
    _children["execs"] = blocking.part(becomes_sleep, writer, work=block_signal)
    _children["other"] = blocking.part(scene.hold, reader)
    blocking.let_go()
    for name in ["stays", "gains", "loses", "flag"]:
        _ours[name] = scene.pipe(name)
    os.mkfifo("fifo")
    path = os.path.realpath("fifo")
    _ours["fifo"] = (os.open(path, os.O_RDWR | os.O_CLOEXEC),)
    scene.label("fifo", _ours["fifo"][0], path)
    return {"pids": {"self": os.getpid(), **_children}, "fds": _ours, "path": path}


def keep_one():
    """A child that has nothing but a write end."""
    kept = _ours["gains"][1]
    scene.close(*(fd for fds in _ours.values() for fd in fds if fd != kept))


def change():
    os.kill(_children["goes"], signal.SIGKILL)
    os.waitpid(_children["goes"], 0)
    os.kill(_children["execs"], signal.SIGUSR1)
    scene.wait_for(lambda: scene.comm_of(_children["execs"]) == b"sleep", "the other program")
    gained = scene.child(keep_one)
    scene.close(_ours["loses"][1])
    fcntl.fcntl(_ours["flag"][0], fcntl.F_SETFL, os.O_NONBLOCK)
    os.unlink("fifo")
    comes = os.pipe2(os.O_CLOEXEC)
    return {"gained": gained, "comes": {"inode": os.fstat(comes[0]).st_ino, "fds": comes}}


scene.run(build, then=change)
