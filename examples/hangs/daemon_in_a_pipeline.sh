#!/bin/sh
# A build starts a daemon and ends. The daemon has inherited the pipe, so cat does not see EOF.
#
# Type, in another terminal, after 10 seconds: lspipe why
# Answer: leaked-write-end

sh -c 'sleep 1000 & echo built' | cat
