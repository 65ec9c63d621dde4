"""Notes on what was changed or assumed of an input."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trimesh


def say_notes(meshes: Mapping[str, trimesh.Trimesh]) -> None:
    """Print the notes of meshes on stderr, one line each.

    meshes: by the name or the file to call them.
    """
    from graspbook.objects.mesh import notes_of

    for name, mesh in meshes.items():
        for note in notes_of(mesh):
            print(f"note: {name}: {note}", file=sys.stderr)
