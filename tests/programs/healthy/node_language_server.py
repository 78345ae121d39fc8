"""An idle server on Node with a helper that waits for requests on its stdin."""

from stage import find, put, ready, start

node = start(["node", put("main.js", """
const { spawn } = require('child_process');
const helper = spawn('cat');
helper.stdout.on('data', (text) => console.log(String(text)));
require('http').createServer((request, answer) => helper.stdin.write('x\\n')).listen(0, '127.0.0.1');
""", 0o644)])
ready(node=node.pid, helper=find("^cat"))
