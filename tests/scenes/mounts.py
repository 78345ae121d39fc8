"""Mount namespaces: one FIFO under two paths is one pipe, and two FIFOs of one inode number are two pipes."""

import os
import scene


def build():
    for name in ("here", "there", "tmp"):
        os.mkdir(name)
    here, there, tmp = map(os.path.realpath, ("here", "there", "tmp"))
    os.mkfifo("here/one")
    scene.label("one", os.open(here + "/one", os.O_RDWR), here + "/one", there + "/one")
    inherited = [end["fd"] for end in scene.table()]

    def bound():
        scene.private_mounts()
        scene.mount(here, there, None, scene.MS_BIND)
        scene.close(*inherited)
        os.open(there + "/one", os.O_RDWR)

    def twin(label):
        scene.private_mounts()
        scene.mount("tmpfs", tmp, b"tmpfs", scene.MS_NOSUID_NODEV)
        scene.close(*inherited)
        os.mkfifo(tmp + "/fifo")
        fd = os.open(tmp + "/fifo", os.O_RDWR)
        scene.label(label, fd, tmp + "/fifo")

    scene.child(bound)
    scene.child(twin, "twin_a")
    scene.child(twin, "twin_b")
    twins = [scene.labelled(name) for name in ("twin_a", "twin_b")]
    assert twins[0]["inode"] == twins[1]["inode"] and twins[0]["device"] != twins[1]["device"], twins


scene.run(build)
