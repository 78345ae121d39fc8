"""Write ends that move without pause, and are in an fd table at every time: one from descriptor to descriptor, and one from process to process and
back, where the receiver has it before the sender closes it."""

import array
import os
import socket
import scene


def build():
    reader, writer = scene.pipe("moved")

    def hold(*fds):
        # What it holds is not for the truth: the ends on the other side move.
        return []

    def move():
        held = writer
        while True:
            for fd in range(40, 80):
                os.dup2(held, fd)
                os.close(held)
                held = fd

    scene.child(lambda: hold(reader), then=move)
    os.close(reader)
    os.close(writer)

    reader, writer = scene.pipe("handed")
    ours, theirs = socket.socketpair()

    def hand(peer, held):
        def live():
            fd = held
            while True:
                if fd is not None:
                    peer.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
                    # The other has it.
                    peer.recv(1)
                    os.close(fd)
                _, ancillary, _, _ = peer.recvmsg(1, socket.CMSG_SPACE(4))
                fd = array.array("i", ancillary[0][2])[0]
                peer.send(b"y")

        return live

    scene.child(lambda: hold(reader))
    os.close(reader)
    scene.child(lambda: hold(writer), then=hand(ours, writer))
    os.close(writer)
    scene.child(hold, then=hand(theirs, None))
    ours.close()
    theirs.close()


scene.run(build)
