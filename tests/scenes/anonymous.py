"""os.pipe and fork: ends closed as they should be, and ends forgotten."""

import os
import scene


def build():
    good_r, good_w = scene.pipe("good")
    leaked_r, leaked_w = scene.pipe("leaked")
    deaf_r, deaf_w = scene.pipe("no_writer")
    mute_r, mute_w = scene.pipe("no_reader")

    def reader():
        # It forgets to close its copy of leaked_w: end of file will never come.
        scene.close(good_w, deaf_r, deaf_w, mute_r, mute_w)

    scene.child(reader)
    scene.child(lambda: scene.close(good_r, good_w, leaked_r, leaked_w, deaf_r, deaf_w, mute_r, mute_w))
    scene.close(good_r, leaked_r, deaf_w, mute_r)
    os.set_inheritable(good_w, True)


scene.run(build)
