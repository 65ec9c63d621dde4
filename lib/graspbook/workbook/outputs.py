"""Where the files of one run lie: `outputs/<profile>/`, and the results that notebooks hand to each
other.
"""

from dataclasses import dataclass
from pathlib import Path

from graspbook.errors import NotebookError
from graspbook.storage import read_json, write_json
from graspbook.workbook.params import project_root


@dataclass(frozen=True)
class Outputs:
    """The folder of one run; a relative one is taken from the top of the workbook, wherever the
    notebook runs.
    """

    root: Path

    def __post_init__(self):
        root = Path(self.root)
        object.__setattr__(self, "root", root if root.is_absolute() else project_root() / root)

    @property
    def objects(self):
        """Folder of the meshes, `<name>.obj`."""
        return self.root / "objects"

    @property
    def grasps(self):
        """Folder of the grasp files, `<object>.h5`."""
        return self.root / "grasps"

    @property
    def weights(self):
        """Folder of the trained networks, `<network>.safetensors`."""
        return self.root / "weights"

    @property
    def site(self):
        """Folder of the rendered workbook; it starts at `index.html`."""
        return self.root / "site"

    def notebook(self, name):
        """The executed notebook, e.g. of "graspnet/1_objects"."""
        return self.root / "notebooks" / f"{name}.ipynb"

    def thumbnail(self, section):
        """The small picture of a notebook for the index; its suffix may be .svg or .png."""
        return self.root / "thumbnails" / f"{section}.svg"

    def results(self, section):
        """The file of a notebook's numbers, `results/<section>.json`."""
        return self.root / "results" / f"{section}.json"

    def write_results(self, section, numbers):
        """Write a notebook's numbers: plain data, no wall times, so that the same parameters give
        the same bytes.
        """
        write_json(self.results(section), numbers)

    def read_results(self, section):
        """The numbers of a notebook that ran before; NotebookError where it has not."""
        path = self.results(section)
        if not path.is_file():
            raise NotebookError(
                f"{path} is missing: run the notebook of section {section} first, with the same"
                " profile"
            )
        return read_json(path)
