"""Pipelines of which the reader has a session or a process group of its own, as below sudo(8), setsid(1) and timeout(1)."""

from stage import find, put, ready, start

put("log", "x\n", 0o644)
put("popen.py", """
import subprocess
tail = subprocess.Popen(["tail", "-n0", "-f", "log"], stdout=subprocess.PIPE)
grep = subprocess.Popen(["grep", "popen"], stdin=tail.stdout, start_new_session=True)
tail.stdout.close()
grep.wait()
""", 0o644)
put("moves.py", """
import os, subprocess
tail = subprocess.Popen(["tail", "-n0", "-f", "log"], stdout=subprocess.PIPE)
os.setpgid(0, 0)
grep = subprocess.Popen(["grep", "moves"], stdin=tail.stdout)
tail.stdout.close()
grep.wait()
""", 0o644)
for text in (
    "tail -n0 -f log | setsid grep setsid",
    "(tail -n0 -f log; true) | setsid sh -c 'grep nested; true'",
    "timeout 1000 grep -m1 timeout < <(tail -n0 -f log)",
    "setsid grep substituted <(tail -n0 -f log)",
    "python3 popen.py",
    "python3 moves.py",
):
    start(["bash", "-c", text + "\necho done"])
ready(**{name: find("^grep", name) for name in ("setsid", "nested", "timeout", "substituted", "popen", "moves")})
