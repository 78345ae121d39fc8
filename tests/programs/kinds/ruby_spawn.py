"""Ruby gives the write end of a pipe to a child, does not close its own, and reads up to EOF.

Answer: self-deadlock of ruby, suspected: it catches signals.
"""

from stage import put, ready, start

ruby = start(["ruby", put("main.rb", "r, w = IO.pipe\nProcess.wait spawn('echo hi', out: w)\nputs r.read\n")])
ready(ruby=ruby.pid)
