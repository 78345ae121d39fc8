"""Node has paused the stdout of a child, and has a timer.

Answer: the child is blocked writing to a UNIX socket that node does not read, though it wakes now and then.
"""

from stage import find, put, ready, start

node = start(["node", put("main.js", """
const { spawn } = require('child_process');
const seq = spawn('seq', ['1', '1000000']);
seq.stdout.pause();
seq.on('close', () => console.log('done'));
setInterval(() => {}, 500);
""", 0o644)])
ready(node=node.pid, seq=find("^seq"))
