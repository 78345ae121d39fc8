"""Write ends that no fd table shows: in flight over a socket, and registered with an io_uring."""

import os
import socket
import struct
import scene
import uring

def build():
    sent_r, sent_w = scene.pipe("sent")
    kept_r, kept_w = scene.pipe("kept")
    ours, theirs = socket.socketpair()

    def receiver():
        # It has a socket, and does not yet know what comes.
        ours.close()
        scene.close(sent_r, sent_w, kept_r, kept_w)

    pid = scene.child(receiver)
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("=i", sent_w))])
    fd = theirs.fileno()
    theirs.close()
    os.close(sent_w)
    scene.keep(ours)
    ring = uring.ring_of(kept_w)
    os.close(kept_w)
    return {"receiver": {"pid": pid, "fd": fd}, "ring": ring}


scene.run(build)
