"""A parent waits for the exit of a node process that waits for room in the pipe that only the parent could read. Its timer goes on.

Answer: a deadlock of the two.
"""

from stage import find, put, python, ready

put("job.js", "for (let i = 0; i < 4000; i++) console.log('log ' + 'x'.repeat(200)); setInterval(() => {}, 1000);", 0o644)
parent = python("""
import subprocess
p = subprocess.Popen(['node', 'job.js'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
p.wait()
""")
ready(parent=parent.pid, node=find("^node job.js"))
