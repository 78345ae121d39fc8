"""make with a job server, whose jobs sleep, while others wait for their turn."""

from stage import find, put, ready, start

put("Makefile", "all: a b c d\na b c d:\n\t+@$(MAKE) -s $@.x\n%.x:\n\t@sleep 60 | cat\n", 0o644)
make = start(["make", "-s", "-j3"])
ready(make=make.pid, sleep=find("^sleep 60"))
