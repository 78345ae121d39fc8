"""git push does not return: a hook of the receiving side starts a background process, which keeps the hook's stderr.

Answer: git receive-pack, which forwards the output of the hook, waits for EOF on a pipe whose write end sleep holds.
"""

import os
import subprocess

from stage import find, put, ready, start

for command in (
    "git init -q --bare there.git",
    "git init -q here",
    "git -C here -c user.name=a -c user.email=a@localhost commit -q --allow-empty -m first",
):
    subprocess.run(command.split(), stdin=subprocess.DEVNULL, check=True)
os.makedirs("there.git/hooks", exist_ok=True)
put("there.git/hooks/post-receive", "#!/bin/sh\nsleep 1000 &\n")
start(["git", "-C", "here", "push", "-q", "../there.git", "HEAD:refs/heads/main"])
ready(receive=find("receive-pack"), sleep=find("^sleep 1000"))
