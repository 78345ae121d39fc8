"""Filters that read a block at once and take long for each line of it. They have output."""

from stage import find, put, ready, start

put("python.py", "import sys, time\nfor line in sys.stdin:\n    time.sleep(0.7)\n    print(line, flush=True)\n", 0o644)
put("node.js", """
const lines = require("readline").createInterface({ input: process.stdin });
(async () => {
  for await (const line of lines) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    console.log(line);
  }
})();
""", 0o644)
script = put("run.sh", """#!/bin/sh
yes | python3 python.py > python.out &
yes | perl -ne '$| = 1; select undef, undef, undef, 2; print' > perl.out &
yes | node node.js > node.out &
wait
""")
start([script])
ready(python=find("python.py"), perl=find("^perl"), node=find("^node node.js"))
