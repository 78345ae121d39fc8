"""A user whose pipes are so many more, or fewer, than pipe-user-pages-soft allows of the usual size. What they have is told by number,
since they are more than the table of a scene holds."""

import os
import resource
import sys
import scene

# In so many each, so that the limit of descriptors does not matter.
EACH = 200


def build():
    user, more = int(sys.argv[1]), int(sys.argv[2])
    with open("/proc/sys/fs/pipe-user-pages-soft") as file:
        soft = int(file.read())
    count = soft // 16 + more

    def make(pipes):
        scene.become(user)
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * EACH + 50, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        for _ in range(pipes):
            os.pipe2(os.O_CLOEXEC)
        return []

    for first in range(0, count, EACH):
        scene.child(make, min(EACH, count - first))
    return {"soft": soft, "pipes": count, "makers": [process["pid"] for process in scene.report()["processes"][:-1]]}


scene.run(build)
