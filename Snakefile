"""The graph of notebooks: what each needs and what each makes, for one profile.

    snakemake --cores 2 --keep-going --config profile=smoke        (`make reproduce`)

One rule per notebook. It runs again when its notebook, its profile, a library file that it imports, or the results it
builds on have changed. Its executed notebook is declared as a log, so that Snakemake keeps it when it fails; its
results are written whole or not at all, so that a killed run goes on (`--rerun-incomplete --nolock`, as `make` has it).
"""

import json
import shlex
import sys
from pathlib import Path

from graspbook.imports import LIBRARY, import_closure, imported_names

# notebook: the notebooks whose products it reads, in the order they run.
NOTEBOOKS = {
    "graspnet/1_objects": [],
    "graspnet/2_grasp_data": ["graspnet/1_objects"],
    "graspnet/3_training": ["graspnet/1_objects", "graspnet/2_grasp_data"],
    "graspnet/4_refinement": ["graspnet/3_training"],
    "graspnet/5_ablations": ["graspnet/3_training"],
    "graspnet/5_baselines": ["graspnet/3_training"],
    "graspnet/6_robot_trials": [],
    "highdof/1_hands_and_objects": [],
    "highdof/2_grasp_data": ["highdof/1_hands_and_objects"],
    "highdof/3_training": ["highdof/2_grasp_data"],
    "highdof/4_penetration": ["highdof/3_training"],
    "0_tour": [],
}

# Measured once against recorded labels; the networks that come with the package.
EARLIER = {"graspnet/2_grasp_data": ["outputs/published/results/calibration.json"], "0_tour": ["lib/graspbook/weights/run.json"],
           "graspnet/6_robot_trials": ["lib/graspbook/weights/run.json"]}
# In real time: it gets both cores to itself.
ALONE = ["graspnet/6_robot_trials"]

PROFILE = config.get("profile", "smoke")
OUT = f"outputs/{PROFILE}"
# Quoted: the path of a checkout may have a space.
GRASPBOOK = f"{shlex.quote(sys.executable)} -m graspbook"


def library(notebook):
    """The library files that a notebook and its runner import, directly or not."""
    cells = json.loads(Path(f"notebooks/{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return files_of("graspbook.workbook.run", *set().union(*map(imported_names, code)))


def files_of(*modules):
    """The library files of modules and of what they import, as paths from here."""
    return [str(Path("lib/graspbook") / file.relative_to(LIBRARY)) for file in import_closure(modules)]


def results(notebook):
    return f"{OUT}/results/{notebook.replace('/', '_')}.json"


# The last lines of a failed run say which notebook failed and where it lies; the pages show how far it came.
onerror:
    shell(f"{GRASPBOOK} site --profile {PROFILE} || true")


# Asks for every result by name. The site alone would hide a missing one, since it is rendered again after a failure.
rule workbook:
    """Everything: what every notebook found, and the pages that show it."""
    input:
        [results(notebook) for notebook in NOTEBOOKS],
        f"{OUT}/site/index.html",


rule site:
    """The rendered workbook, when every notebook has run."""
    input:
        [results(notebook) for notebook in NOTEBOOKS],
        files_of("graspbook.workbook.site"),
        [str(file) for file in Path("lib/graspbook/workbook/static").iterdir()],
    output:
        f"{OUT}/site/index.html",
    shell:
        f"{GRASPBOOK} site --profile {PROFILE}"


for notebook, upstream in NOTEBOOKS.items():

    rule:
        name:
            notebook.replace("/", "_")
        input:
            library(notebook),
            [results(other) for other in upstream],
            EARLIER.get(notebook, []),
            f"params/{PROFILE}.yaml",
            notebook=f"notebooks/{notebook}.ipynb",
        output:
            results(notebook),
        log:
            f"{OUT}/notebooks/{notebook}.ipynb",
        threads:
            workflow.cores if notebook in ALONE else 1
        shell:
            f"{GRASPBOOK} run {{input.notebook:q}} --profile {PROFILE}"
