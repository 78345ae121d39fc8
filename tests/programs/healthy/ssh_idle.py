"""A session of ssh whose remote command is idle."""

from ssh import client, server
from stage import find, ready

sshd, port = server()
idle = client(port, "sleep 4321")
ready(sshd=sshd.pid, ssh=idle.pid, sleep=find("^sleep 4321"))
