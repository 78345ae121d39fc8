"""Pipes with so much in them, of so many bytes, and who has the other end: all as the kernel tells the one who made them."""

import fcntl
import os
import scene

F_SETPIPE_SZ, F_GETPIPE_SZ, FIONREAD = 1031, 1032, 0x541B


def fill(writer):
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)


def facts(fd):
    queued = int.from_bytes(fcntl.ioctl(fd, FIONREAD, b"\0" * 4), "little")
    return {"queued": queued, "capacity": fcntl.fcntl(fd, F_GETPIPE_SZ)}


def build():
    like = {}

    def both(name, flags=os.O_CLOEXEC):
        reader, writer = scene.pipe(name, flags)
        like[name] = reader
        return reader, writer

    both("empty")
    os.write(both("partly")[1], b"x" * 1000)
    fill(both("full")[1])
    _, packets = both("packets", os.O_CLOEXEC | os.O_DIRECT)
    os.set_blocking(packets, False)
    count = 0
    try:
        while True:
            os.write(packets, b"x")
            count += 1
    except BlockingIOError:
        os.set_blocking(packets, True)
    assert facts(packets)["queued"] == count
    _, small = both("small")
    fcntl.fcntl(small, F_SETPIPE_SZ, 4096)
    os.write(small, b"x" * 100)

    # One side is closed for good: nobody has it.
    reader, writer = both("no_reader")
    os.write(writer, b"x" * 5)
    os.close(reader)
    like["no_reader"] = writer
    reader, writer = both("no_writer")
    os.write(writer, b"x" * 7)
    os.close(writer)

    for name in ("both.fifo", "waiting.fifo", "left.fifo", "deaf.fifo"):
        os.mkfifo(name)
    path = os.path.realpath("both.fifo")
    fifo = os.open(path, os.O_RDWR)
    os.write(fifo, b"x" * 9)
    scene.label("fifo", fifo, path)
    # No writer ever came: the kernel does not tell this reader that there is none.
    path = os.path.realpath("waiting.fifo")
    waiting = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    scene.label("waiting", waiting, path)
    # One came, and went.
    path = os.path.realpath("left.fifo")
    left = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    scene.close(os.open(path, os.O_WRONLY))
    scene.label("left", left, path)
    path = os.path.realpath("deaf.fifo")
    deaf = os.open(path, os.O_RDWR)
    writer = os.open(path, os.O_WRONLY)
    os.close(deaf)
    scene.label("deaf", writer, path)
    like.update(fifo=fifo, waiting=waiting, left=left, deaf=writer)
    return {name: facts(fd) for name, fd in like.items()}


scene.run(build)
