"""popen3 of Ruby: the block waits for the thread of the child before it reads stdout.

Answer: the child writes to a full pipe, whose reader waits for the child.
"""

from stage import find, put, ready, start

parent = start(["ruby", put("main.rb", """
require 'open3'
Open3.popen3('ruby', '-e', 'puts "x" * 200000') do |i, o, e, t|
  i.close
  t.value
  puts o.read.size
end
""", 0o644)])
ready(parent=parent.pid, child=find("ruby -e"))
