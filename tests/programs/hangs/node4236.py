"""nodejs/node#4236, nodejs/help#2053: Node spawns a child that prints much, and never reads child.stdout.

Answer: the child waits to write to fd 1, a UNIX socket, whose other end node holds and does not read.
"""

from stage import find, put, ready, start

node = start(["node", put("main.js", """
const { spawn } = require('child_process');
const child = spawn('python3', ['-c', 'print("a" * 1000000000)']);
child.on('exit', () => console.log('done'));
""", 0o644)])
ready(node=node.pid, child=find("python3 -c print"))
