"""A program that still has the stdin of a helper that has exited, and reads what another one prints. A script waits for it."""

from stage import find, put, ready, start

put("main.py", """import subprocess
dead = subprocess.Popen(["true"], stdin=subprocess.PIPE)
dead.wait()
subprocess.run(["sleep", "1000"], capture_output=True)
""")
start([put("run.sh", "#!/bin/sh\npython3 main.py\necho done\n")])
ready(sleep=find("^sleep 1000"))
