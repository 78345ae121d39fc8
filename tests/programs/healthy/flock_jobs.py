"""Jobs of cron that take turns by flock(1): the next run waits until the first has done its work, or has slept long enough."""

from stage import find, put, ready, start

NEXT = "seq 1000000 | flock {0} cat | cat >/dev/null & flock -w 900 {0} echo | cat & wait\n"
start(["bash", put("sleeps.sh", "exec 9>sleeps\nflock 9\nsleep 1000\n")])
work = "while :; do seq 20000 | wc -l >/dev/null; sleep 0.05; done"
start(["flock", "works", "sh", "-c", work])
find("^sleep 1000")
for lock in ("sleeps", "works"):
    start(["bash", put(f"next-{lock}.sh", NEXT.format(lock))])
ready(sleeps=find("^flock sleeps cat"), works=find("^flock works cat"))
