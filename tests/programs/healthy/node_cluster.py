"""An idle server on Node with two workers."""

from stage import find, put, ready, said, start

node = start(["node", put("main.js", """
const cluster = require('cluster'), http = require('http');
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
else http.createServer((request, answer) => answer.end('hello')).listen(0, '127.0.0.1', () => console.log('listens ' + cluster.worker.id));
""", 0o644)])
said("listens 1")
said("listens 2")
ready(node=node.pid, worker=find("main.js"))
