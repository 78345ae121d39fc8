"""stackoverflow.com/questions/1506902: the jobs of cron stay as zombies.

The job has ended, but left a background process that holds its stdout. cron reads that pipe to its end, to mail it, before it reaps the
job. Answer: sleep holds the write end. Neither the zombie nor its parent is the cause.
"""

from stage import find, put, python, ready

put("launcher.sh", '#!/bin/bash\n"$@"\n')
put("tester.sh", "#!/bin/bash\nsleep 2700 &\n")
cron = python("""
import subprocess
job = subprocess.Popen(['/bin/sh', '-c', './launcher.sh ./tester.sh'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       stdin=subprocess.DEVNULL)
mail = job.stdout.read()
job.wait()
""")
ready(cron=cron.pid, sleep=find("^sleep 2700"))
