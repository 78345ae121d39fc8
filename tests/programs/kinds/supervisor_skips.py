"""A supervisor reads the output of two children in a loop with a timeout, and not that of a third.

Answer: the third is blocked writing to a full pipe that the supervisor does not read, though it wakes now and then.
"""

from stage import find, python, ready

supervisor = python("""
import os, select, subprocess
def run(*argv): return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
chatty = run('seq', '1', '10000000')
loop = select.poll()
for it in run('sh', '-c', 'while :; do echo tick; sleep 1; done'), run('sleep', '1000'): loop.register(it.stdout, select.POLLIN)
while True:
    for fd, _ in loop.poll(1000): os.read(fd, 4096)
""")
ready(supervisor=supervisor.pid, chatty=find("^seq"))
