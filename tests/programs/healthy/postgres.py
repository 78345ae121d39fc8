"""An idle PostgreSQL with its log collector, as the user postgres, and a client in an idle transaction."""

import glob
import os
import pwd
import subprocess

from stage import DIR, find, ready, start, wait_for

programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
user = pwd.getpwnam("postgres")
who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
os.mkdir("data")
os.chown("data", user.pw_uid, user.pw_gid)
data = DIR + "/data/base"
subprocess.run([programs + "/initdb", "-N", "-A", "trust", "-D", data], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, **who)
options = ["listen_addresses=", f"unix_socket_directories={DIR}/data", "logging_collector=on"]
postgres = start([programs + "/postgres", "-D", data, *(word for option in options for word in ("-c", option))], **who)
wait_for("the socket of PostgreSQL", lambda: glob.glob("data/.s.PGSQL.*[0-9]"))
client = start([programs + "/psql", "-h", DIR + "/data", "-c", "select pg_sleep(1000)", "postgres"], **who)
ready(postgres=postgres.pid, logger=find("logger"), client=client.pid, backend=find("SELECT"))
