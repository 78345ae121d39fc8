"""A file system that can stop answering: a file, a directory and a FIFO, nothing cached.

The server speaks the kernel's protocol on /dev/fuse by hand. It is mounted in a mount namespace of the scene's own, so that no other
program's walk over the mounts runs into it, and it is gone with the scene.
"""

import errno
import os
import signal
import stat
import struct
import time
import scene

NODES = {1: ("", stat.S_IFDIR | 0o755), 2: ("file", stat.S_IFREG | 0o644), 3: ("dir", stat.S_IFDIR | 0o755),
         4: ("fifo", stat.S_IFIFO | 0o644)}
LOOKUP, FORGET, GETATTR, OPEN, STATFS, RELEASE, FLUSH, INIT, OPENDIR, RELEASEDIR, ACCESS, INTERRUPT, BATCH_FORGET = (
    1, 2, 3, 14, 17, 18, 25, 26, 27, 29, 34, 36, 42)
# Of the file, in bytes.
SIZE = 4096
IN_HEADER, OUT_HEADER = struct.Struct("=IIQQIIII"), struct.Struct("=IiQ")


def attributes(node):
    size = SIZE if stat.S_ISREG(NODES[node][1]) else 0
    times = struct.pack("=QQQQQQIII", node, size, 0, 0, 0, 0, 0, 0, 0)
    return times + struct.pack("=IIIIIII", NODES[node][1], 1, 0, 0, 0, 4096, 0)


def answer(opcode, node, body):
    """The reply's body, an errno, or None where the kernel wants no reply."""
    if opcode == INIT:
        major, minor, readahead, _ = struct.unpack_from("=IIII", body)
        return struct.pack("=IIIIHHII32x", 7, min(minor, 31), readahead, 0, 16, 12, 1 << 16, 1)
    if opcode == LOOKUP:
        name = body.rstrip(b"\0").decode()
        found = next((number for number, known in NODES.items() if known[0] == name and number != 1), None)
        # Node, generation, and how long entry and attributes may be believed: not at all.
        return struct.pack("=QQQQII", found, 0, 0, 0, 0, 0) + attributes(found) if found else errno.ENOENT
    if opcode == GETATTR:
        return struct.pack("=QII", 0, 0, 0) + attributes(node)
    if opcode in (OPEN, OPENDIR):
        return struct.pack("=QII", 0, 0, 0)
    if opcode == STATFS:
        return struct.pack("=QQQQQIIII24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
    if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
        return None
    return b"" if opcode in (RELEASE, RELEASEDIR, FLUSH, ACCESS) else errno.ENOSYS


def serve(device):
    while True:
        try:
            request = os.read(device, 1 << 17)
        except PermissionError:
            # Not mounted yet.
            time.sleep(0.005)
            continue
        _, opcode, unique, node, *_ = IN_HEADER.unpack_from(request)
        reply = answer(opcode, node, request[IN_HEADER.size:])
        if reply is not None:
            body, error = (b"", -reply) if isinstance(reply, int) else (reply, 0)
            os.write(device, OUT_HEADER.pack(OUT_HEADER.size + len(body), error, unique) + body)


cleanup = []


def clean():
    for function, *args in cleanup:
        try:
            function(*args)
        except OSError:
            pass


def mounted(name, user=None):
    """Mounts one, and returns the PID of its server and where it is. It answers everybody, or that user only."""
    os.mkdir(name)
    mnt = os.path.realpath(name)
    scene.private_mounts()
    device = os.open("/dev/fuse", os.O_RDWR)
    server = os.fork()
    if server == 0:
        scene.call("prctl", scene.PR_SET_PDEATHSIG, signal.SIGKILL)
        try:
            serve(device)
        finally:
            os._exit(1)
    owner = "user_id=0,group_id=0,allow_other" if user is None else f"user_id={user},group_id={user}"
    options = f"fd={device},rootmode=40000,{owner}".encode()
    scene.mount("fuse", mnt, b"fuse", scene.MS_NOSUID_NODEV, options)
    # The server alone has it now: when that is killed the mount dies, and whoever waits for an answer is let go.
    os.close(device)
    cleanup.extend([(os.kill, server, signal.SIGKILL),
                    (scene.libc.umount2, os.fsencode(mnt), scene.MNT_DETACH)])
    return server, mnt


def stop(server):
    os.kill(server, signal.SIGSTOP)
    scene.wait_for(lambda: scene.state_of(server) == "T", "the server to stop")
