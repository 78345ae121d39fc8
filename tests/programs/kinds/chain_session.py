"""`bash build.sh | cat`, where build.sh has `exec > >(tee log)` and starts a daemon in a session of its own.

Answer: cat waits for tee, and tee for the daemon. That is one finding.
"""

from stage import find, put, ready, start

put("build.sh", "exec > >(tee log2) 2>&1\nsetsid sleep 1000 &\nsleep 0.3\necho built\n")
start(["bash", put("main.sh", "bash build.sh | cat\n")])
ready(cat=find("^cat"), tee=find("^tee"), sleep=find("^sleep 1000"))
