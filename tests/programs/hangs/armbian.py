"""armbian/build (section-logging, commit ec7639e): `exec > >(tee log)`, and at the end a plain `wait` for tee.

Answer: deadlock. bash waits for its child tee, and tee for EOF on a pipe whose write end bash itself holds as fd 1.
"""

from stage import find, put, ready, start

script = "#!/bin/bash\nexec > >(tee build.log) 2>&1\ntee_pid=$!\necho building\nwait $tee_pid\n"
bash = start([put("build.sh", script)])
ready(bash=bash.pid, tee=find("tee build.log"))
