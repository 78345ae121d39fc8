"""What the scenes of blocked processes share: each process has the ends that it is given, tells of them, and then blocks."""

import os
import signal
import time
import scene

_made = []


def pipe(name, flags=os.O_CLOEXEC):
    ends = scene.pipe(name, flags)
    _made.extend(ends)
    return ends


def made(*fds):
    """Descriptors that only the parts have that keep them."""
    _made.extend(fds)
    return fds


def part(then, *keep, work=lambda: None):
    """A child that has these ends alone, and does `work` before it tells of itself, and `then` for the rest of its life."""
    def begin():
        scene.close(*(fd for fd in _made if fd not in keep))
        work()

    return scene.child(begin, then=then)


def let_go():
    """The scene itself keeps none of the ends."""
    scene.close(*_made)
    _made.clear()


def sleep():
    """Is free: will do something by itself, in an hour."""
    time.sleep(3600)


def read(fd):
    """What reads one byte, and then has nothing left to do."""
    return lambda: os.read(fd, 1)


def write(fd, size=1 << 20):
    return lambda: os.write(fd, bytes(size))


def stray():
    """Lets the caller outlive its parent."""
    scene.call("prctl", scene.PR_SET_PDEATHSIG, 0)


def once_orphaned(parent, then):
    """What does `then` when the parent is gone, and ends with the scene, who is the parent from then on."""
    def work():
        while os.getppid() == parent:
            time.sleep(0.005)
        scene.call("prctl", scene.PR_SET_PDEATHSIG, signal.SIGKILL)
        then()

    return work


def places(pid):
    """Where in the kernel each thread sleeps; None for one that does not."""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{tid}/stat", "rb") as file:
                state = file.read().rpartition(b")")[2].split()[0].decode()
            with open(f"/proc/{pid}/task/{tid}/wchan") as file:
                place = file.read()
            # It may have gone on since its state was read.
            found[int(tid)] = place if state in "SD" and place != "0" else None
        except OSError:
            pass
    return found


def rest(pid, what):
    """Waits until all threads sleep, and not between two looks at what they wait for, as `scene.wait_for` does."""
    scene.wait_for(lambda: all(place and "nanosleep" not in place for place in places(pid).values()), what)


def settle(pid, *words):
    """Waits until the process has so many threads, each of which sleeps where the kernel's name has that word in it. Returns
    their tids in the order of the words."""
    tids = []

    def is_so():
        tids.clear()
        left = {tid: place or "" for tid, place in places(pid).items()}
        if len(left) != len(words):
            return False
        for word in words:
            tid = next((tid for tid, place in left.items() if word in place), None)
            if tid is None:
                return False
            del left[tid]
            tids.append(tid)
        return True

    scene.wait_for(is_so, f"{pid} to sleep in {words}")
    return tids


def age(*pids):
    """Waits until no thread of these processes has run for ten seconds, so that none of them was written to, or wrote."""
    def switches():
        return {(pid, tid): open(f"/proc/{pid}/task/{tid}/schedstat").read() for pid in pids for tid in os.listdir(f"/proc/{pid}/task")}

    told = {"switches": None, "since": 0}

    def is_so():
        now = switches()
        if now != told["switches"]:
            told.update(switches=now, since=time.monotonic())
        return time.monotonic() - told["since"] > 10.5

    scene.wait_for(is_so, f"{pids} to be idle")
