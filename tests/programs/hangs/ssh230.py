"""jenkinsci/publish-over-ssh-plugin#230, ronf/asyncssh#585: `ssh host 'service start &'` does not return.

The background process keeps the pipes of the session open. Answer, on the server: the sshd of the session waits for EOF on a pipe whose
write end sleep holds.
"""

from ssh import client, server
from stage import child, find, ready

sshd, port = server()
ssh = client(port, "nohup sleep 4321 & echo started")
sleep = find("^sleep 4321")
ready(ssh=ssh.pid, session=child(sshd.pid), sleep=sleep)
