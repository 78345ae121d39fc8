"""Write ends that no fd table shows: in flight over a socket, and registered with an io_uring."""

import ctypes
import os
import socket
import struct
import scene

IO_URING_SETUP, IO_URING_REGISTER, IORING_REGISTER_FILES = 425, 427, 2


def ring_of(fd):
    """An io_uring with which this descriptor is registered; None where the kernel has none, or it is switched off."""
    parameters = ctypes.create_string_buffer(120)
    ring = scene.libc.syscall(IO_URING_SETUP, 1, parameters)
    if ring < 0:
        return None
    files = (ctypes.c_int * 1)(fd)
    scene.call("syscall", IO_URING_REGISTER, ring, IORING_REGISTER_FILES, files, 1)
    return ring


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
    ring = ring_of(kept_w)
    os.close(kept_w)
    return {"receiver": {"pid": pid, "fd": fd}, "ring": ring}


scene.run(build)
