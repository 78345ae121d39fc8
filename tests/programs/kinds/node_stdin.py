"""Node starts a filter, and waits for its output without an end() of its stdin.

Answer: deadlock. The filter reads a UNIX socket whose other end node holds, and node waits for the output of the filter.
"""

from stage import find, put, ready, start

node = start(["node", put("main.js", """
const { spawn } = require('child_process');
const sort = spawn('sort');
sort.stdout.on('data', (text) => console.log(String(text)));
sort.on('close', () => console.log('done'));
sort.stdin.write('b\\na\\n');
""", 0o644)])
ready(node=node.pid, sort=find("^sort"))
