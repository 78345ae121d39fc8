"""Processes whose main thread has exited while another thread, and with it the fd table, lives on."""

import os
import platform
import threading
import scene

SYS_EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine())


def leave_a_thread(work):
    """A child whose leader exits once another thread did `work`; the parent learns the child's pid and its ends."""
    ours, theirs = scene.socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        scene._processes.clear()
        scene._ends.clear()
        scene.call("prctl", scene.PR_SET_PDEATHSIG, scene.signal.SIGKILL)

        def body():
            tid = threading.get_native_id()
            work()
            theirs.sendall(scene.json.dumps(scene.report(scene.table(tid))).encode())
            theirs.shutdown(scene.socket.SHUT_RDWR)
            threading.Event().wait()

        threading.Thread(target=body).start()
        # ctypes lets go of the interpreter lock for the call, so that the other thread runs on.
        scene.libc.syscall(SYS_EXIT, 0)
    theirs.close()
    said = ours.makefile("rb").read()
    scene.adopt(scene.json.loads(said), pid)
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
