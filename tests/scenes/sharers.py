"""Three hundred processes that share one pipe, each with both its ends."""

import scene


def build():
    reader, _ = scene.pipe("shared")
    for _ in range(300):
        scene.child(lambda: None)
    scene.close(reader)


scene.run(build)
