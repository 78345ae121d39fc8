"""Supervisor/supervisor#1554: after an error, here a MemoryError in readfd, supervisord no longer polls the stdout of a program.

It keeps the pipe open, and the program blocks in write(2). Answer: the program writes to a full pipe whose only reader, supervisord, is
awake but does not poll this pipe.
"""

from stage import DIR, find, put, ready, start

put("sitecustomize.py", """
import supervisor.options as o
real = o.ServerOptions.readfd; n = [0]
def readfd(self, fd):
    n[0] += 1
    if n[0] > 3: raise MemoryError()
    return real(self, fd)
o.ServerOptions.readfd = readfd
""", 0o644)
program = put("worker.sh", "#!/bin/sh\nwhile :; do echo a line of log of a certain length; done\n")
put("sv.conf", f"""[supervisord]
nodaemon=true
user=root
logfile={DIR}/sv.log
pidfile={DIR}/sv.pid
[program:worker]
command={program}
autorestart=false
redirect_stderr=true
stdout_logfile={DIR}/out.log
""", 0o644)
supervisord = start(["supervisord", "-c", DIR + "/sv.conf"], env={"PYTHONPATH": DIR})
ready(worker=find("worker.sh"), supervisord=supervisord.pid)
