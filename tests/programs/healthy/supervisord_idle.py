"""supervisord with a program that is silent, and one that logs now and then."""

from stage import DIR, find, put, ready, start

put("talks.sh", "#!/bin/sh\nwhile :; do echo line; sleep 3; done\n")
put("sv.conf", f"""[supervisord]
nodaemon=true
user=root
logfile={DIR}/sv.log
pidfile={DIR}/sv.pid
[program:silent]
command=sleep 1000
[program:talks]
command={DIR}/talks.sh
redirect_stderr=true
stdout_logfile={DIR}/out.log
""", 0o644)
supervisord = start(["supervisord", "-c", DIR + "/sv.conf"])
ready(supervisord=supervisord.pid, silent=find("^sleep 1000"), talks=find("talks.sh"))
