"""IPC::Open3 of Perl: waitpid before the output is read.

Answer: deadlock. The child writes to a full pipe, whose reader waits for the child.
"""

from stage import find, put, ready, start

parent = start(["perl", put("main.pl", """
use IPC::Open3;
my $pid = open3(my $in, my $out, undef, 'perl', '-e', 'print "x" x 200000');
close $in;
waitpid $pid, 0;
print length(join '', <$out>);
""", 0o644)])
ready(parent=parent.pid, child=find("perl -e"))
