"""A runner of jobs reads the output of a job in a thread. The job has ended, but left a process in a session of its own.

Answer: sleep holds the write end of the pipe that the thread reads, though another thread ticks.
"""

from stage import find, put, python, ready

put("job.sh", "#!/bin/sh\necho build\n(setsid sleep 1000 &)\n")
runner = python("""
import subprocess, threading, time
job = subprocess.Popen(
    ['./job.sh'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
def tick():
    while True: time.sleep(1)
threading.Thread(target=tick, daemon=True).start()
reader = threading.Thread(target=lambda: print(*job.stdout)); reader.start()
job.wait(); reader.join()
""")
ready(runner=runner.pid, sleep=find("^sleep 1000"))
