"""A reader of a pipe whose only write end is on its way to a process that has not yet received it."""

import array
import socket
import scene
import blocking


def build():
    reader, writer = blocking.pipe("pipe")
    ours, theirs = socket.socketpair()
    number = theirs.fileno()
    receiver = blocking.part(scene.hold, work=ours.close)
    theirs.close()
    reading = blocking.part(blocking.read(reader), reader, work=ours.close)
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))])
    ours.close()
    blocking.let_go()
    blocking.settle(reading, "pipe_read")
    return {"reader": reading, "receiver": receiver, "socket": number}


scene.run(build)
