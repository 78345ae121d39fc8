"""A FIFO under many names, and what deleting a name does and does not mean."""

import os
import scene


def build():
    def make(name):
        os.mkfifo(name)
        path = os.path.realpath(name)
        return path, os.open(path, os.O_RDWR)

    path, fd = make("hard")
    second = path + "-link"
    os.link(path, second)
    scene.label("hard_link", fd, path, second)
    os.open(second, os.O_RDONLY)

    path, fd = make("gone")
    scene.label("deleted", fd, path, deleted=True)
    os.unlink(path)

    # Its real name looks like what the kernel appends to the name of a deleted file.
    path, fd = make("x (deleted)")
    scene.label("looks_deleted", fd, path)

    path, fd = make("y (deleted)")
    scene.label("deleted_twice", fd, path, deleted=True)
    os.unlink(path)

    # The name it was opened by is gone, another is alive: the FIFO is not deleted. The kernel then gives a name that it
    # would give for a living file of the second name here, too, and only looking the path up could tell which.
    path, fd = make("first")
    os.link(path, path + "-alive")
    scene.label("one_name_left", fd, path, path + " (deleted)")
    os.unlink(path)

    # A file name that is written like an anonymous pipe.
    path, fd = make("pipe:[1]")
    scene.label("like_anonymous", fd, path)

    # Renamed while open: the kernel follows.
    path, fd = make("before")
    os.rename("before", "after")
    scene.label("renamed", fd, os.path.realpath("after"))


scene.run(build)
