"""What the scenes of real programs share: starts their parts, finds processes, and says when all of them have started.

A scene has a PID namespace of its own, so every process in /proc but PID 1 and the scene itself is a part of it. The scene prints
`ready NAME=PID...` and then sleeps. The test kills PID 1, and thereby all of it. The working directory is empty at the start.
"""

import os
import pty
import signal
import subprocess
import sys
import threading
import time

DIR = os.getcwd()
LIMIT = 120
os.environ.pop("PYTHONPATH", None)


def put(name, text, mode=0o755):
    """Writes a file, and returns its path."""
    path = os.path.join(DIR, name)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def log():
    """What the parts printed."""
    try:
        with open(DIR + "/log", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def start(argv, **how):
    """Starts a part in a session of its own. It prints to the log and has an empty stdin, unless `how` says otherwise."""
    output = open(DIR + "/log", "ab")
    usual = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, "cwd": DIR, "start_new_session": True}
    how["env"] = dict(os.environ, **how.get("env", {}))
    return subprocess.Popen(argv, **{**usual, **how})


def python(text, *args, **how):
    """Starts a Python program that has a file of its own."""
    return start(["python3", put("main.py", text, 0o644), *args], **how)


def on_terminal(argv):
    """Starts a program on a terminal of its own whose output is read, as a terminal emulator does. Returns its PID."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "vt100"
        os.execvp(argv[0], argv)

    def read():
        try:
            while os.read(master, 4096):
                pass
        except OSError:
            pass

    threading.Thread(target=read, daemon=True).start()
    return pid


def wait_for(what, condition):
    """Waits until the condition holds, and returns its value."""
    end = time.time() + LIMIT
    while time.time() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    sys.exit(f"not seen: {what}; processes: {processes()}; log: {log()}")


def state(pid):
    """The state of a process, such as `S`; empty if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def processes():
    """Command lines by PID of all parts that have not ended."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in (1, os.getpid()):
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace").replace(DIR + "/", "")
        except OSError:
            continue
        if state(name) not in ("", "Z", "X"):
            found[int(name)] = line
    return found


def find(*words):
    """The newest process that has all of these in its command line, or at its beginning if they begin with a circumflex.

    A shell that is about to execute the program may have them for a moment too.
    """

    def has(line, word):
        return line.startswith(word[1:]) if word[0] == "^" else word in line

    def newest():
        return max((pid for pid, line in processes().items() if all(has(line, word) for word in words)), default=0)

    def settled():
        first = newest()
        time.sleep(0.5)
        return first if first == newest() else 0

    return wait_for(f"a process {words}", settled)


def child(pid, place=0, forked=False):
    """The child of a process: the first, or the one at that place, of all or of those that run the same program."""

    def children():
        try:
            # A child is listed with the thread that started it.
            tasks = [open(f"/proc/{pid}/task/{task}/children") for task in os.listdir(f"/proc/{pid}/task")]
            found = sorted(int(word) for task in tasks for word in task.read().split())
        except OSError:
            return []
        lines = processes()
        return [it for it in found if not forked or lines.get(it) == lines.get(pid)][place : place + 1]

    return wait_for(f"a child of {pid}", children)[0]


def fork(pid, place=0):
    """A child that was forked and runs the same program, and not a helper such as the resource tracker of multiprocessing."""
    return child(pid, place, forked=True)


def said(word):
    """Waits until a part has printed this to the log."""
    wait_for(f"{word!r} in the log", lambda: word in log())


def ready(**roles):
    """Says that all parts have started, with the PID of each role, and sleeps until it is killed."""
    print("ready", *(f"{role}={pid}" for role, pid in roles.items()), flush=True)
    while True:
        signal.pause()
