"""Clients of ssh(1) that pass their stdin and stdout to a master, which is a daemon."""

import getpass
import os

from ssh import server
from stage import DIR, find, put, ready, start, wait_for

sshd, port = server()
ssh = (f"ssh -p {port} -i {DIR}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes "
       f"-o ControlPath={DIR}/master {getpass.getuser()}@127.0.0.1")
start(["sh", "-c", f"exec {ssh} -o ControlMaster=yes -o ControlPersist=1000 true"])
wait_for("the socket of the master", lambda: os.path.exists("master"))
start([put("run.sh", f"#!/bin/sh\nsleep 1000 | {ssh} cat | cat\n")])
ready(sleep=find("^sleep 1000"), cat=find("^cat"), master=find("^ssh: ", "[mux]"))
