"""QubesOS/qubes-app-linux-split-gpg#79: a program reads the status descriptor of gpg, while gpg is blocked on its full stdout.

Answer: deadlock of the program, which reads the status pipe, and gpg, which writes to its stdout.
"""

import os

from stage import find, python, ready

os.mkdir("gh", 0o700)
with open("big", "wb") as big:
    big.write(os.urandom(2000000))
split = python("""
import subprocess, os
r, w = os.pipe()
gpg = subprocess.Popen(['gpg', '--homedir', 'gh', '--batch', '--pinentry-mode', 'loopback', '--passphrase', 'x', '--status-fd', str(w),
                        '-o', '-', '--compress-algo', 'none', '-c', 'big'], stdout=subprocess.PIPE, pass_fds=[w])
os.close(w)
status = os.fdopen(r).read()
print(status, len(gpg.stdout.read()))
""")
ready(split=split.pid, gpg=find("gpg --homedir"))
