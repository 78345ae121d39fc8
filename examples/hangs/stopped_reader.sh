#!/bin/sh
# The reader of a pipeline is stopped, as by Ctrl-Z or a debugger. The pipe is full, and the writer waits.
#
# Type, in another terminal: lspipe why
# Answer: stalled-reader

yes | sh -c 'kill -STOP $$; cat' >/dev/null
