"""Node writes all of the input of a filter, and waits for `drain`, before it reads the output.

Answer: the filter writes to a full UNIX socket, and node polls the other one for room.
"""

from stage import find, put, ready, start

node = start(["node", put("main.js", """
const { spawn } = require('child_process');
const cat = spawn('cat'), part = Buffer.alloc(65536);
const write = (left) => {
  if (left === 0) { cat.stdin.end(); cat.stdout.on('data', () => {}); }
  else if (cat.stdin.write(part)) write(left - 1);
  else cat.stdin.once('drain', () => write(left - 1));
};
write(1000);
""", 0o644)])
ready(node=node.pid, cat=find("^cat"))
