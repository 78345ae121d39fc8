"""ahoward/open4#7, kaitai_struct_visualizer#27: popen3 and then stdout.read, while the child floods its stderr.

Answer: deadlock.
"""

from stage import find, put, ready, start

parent = start(["ruby", put("main.rb", """
require 'open3'
Open3.popen3('ruby', '-e', '$stderr.write("x" * 200000); $stdout.puts "ok"') do |i, o, e, t|
  i.close
  puts o.read
  puts e.read.size
end
""", 0o644)])
ready(parent=parent.pid, child=find("ruby -e"))
