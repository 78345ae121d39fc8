"""What every scene shares.

A scene builds real processes with real pipes, tells in one line of JSON what it made, and holds all of it until its
standard input ends. Each process tells of its own ends by asking the kernel with fstat and fcntl about every
descriptor it can have, so that the truth is complete and owes nothing to /proc/PID/fd, which is what lspipe reads.
The control channel is a socket, and children have it closed: a scene's only pipes are those it made.
"""

import base64
import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import stat
import sys
import time
import traceback

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_CHILD_SUBREAPER = 1, 4, 15, 16, 36
CLONE_NEWNS, CLONE_FILES, CLONE_NEWPID = 0x00020000, 0x00000400, 0x20000000
MS_NOSUID_NODEV, MS_REC, MS_PRIVATE, MS_BIND, MNT_DETACH = 6, 0x4000, 1 << 18, 0x1000, 2

# Low enough to ask about every descriptor, high enough for any scene.
TABLE = 256

# O_LARGEFILE is left out on purpose: the kernel sets it by itself on 64-bit machines, and nobody asked for it.
FLAGS = ["O_NONBLOCK", "O_DIRECT", "O_APPEND", "O_ASYNC", "O_NOATIME"]

libc = ctypes.CDLL(None, use_errno=True)

_processes, _ends, _labels, _kept = [], [], {}, []


def call(name, *args):
    """A C function that answers -1 when it fails."""
    answer = getattr(libc, name)(*args)
    if answer == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return answer


def b64(name):
    return base64.b64encode(os.fsencode(name)).decode()


def get_name():
    name = ctypes.create_string_buffer(16)
    call("prctl", PR_GET_NAME, name)
    return name.value


def set_name(name):
    call("prctl", PR_SET_NAME, ctypes.create_string_buffer(os.fsencode(name)))


def become(uid):
    """Changes the user for good, and stays readable to others of that user."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    call("prctl", PR_SET_DUMPABLE, 1)
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)


def _key(status):
    return (status.st_dev, status.st_ino)


def _device(status):
    return f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"


def label(name, fd, *paths, deleted=False):
    """Names the pipe behind `fd`. `paths` are the names by which somebody opened the FIFO."""
    status = os.fstat(fd)
    known = _labels.setdefault(name, {
        "key": _key(status), "inode": status.st_ino, "device": _device(status),
        "kind": "fifo" if paths else "anonymous", "names": [], "deleted": deleted,
    })
    assert known["key"] == _key(status), f"{name} is two pipes"
    known["names"] += [b64(path) for path in paths if b64(path) not in known["names"]]


def pipe(name, flags=os.O_CLOEXEC):
    reader, writer = os.pipe2(flags)
    label(name, reader)
    return reader, writer


def flag_names(status_flags, descriptor_flags):
    names = [name for name in FLAGS if status_flags & getattr(os, name, 0)]
    return names + (["O_CLOEXEC"] if descriptor_flags & fcntl.FD_CLOEXEC else [])


def table(tid=None):
    """Every pipe end in the calling thread's table. An O_PATH descriptor is none."""
    ends = []
    for fd in range(TABLE):
        try:
            status, flags = os.fstat(fd), fcntl.fcntl(fd, fcntl.F_GETFL)
        except OSError:
            continue
        if not stat.S_ISFIFO(status.st_mode) or flags & os.O_PATH:
            continue
        ends.append({
            "pid": None, "tid": tid, "fd": fd, "access": ["r", "w", "rw"][flags & os.O_ACCMODE],
            "flags": flag_names(flags, fcntl.fcntl(fd, fcntl.F_GETFD)), "key": _key(status),
        })
    return ends


def also(ends):
    """Adds ends that `table` said in a thread."""
    _ends.extend(ends)


def forget():
    """What the parent knew of itself and of its other children is not for its child to tell."""
    for known in (_processes, _ends, _labels):
        known.clear()


def labelled(name):
    return _labels[name]


def _me():
    return {"pid": None, "inner": os.getpid(), "uid": os.getuid(), "command": b64(get_name()), "alive_at": time.time(),
            "cmdline": [b64(word) for word in sys.orig_argv]}


def adopt(report, pid):
    """Takes over what the child `pid` reported of itself and of its own children."""
    for part in report["processes"] + report["ends"]:
        if part["pid"] is None:
            part["pid"] = pid
            if "command" in part:
                inner = part.pop("inner")
                part.update(ppid=os.getpid(), pgid=os.getpgid(pid), sid=os.getsid(pid),
                            ns_pid=None if inner == pid else inner)
    _processes.extend(report["processes"])
    _ends.extend({**end, "key": tuple(end["key"])} for end in report["ends"])
    for name, known in report["labels"].items():
        merged = _labels.setdefault(name, {**known, "key": tuple(known["key"]), "names": []})
        merged["names"] += [path for path in known["names"] if path not in merged["names"]]


def report(ends=None):
    """What this process knows, for `adopt`."""
    mine = table() if ends is None else ends
    return {"processes": _processes + [_me()], "ends": _ends + mine, "labels": _labels}


def program(pid, command, cmdline, *ends):
    """A process that cannot speak for itself. `ends`: (fd, access, a descriptor of ours on that pipe)."""
    _processes.append({"pid": pid, "uid": os.getuid(), "command": b64(command), "ppid": None, "pgid": None,
                       "sid": None, "ns_pid": None, "alive_at": time.time(), "cmdline": [b64(word) for word in cmdline]})
    for fd, access, like in ends:
        status = os.fstat(like)
        _ends.append({"pid": pid, "tid": None, "fd": fd, "access": access, "flags": [], "key": _key(status)})


def hold():
    while True:
        signal.pause()


def child(work, *args, then=hold):
    """Forks. The child does `work`, reports what it then has, and holds it; returns its pid once that is so.

    `work` may answer with the ends to report instead of its table. `then` is what the child does for the rest of its life."""
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
            ours.close()
            null = os.open("/dev/null", os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)
            os.close(null)
            forget()
            ends = work(*args)
            theirs.sendall(json.dumps(report(ends)).encode() + b"\n")
            theirs.close()
            then()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    theirs.close()
    with ours.makefile("rb") as answer:
        said = answer.readline()
    ours.close()
    if not said:
        raise SystemExit(f"child {work.__name__} failed")
    adopt(json.loads(said), pid)
    return pid


def gone(pid):
    """Waits for the end of the child `pid`. Its children are ours from then on, and are returned."""
    os.waitpid(pid, 0)
    for known in (_processes, _ends):
        known[:] = [part for part in known if part["pid"] != pid]
    orphans = children_of(pid)
    for process in _processes:
        if process["pid"] in orphans:
            process["ppid"] = os.getpid()
    return orphans


def children_of(pid):
    return [process["pid"] for process in _processes if process["ppid"] == pid]


def pid_of(command):
    """The only process that goes by this name."""
    pid, = (process["pid"] for process in _processes if process["command"] == b64(command))
    return pid


def private_mounts():
    """A mount namespace of the caller's own, from which nothing gets out."""
    call("unshare", CLONE_NEWNS)
    call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def mount(source, target, kind, flags, options=None):
    call("mount", os.fsencode(source), os.fsencode(target), kind, flags, options)


def close(*fds):
    for fd in fds:
        os.close(fd)


def keep(*things):
    """Holds on to objects whose end would close a descriptor."""
    _kept.extend(things)


def wait_for(condition, what, limit=60):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"waited {limit} s in vain for {what}")
        time.sleep(0.01)


def comm_of(pid):
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read()[:-1]
    except OSError:
        return b""


def state_of(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()[0].decode()


def _parents():
    """pid -> ppid of everything alive."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                pass
    return parents


def descendants(root=None):
    parents, found = _parents(), {root or os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {root or os.getpid()}


def end_all(limit=60):
    """Kills whatever descends from the scene. Orphans come to us, for we are their subreaper."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def run(build, *after, then=None):
    """The whole life of a scene: `build`, tell, hold, end. What `build` returns is told along, for the test to use.

    A line on its standard input makes it do `then`, and tell what that returns."""
    call("prctl", PR_SET_CHILD_SUBREAPER, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Whoever started the tests may have left descriptors open to us.
    os.closerange(3, soft)
    resource.setrlimit(resource.RLIMIT_NOFILE, (TABLE, hard))
    try:
        more = build() or {}
        told = report()
        told["processes"][-1].update(pid=os.getpid(), ppid=os.getppid(), pgid=os.getpgid(0), sid=os.getsid(0),
                                     ns_pid=None)
        told["processes"][-1].pop("inner")
        names = {known["key"]: name for name, known in _labels.items()}
        for end in told["ends"]:
            end["pid"] = end["pid"] or os.getpid()
            end["pipe"] = names[tuple(end.pop("key"))]
        for known in _labels.values():
            known.pop("key")
        print(json.dumps({"processes": told["processes"], "ends": told["ends"], "pipes": _labels, "more": more}),
              flush=True)
        while sys.stdin.buffer.readline():
            print(json.dumps(then()), flush=True)
    finally:
        for step in after:
            step()
        end_all()
