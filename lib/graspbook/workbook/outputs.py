"""Paths of one run's files in `outputs/<profile>/`, and the results that notebooks read from each
other.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graspbook.errors import NotebookError
from graspbook.storage import read_json, write_json
from graspbook.workbook.params import project_root


@dataclass(frozen=True)
class Outputs:
    """The folder of one run; a relative path starts at the root of the workbook."""

    root: Path

    def __post_init__(self):
        root = Path(self.root)
        object.__setattr__(self, "root", root if root.is_absolute() else project_root() / root)

    @property
    def objects(self) -> Path:
        """Folder of the meshes, `<name>.obj`."""
        return self.root / "objects"

    @property
    def grasps(self) -> Path:
        """Folder of the grasp files, `<object>.h5`."""
        return self.root / "grasps"

    @property
    def weights(self) -> Path:
        """Folder of the trained networks, `<network>.safetensors`."""
        return self.root / "weights"

    @property
    def site(self) -> Path:
        """Folder of the rendered workbook; it starts at `index.html`."""
        return self.root / "site"

    def notebook(self, name: str) -> Path:
        """The executed notebook.

        name: e.g. "graspnet/1_objects".
        """
        return self.root / "notebooks" / f"{name}.ipynb"

    def thumbnail(self, section: str) -> Path:
        """The small picture of a notebook for the index; its suffix may be .svg or .png.

        section: name of the notebook's section of the parameters.
        """
        return self.root / "thumbnails" / f"{section}.svg"

    def results(self, section: str) -> Path:
        """The file of a notebook's numbers, `results/<section>.json`.

        section: name of the notebook's section of the parameters.
        """
        return self.root / "results" / f"{section}.json"

    def write_results(self, section: str, numbers: Any) -> None:
        """Write a notebook's numbers.

        section: name of the notebook's section of the parameters.
        numbers: plain data, no wall times, so that the same parameters give the same bytes.
        """
        write_json(self.results(section), numbers)

    def read_results(self, section: str) -> Any:
        """The numbers of a notebook that ran before.

        section: name of the notebook's section of the parameters.

        Raises NotebookError if it has not run.
        """
        path = self.results(section)
        if not path.is_file():
            raise NotebookError(
                f"{path} is missing: run the notebook of section {section} first, with the same"
                " profile"
            )
        return read_json(path)
