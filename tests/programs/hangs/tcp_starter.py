"""pallets/flask#4852, litestar-org/litestar#4573: a test starts a server with stderr=PIPE, reads nothing of it, and waits for its answer over TCP.

Answer: the server is blocked on the full pipe, which only the test could read; the test waits for a connection whose other end the server has.
"""

from stage import find, put, python, ready

put("server.py", """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sys.stderr.write("x" * 100000)
connection.send(b"ok")
""", 0o644)
test = python("""
import socket, subprocess
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
server = subprocess.Popen(["python3", "server.py", str(listener.getsockname()[1])], stderr=subprocess.PIPE)
connection, _ = listener.accept()
listener.close()
connection.recv(2)
""")
ready(test=test.pid, server=find("server.py"))
