"""FIFOs that root has open, one of nobody's, and one in a chroot, each in a directory of its own, with modes that let others in or keep them out."""

import os
import scene

NOBODY = 65534

# The mode of the FIFO and of its directory, its owner and group, and what root does with it.
FIFOS = {
    "written": (0o622, 0o755, 0, 0, "r"),
    "read": (0o644, 0o755, 0, 0, "w"),
    "both": (0o666, 0o711, 0, 0, "rw"),
    "closed": (0o666, 0o700, 0, 0, "rw"),
    "replaced": (0o600, 0o777, 0, 0, "r"),
    "sticky": (0o600, 0o1777, 0, 0, "r"),
    "group": (0o620, 0o750, 0, NOBODY, "r"),
    "grouped": (0o620, 0o750, 0, NOBODY, "r"),
    "owner": (0o600, 0o755, NOBODY, 0, "r"),
    "theirs": (0o622, 0o700, 0, 0, "r"),
    "moved": (0o600, 0o700, 0, 0, "r"),
    "members": (0o600, 0o770, 0, 0, "r"),
    "private": (0o600, 0o755, 0, 0, "rw"),
}


def use(path, access):
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if "w" in access:
        os.open(path, os.O_WRONLY)
    if "r" not in access:
        os.close(reader)


def make(name, mode, directory, owner, group):
    os.mkdir(name)
    path = os.path.join(os.path.realpath(name), "fifo")
    os.mkfifo(path)
    os.chown(path, owner, group)
    os.chmod(path, mode)
    os.chmod(name, directory)
    # Whose directory it is in; who may search it may be another group's to say.
    os.chown(name, NOBODY if name in ("theirs", "moved") else 0,
             {"grouped": 0, "members": NOBODY}.get(name, group))
    return path


def build():
    paths = {}
    for name, (mode, directory, owner, group, access) in FIFOS.items():
        paths[name] = path = make(name, mode, directory, owner, group)
        use(path, access)
        scene.label(name, os.open(path, os.O_PATH), path)

    def others():
        """Reads what everybody may write, without being root."""
        scene.become(NOBODY)
        scene.close(*(end["fd"] for end in scene.table()))
        use(paths["nobodys"], "r")
        scene.label("nobodys", os.open(paths["nobodys"], os.O_PATH), paths["nobodys"])

    def jailed():
        """Has another root directory than we."""
        scene.close(*(end["fd"] for end in scene.table()))
        os.chroot(os.path.dirname(paths["jailed"]))
        use("/fifo", "r")
        scene.label("jailed", os.open("/fifo", os.O_PATH), paths["jailed"])

    def in_a_cell():
        """The same, where nobody comes to from outside."""
        scene.close(*(end["fd"] for end in scene.table()))
        os.chroot(os.path.dirname(paths["cell"]))
        use("/fifo", "r")
        scene.label("cell", os.open("/fifo", os.O_PATH), paths["cell"])

    paths["jailed"] = make("jailed", 0o622, 0o755, 0, 0)
    os.mkdir("prison", 0o700)
    paths["cell"] = make("prison/cell", 0o622, 0o755, 0, 0)
    paths["nobodys"] = make("nobodys", 0o622, 0o755, NOBODY, NOBODY)
    return {"other": scene.child(others), "jailed": scene.child(jailed), "cell": scene.child(in_a_cell)}


scene.run(build)
