"""CoACD in a process of its own, since its native code can crash and does not heed Ctrl-C.

Run as a script with two paths: an .npz of "vertices", "faces" and "settings" (JSON), and the .npz
to write, one array of vertices per part. It imports nothing of the library.
"""

import json
import sys

import numpy as np


def main(source: str, target: str) -> None:
    """Cut the mesh of one file into convex parts, and write their vertices to another.

    source: .npz with the mesh and the settings.
    target: .npz to write.
    """
    import coacd

    coacd.set_log_level("error")
    with np.load(source) as stored:
        mesh = coacd.Mesh(stored["vertices"], stored["faces"])
        settings = json.loads(str(stored["settings"]))
    np.savez(target, *(vertices for vertices, _ in coacd.run_coacd(mesh, **settings)))


if __name__ == "__main__":
    main(*sys.argv[1:])
