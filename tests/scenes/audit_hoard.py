"""Processes with many ends: so many pipes each, with so low a limit of descriptors, and as that user if it is not 0."""

import resource
import sys
import scene


def build():
    user = int(sys.argv[1])
    hoarders = {}

    def hoard(name, pipes, limit):
        if user:
            scene.become(user)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        for number in range(pipes):
            scene.pipe(f"{name}{number}")

    for word in sys.argv[2:]:
        name, pipes, limit = word.split(",")
        hoarders[name] = scene.child(hoard, name, int(pipes), int(limit))
    return hoarders


scene.run(build)
