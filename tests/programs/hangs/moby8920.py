"""moby/moby#8920, #40151: a script reads the output of a client, which waits for an answer over a socket.

Answer: the shell reads a pipe. Its writer is curl, which waits for a TCP socket without a timeout.
"""

import socket

from stage import find, put, ready, start

silent = socket.socket()
silent.bind(("127.0.0.1", 0))
silent.listen()
port = silent.getsockname()[1]
script = start([put("status.sh", f'#!/bin/bash\nx=$(curl -s http://127.0.0.1:{port}/exec)\necho "$x"\n')])
ready(script=script.pid, curl=find("^curl"))
