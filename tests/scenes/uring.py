"""An io_uring, by its system calls."""

import ctypes
import scene

SETUP, REGISTER = 425, 427
IORING_REGISTER_FILES = 2


def ring_of(fd):
    """An io_uring with which this descriptor is registered; None where the kernel has none, or it is switched off."""
    parameters = ctypes.create_string_buffer(120)
    ring = scene.libc.syscall(SETUP, 1, parameters)
    if ring < 0:
        return None
    files = (ctypes.c_int * 1)(fd)
    scene.call("syscall", REGISTER, ring, IORING_REGISTER_FILES, files, 1)
    return ring
