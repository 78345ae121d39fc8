"""Processes that wait for themselves. `ring` has an io_uring of which it has closed the descriptor, as io_uring_close_ring_fd(3) does: it
is registered with itself, and mapped, and a file is registered with it that nobody sees. `plain` has none. `open` has not closed its own."""

import ctypes
import mmap
import os
import struct
import scene
import blocking
import uring

IORING_REGISTER_RING_FDS = 20


def close_descriptor(ring):
    update = ctypes.create_string_buffer(struct.pack("=IIQ", 0xFFFFFFFF, 0, ring), 16)
    if scene.libc.syscall(uring.REGISTER, ring, IORING_REGISTER_RING_FDS, update, 1) < 0:
        raise SystemExit("this kernel registers no rings")
    os.close(ring)


def build():
    own = {name: blocking.pipe(name) for name in ("plain", "ring", "open")}
    probe = uring.ring_of(own["plain"][1])
    if probe is None:
        return {"rings": 0}
    os.close(probe)

    def with_ring(name):
        ring = uring.ring_of(own[name][1])
        # Not with the module mmap, which keeps a descriptor of its own.
        map_file = scene.libc.mmap
        map_file.restype = ctypes.c_void_p
        arguments = ctypes.c_size_t(4096), mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, ring, ctypes.c_long(0)
        if map_file(None, *arguments) == ctypes.c_void_p(-1).value:
            raise SystemExit("the ring cannot be mapped")
        if name == "ring":
            close_descriptor(ring)

    works = {"plain": lambda: None, "ring": lambda: with_ring("ring"), "open": lambda: with_ring("open")}
    pids = {name: blocking.part(blocking.read(own[name][0]), *own[name], work=work) for name, work in works.items()}
    blocking.let_go()
    for pid in pids.values():
        blocking.settle(pid, "pipe_read")
    return {"rings": 1, **pids}


scene.run(build)
