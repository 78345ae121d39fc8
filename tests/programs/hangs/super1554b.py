"""Supervisor/supervisor#1554, in its pure form: a supervisor has taken the stdout of a program off its poll list.

It keeps the pipe open, and goes on with its loop (poll with a timeout of a second). Answer: the program writes to a full pipe whose only
reader, the supervisor, is awake but does not poll this pipe.
"""

from stage import find, put, python, ready

put("worker.sh", "#!/bin/sh\nwhile :; do echo a line of log of a certain length; done\n")
put("other.sh", "#!/bin/sh\nwhile :; do echo fine; sleep 3; done\n")
supervisor = python("""
import os, select, subprocess
p = subprocess.Popen(['./worker.sh'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.PIPE)
q = subprocess.Popen(['./other.sh'], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
poll = select.poll(); poll.register(p.stdout, select.POLLIN); poll.register(q.stdout, select.POLLIN)
n = 0
while True:
    for fd, event in poll.poll(1000):
        n += 1
        if fd == p.stdout.fileno() and n > 3: poll.unregister(fd); continue
        os.read(fd, 65536)
""")
ready(worker=find("worker.sh"), supervisor=supervisor.pid)
