"""ThomasDickey/original-mawk#90, jqlang/jq#1285: `tail -f log | mawk ... | grep -m1` hangs after the match.

grep has ended. mawk has nothing to write and does not notice. Answer: mawk is what is left over, since nothing reads its output.
"""

from stage import find, put, ready, start

script = start([put("wait.sh", """#!/bin/bash
printf '11 hello\\n2 world\\n3 foo\\n' > log1
tail -f log1 | mawk -W interactive '$1 >= 10' | grep --max-count=1 hello
echo found
""")])
ready(script=script.pid, mawk=find("mawk -W"), tail=find("^tail -f"))
