"""Threads with an fd table of their own, alone and two to a table, beside threads that share the process's table."""

import os
import threading
import scene

def start(work):
    """Starts a thread that does `work` and lives on; answers with what `work` answered."""
    done, answer = threading.Event(), []

    def body():
        answer.append(work())
        done.set()
        threading.Event().wait()

    threading.Thread(target=body, daemon=True).start()
    assert done.wait(20)
    return answer[0]


def build():
    common_r, common_w = scene.pipe("common")
    split_r, split_w = scene.pipe("split")
    private_r, private_w = scene.pipe("private")
    pair_r, pair_w = scene.pipe("pair")
    threads = {"sharing": [start(threading.get_native_id) for _ in range(2)]}

    def alone():
        scene.call("unshare", scene.CLONE_FILES)
        # A number that in the process's table is another pipe's.
        os.dup2(private_w, common_r)
        scene.close(common_w, split_r, private_r, private_w, pair_r, pair_w)
        tid = threading.get_native_id()
        return tid, scene.table(tid)

    def pair():
        scene.call("unshare", scene.CLONE_FILES)
        scene.close(common_r, common_w, split_r, split_w, private_r, private_w, pair_w)
        tid = threading.get_native_id()
        # A thread shares the table of the thread that made it.
        return tid, start(threading.get_native_id), scene.table(tid)

    threads["alone"], alone_ends = start(alone)
    *threads["pair"], pair_ends = start(pair)
    scene.also(alone_ends + pair_ends)
    # The process's own table keeps half of each, so that the other half is in a thread's table only.
    scene.close(split_w, private_r, private_w, pair_r)
    return {"pid": os.getpid(), "threads": threads}


scene.run(build)
