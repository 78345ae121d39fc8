"""A server runs a hook and reads its output in its loop: select(2) with a timeout, also on its listening socket.

The hook has ended, but left a background process. Answer: sleep holds the write end of the pipe that the server reads.
"""

from stage import find, put, python, ready

put("hook.sh", "#!/bin/sh\nsleep 1000 &\necho done\n")
server = python("""
import os, select, socket, subprocess
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
hook = subprocess.Popen(['./hook.sh'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
watched = [s, hook.stdout]
while watched:
    for it in select.select(watched, [], [], 1)[0]:
        if it is hook.stdout and not os.read(it.fileno(), 4096): watched.remove(it)
    hook.poll()
""")
ready(server=server.pid, sleep=find("^sleep 1000"))
