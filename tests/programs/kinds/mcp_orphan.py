"""The client of a stdio server was killed. The server does not notice: it waits for its own work, and not for stdin.

Answer: one finding names the server, whose stdin has no writer and whose stdout has no reader.
"""

import os

from stage import find, put, python, ready

put("server.py", "import time\nprint('ready', flush=True)\ntime.sleep(1000)\n", 0o644)
client = python("""
import subprocess
server = subprocess.Popen(['python3', 'server.py'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
server.stdout.readline()
server.stdout.readline()
""")
server = find("python3 server.py")
os.kill(client.pid, 9)
client.wait()
ready(server=server)
