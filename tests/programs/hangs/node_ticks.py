"""Node on Linux waits in its event loop for room in a pipe, and a timer makes it run now and then (nodejs/node#784 and others).

Answer: the pipe is full and its only reader never reads it.
"""

from stage import find, put, ready, start

put("job.js", "for (let i = 0; i < 4000; i++) console.log('log ' + 'x'.repeat(200)); setInterval(() => {}, 1000);", 0o644)
start([put("run.sh", "#!/bin/sh\nnode job.js | sleep 1000\n")])
ready(node=find("^node job.js"), sleep=find("^sleep 1000"))
