"""A producer that waits for a program that runs a command for each line, and learns of its exit by a signal or a pipe."""

from stage import find, put, ready, start


def reader(number, command):
    start([put(f"run{number}.sh", f"#!/bin/sh\nseq 10000000 | {command}\n")])


# A command that is short enough for the next to be started between two looks.
reader(1, "sh -c 'while read line; do sleep 1.4; done'")
reader(2, "sh -c 'while read line; do sleep 41 & wait; done'")
reader(3, """ruby -e 'STDIN.each_line { system("sleep 42") }'""")
reader(4, """node -e 'require("readline").createInterface({ input: process.stdin })
    .on("line", () => require("child_process").execSync("sleep 43"))'""")
reader(5, """python3 -c 'import subprocess, sys
for line in sys.stdin: subprocess.run(["sleep", "1.7"], capture_output=True)'""")
ready(wait=find("^sleep 41"), ruby=find("^sleep 42"), node=find("^sleep 43"))
