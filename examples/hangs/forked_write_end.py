#!/usr/bin/env python3
"""Reads all that a child writes, but has not closed its own write end after fork(2). So EOF never comes.

Type, in another terminal: lspipe why
Answer: self-deadlock
"""

import os

reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, b"done\n")
    os._exit(0)
# Missing: os.close(writer)
with open(reader, "rb") as file:
    print(file.read())
