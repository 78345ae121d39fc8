#!/usr/bin/env python3
"""Writes a megabyte to a child, and reads its answer only afterwards. Both pipes fill up, and both processes wait.

Type, in another terminal: lspipe why
Answer: deadlock
"""

import subprocess

child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(b"x" * 1_000_000)
child.stdin.close()
print(len(child.stdout.read()))
