"""A process of another user has pipes to its parent, which runs as root, and starts a child once there is a file `go`."""

import os

from stage import child, put, python, ready

os.chmod(".", 0o777)
put("worker.sh", "#!/bin/sh\nuntil [ -e go ]; do read -r line; done\nsleep 1000 &\ntouch child\nwait\n")
parent = python("""
import os, subprocess, time
worker = subprocess.Popen(['./worker.sh'], stdin=-1, stdout=-1, user=65534)
while not os.path.exists('go'): time.sleep(0.1)
worker.stdin.write(b'go\\n'); worker.stdin.flush()
time.sleep(1000)
""")
ready(parent=parent.pid, worker=child(parent.pid))
