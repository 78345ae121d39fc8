"""FIFOs that are opened by names which lead elsewhere for us: from another root directory, in other mounts, from a folder that something
was mounted over, and from one that is gone. Where there can be a FIFO at that name for us, there is one."""

import os
import scene
import blocking


def build():
    for folder in ("jail/data", "jail/other", "over", "own", "gone", "held"):
        os.makedirs(folder)
    for fifo in ("jail/data/relative", "jail/data/absolute", "jail/data/above", "jail/data/linked", "over/fifo", "own/fifo",
                 "gone/fifo", "held/fifo"):
        os.mkfifo(fifo)
    os.symlink("/data/linked", "jail/other/link")
    over, own = map(os.path.realpath, ("over", "own"))
    scene.private_mounts()
    told = {}

    def opens(name, path, begin):
        """`begin` goes where the path is meant, and may answer with the descriptor that it is relative to."""
        at = []

        def work():
            at.append(begin())
            fifo = os.open(path, os.O_PATH, dir_fd=at[0])
            scene.label(name, fifo, path)
            os.close(fifo)

        told[name] = blocking.part(lambda: os.open(path, os.O_RDONLY, dir_fd=at[0]), work=work)
        blocking.settle(told[name], "wait_for_partner")

    def jailed(folder):
        os.chroot("jail")
        os.chdir(folder)

    def mounted():
        scene.private_mounts()
        scene.mount("tmpfs", own, b"tmpfs", scene.MS_NOSUID_NODEV)
        os.mkfifo(own + "/fifo")

    opens("relative", "relative", lambda: jailed("/data"))
    opens("absolute", "/data/absolute", lambda: jailed("/"))
    # As far up as to the root, and no further.
    opens("above", "../../../data/above", lambda: jailed("/other"))
    opens("linked", "link", lambda: jailed("/other"))
    opens("held", "fifo", lambda: os.open("held", os.O_PATH))
    opens("own", own + "/fifo", mounted)
    opens("over", "fifo", lambda: os.chdir("over"))
    opens("gone", "fifo", lambda: os.chdir("gone"))
    scene.mount("tmpfs", over, b"tmpfs", scene.MS_NOSUID_NODEV)
    os.mkfifo(over + "/fifo")
    os.unlink("gone/fifo")
    os.rmdir("gone")
    return told


scene.run(build)
