"""projectdiscovery/nuclei#2206: a program under supervisord waits to read its stdin, to which supervisord never writes.

Answer: cat reads fd 0, whose only writer is supervisord, which polls with a timeout.
"""

from stage import DIR, find, put, ready, start

program = put("nuclei.sh", "#!/bin/sh\ncat > targets\necho started\n")
put("sv.conf", f"""[supervisord]
nodaemon=true
user=root
logfile={DIR}/sv.log
pidfile={DIR}/sv.pid
[program:nuclei]
command={program}
autorestart=false
redirect_stderr=true
stdout_logfile={DIR}/out.log
""", 0o644)
supervisord = start(["supervisord", "-c", DIR + "/sv.conf"])
ready(cat=find("^cat"), supervisord=supervisord.pid)
