"""A file system that answers nobody but its own user, who is not root: FUSE without allow_other, as sshfs, AppImage and the document
portals mount it. Two processes of that user have files of it open at low numbers, and pipes and a FIFO above them; one waits for itself.
"""

import os
import fuse_server
import scene

USER = 65534
MANY = 30


def build():
    _, mnt = fuse_server.mounted("mnt", f"user_id={USER},group_id={USER}")
    os.mkfifo("here")
    os.chmod(".", 0o755)
    where = os.path.realpath("here")

    def holder(count):
        low = [os.open("/dev/null", os.O_RDONLY) for _ in range(count)]
        scene.pipe(f"pipe{count}")
        os.close(scene.pipe(f"half{count}")[0])
        scene.label("fifo", os.open("here", os.O_RDWR), where)
        scene.become(USER)
        for number in low:
            file = os.open("mnt/file", os.O_RDONLY)
            os.dup2(file, number, inheritable=False)
            os.close(file)
        # Neither is an end of anything.
        os.open("mnt/file", os.O_PATH)
        os.open("mnt/dir", os.O_PATH | os.O_DIRECTORY)

    def itself():
        low = os.open("/dev/null", os.O_RDONLY)
        itself.reader, _ = scene.pipe("own")
        scene.become(USER)
        file = os.open("mnt/file", os.O_RDWR)
        os.dup2(file, low, inheritable=False)
        os.close(file)

    pids = {"one": scene.child(holder, 1), "many": scene.child(holder, MANY)}
    pids["itself"] = scene.child(itself, then=lambda: os.read(itself.reader, 1))
    return {**pids, "mnt": mnt}


scene.run(build, fuse_server.clean)
