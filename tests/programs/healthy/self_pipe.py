"""Programs that wait for a signal by poll(2) of a pipe that their handlers write to: Ruby and Python, where the write end is O_NONBLOCK, and
Python with a second pipe."""

from stage import python, put, ready, said, start

python("""
import os, select, signal
r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
signal.signal(signal.SIGTERM, lambda *_: None)
poll = select.poll(); poll.register(r, select.POLLIN)
print('waits', flush=True)
poll.poll()
""")
said("waits")
start(["python3", put("two.py", """
import os, select, signal
(r, w), (r2, w2) = os.pipe(), os.pipe()
signal.signal(signal.SIGTERM, lambda *_: os.write(w, b'x'))
poll = select.poll(); poll.register(r, select.POLLIN); poll.register(r2, select.POLLIN)
print('both', flush=True)
poll.poll()
""")])
said("both")
start(["ruby", put("main.rb", "r, w = IO.pipe\ntrap(:TERM) { w.write 'x' }\nputs 'ruby'; $stdout.flush\nr.read 1\n")])
said("ruby")
ready()
