"""Processes whose main thread has exited while another thread, and with it the fd table, lives on."""

import json
import os
import platform
import signal
import socket
import threading
import scene

# 93 is what all architectures since aarch64 have.
SYS_EXIT = {"x86_64": 60}.get(platform.machine(), 93)


def leave_a_thread(work):
    """A child whose leader exits once another thread did `work`; the parent learns the child's pid and its ends."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        scene.forget()
        scene.call("prctl", scene.PR_SET_PDEATHSIG, signal.SIGKILL)

        def body():
            tid = threading.get_native_id()
            work()
            theirs.sendall(json.dumps(scene.report(scene.table(tid))).encode())
            theirs.shutdown(socket.SHUT_RDWR)
            threading.Event().wait()

        threading.Thread(target=body).start()
        # ctypes lets go of the interpreter lock for the call, so that the other thread runs on.
        scene.libc.syscall(SYS_EXIT, 0)
    theirs.close()
    said = ours.makefile("rb").read()
    scene.adopt(json.loads(said), pid)
    scene.wait_for(lambda: scene.state_of(pid) == "Z", "the leader to exit")
    return pid


def build():
    reader, writer = scene.pipe("from_leaderless")
    back_r, back_w = scene.pipe("to_leaderless")

    def work():
        scene.close(reader, back_w)

    pid = leave_a_thread(work)
    scene.close(writer, back_r)
    return {"leaderless": pid}


scene.run(build)
