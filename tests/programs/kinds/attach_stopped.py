"""A shim sends the output of a container to a client that is attached by a UNIX socket with a path, and that does not read any more.

Answer: the shim is blocked writing to the socket, and the client sleeps. The container, which writes to the shim, is behind it.
"""

from stage import find, put, ready, said, start

put("shim.py", """
import os, socket, subprocess
server = socket.socket(socket.AF_UNIX); server.bind('attach.sock'); server.listen()
print('up', flush=True)
client, _ = server.accept()
job = subprocess.Popen(['seq', '1', '100000000'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
while part := os.read(job.stdout.fileno(), 65536): client.sendall(part)
""", 0o644)
put("client.py", """
import socket, time
client = socket.socket(socket.AF_UNIX); client.connect('attach.sock')
client.recv(10); time.sleep(1000)
""", 0o644)
shim = start(["python3", "shim.py"])
said("up")
client = start(["python3", "client.py"])
find("^seq")
ready(shim=shim.pid, client=client.pid)
