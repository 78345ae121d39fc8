#!/bin/sh
# open(2) of a FIFO for writing waits until a process opens it for reading, and none does.
#
# Type, in another terminal, after 10 seconds: lspipe why
# Answer: blocked-open

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
mkfifo "$folder/jobs.fifo"
echo job >"$folder/jobs.fifo"
