"""A script that has `exec > >(tee log)` starts a background process, and `x=$(bash build.sh)` does not return.

Answer: bash waits for tee, and tee for EOF on its stdin, of which sleep holds the write end. tee is not to be killed.
"""

from stage import find, put, ready, start

put("build.sh", "exec > >(tee log2) 2>&1\nsleep 1000 &\necho built\n")
bash = start(["bash", put("main.sh", "x=$(bash build.sh)\necho $x\n")])
ready(bash=bash.pid, tee=find("^tee"), sleep=find("^sleep 1000"))
