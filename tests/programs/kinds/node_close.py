"""Node waits for the `close` event of a child that has ended, but left a background process with its stdout and stderr.

Answer: sleep holds the other ends of the sockets that node reads.
"""

from stage import find, put, ready, start

node = start(["node", put("main.js", """
const { spawn } = require('child_process');
const child = spawn('sh', ['-c', 'sleep 1000 & echo started']);
child.stdout.on('data', (text) => console.log(String(text)));
child.on('close', () => console.log('done'));
""", 0o644)])
ready(node=node.pid, sleep=find("^sleep 1000"))
