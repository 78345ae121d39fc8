"""pexpect/pexpect#756, peplin/pygatt#292: wait() of pexpect before the output is read. No pipe is part of it.

Answer: the child writes to its full terminal (fd 1), whose master the parent holds and does not read, while it waits for the child.
"""

from stage import find, python, ready

parent = python("""
import os, pty
pid, master = pty.fork()
if pid == 0: os.execvp('python3', ['python3', '-c', 'print("x" * 1000000)'])
os.waitpid(pid, 0)
""")
ready(parent=parent.pid, child=find("python3 -c print"))
