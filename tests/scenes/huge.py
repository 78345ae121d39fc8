"""One process with thousands of pipes, its table full of holes and of other files."""

import os
import resource
import scene

PIPES, HIGHEST = 2000, 6000


def build():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    highest = HIGHEST if hard == resource.RLIM_INFINITY else min(HIGHEST, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
    scene.TABLE = highest
    for number in range(min(PIPES, highest // 3)):
        reader, writer = scene.pipe(f"pipe{number}")
        if number % 7 == 0:
            os.close(writer)
        if number % 5 == 0:
            os.open("/dev/null", os.O_RDWR)
    os.dup2(reader, highest - 1)


scene.run(build)
