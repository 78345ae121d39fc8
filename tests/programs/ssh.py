"""A server of sshd(8) on a port of its own, and clients of it that need no password."""

import getpass
import os
import shutil
import socket
import subprocess

from stage import DIR, log, put, start, wait_for


def server():
    """Starts sshd, and returns it and its port."""
    os.makedirs("/run/sshd", exist_ok=True)
    for name in "host", "user":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name], stdin=subprocess.DEVNULL, check=True)
    shutil.copy("user.pub", "authorized")
    os.chmod("authorized", 0o600)
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    put("sshd_config", f"""Port {port}
ListenAddress 127.0.0.1
HostKey {DIR}/host
AuthorizedKeysFile {DIR}/authorized
PermitRootLogin yes
StrictModes no
PidFile none
UsePAM no
""", 0o600)
    sshd = start([shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", DIR + "/sshd_config"])
    wait_for("a listening sshd", lambda: "listening on" in log())
    return sshd, port


def client(port, command, **how):
    """Runs a command over ssh."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes"]
    flags = [word for option in options for word in ("-o", option)]
    return start(["ssh", "-p", str(port), "-i", "user", *flags, f"{getpass.getuser()}@127.0.0.1", command], **how)
