"""glaciall/jtt1078-video-server#15: one thread opens video.fifo and then audio.fifo for writing.

ffmpeg has opened the first, and reads it before it opens the second. Answer: the publisher waits in open(2) of audio.fifo, which is on
the command line of ffmpeg. ffmpeg waits to read video.fifo, whose only writer is the publisher.
"""

import os

from stage import find, python, ready

os.mkfifo("video.fifo")
os.mkfifo("audio.fifo")
publisher = python("""
import subprocess
subprocess.Popen(['ffmpeg', '-nostdin', '-hide_banner', '-f', 'h264', '-i', 'video.fifo', '-f', 's16le', '-ar', '8000', '-ac', '1',
                  '-i', 'audio.fifo', '-c:v', 'copy', '-c:a', 'aac', '-f', 'flv', 'out.flv'])
video = open('video.fifo', 'wb')
audio = open('audio.fifo', 'wb')
video.write(b'x'); audio.write(b'y')
""")
ready(publisher=publisher.pid, ffmpeg=find("ffmpeg -nostdin"))
