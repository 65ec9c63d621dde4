"""The graph of notebooks: what each needs and what each makes, for one profile.

    snakemake --cores 2 --keep-going --config profile=smoke        (`make reproduce`)

One rule a notebook. It runs again when its notebook, its profile, a library file that it imports, or the results it
builds on have changed. Its executed notebook is declared as a log, so that Snakemake keeps it when it fails; its
results are written whole or not at all, so that a killed run goes on (`--rerun-incomplete --nolock`, as `make` has it).
"""

import sys
from pathlib import Path

# notebook: (the rooms of lib/graspbook that it imports, the notebooks whose products it reads), in the order they run.
# A room is a folder or a module; floor 0 and what the workbook itself uses come with every notebook.
NOTEBOOKS = {
    "graspnet/1_objects": (["objects"], []),
    "graspnet/2_grasp_data": (["objects", "perception", "simulation", "graspnet/candidates", "graspnet/dataset",
                               "graspnet/enrichment", "graspnet/frame"], ["graspnet/1_objects"]),
    "graspnet/3_training": (["objects", "perception", "simulation", "graspnet", "training"],
                            ["graspnet/1_objects", "graspnet/2_grasp_data"]),
    "graspnet/4_refinement": (["objects", "perception", "simulation", "graspnet", "training"], ["graspnet/3_training"]),
    "graspnet/5_ablations": (["objects", "perception", "simulation", "graspnet", "training"], ["graspnet/3_training"]),
    "graspnet/6_robot_trials": (["objects", "perception", "simulation", "graspnet", "training", "robots", "workbook/trials",
                                 "workbook/trial_figures", "workbook/trial_tables", "workbook/trial_pictures"], []),
    "highdof/1_hands_and_objects": (["objects", "highdof", "simulation", "training", "quality"], []),
    "highdof/2_grasp_data": (["objects", "highdof", "simulation", "training", "quality"], ["highdof/1_hands_and_objects"]),
    "highdof/3_training": (["objects", "highdof", "simulation", "training", "quality"], ["highdof/2_grasp_data"]),
    "highdof/4_penetration": (["objects", "highdof", "simulation", "training", "quality"], ["highdof/3_training"]),
    "0_tour": (["objects", "perception", "simulation", "graspnet", "training"], []),
}
EVERY = ["errors", "pose", "storage", "parallel", "metrics", "comparison", "hands"] + [
    f"workbook/{module}" for module in ("params", "outputs", "provenance", "run", "figures", "tables", "viewer")
]

# Measured once against recorded labels; the networks that come with the package.
EARLIER = {"graspnet/2_grasp_data": ["outputs/published/results/calibration.json"], "0_tour": ["lib/graspbook/weights/run.json"],
           "graspnet/6_robot_trials": ["lib/graspbook/weights/run.json"]}
# In real time: it gets both cores to itself.
ALONE = ["graspnet/6_robot_trials"]

PROFILE = config.get("profile", "smoke")
OUT = f"outputs/{PROFILE}"
GRASPBOOK = f"{sys.executable} -m graspbook"


def library(rooms):
    """The Python files of some rooms."""
    folder = Path("lib/graspbook")
    return sorted(str(file) for room in rooms for file in [*folder.glob(f"{room}.py"), *folder.glob(f"{room}/**/*.py")])


def results(notebook):
    return f"{OUT}/results/{notebook.replace('/', '_')}.json"


# The last lines of a failed run say which notebook failed and where it lies; the pages show how far it came.
onerror:
    shell(f"{GRASPBOOK} site --profile {PROFILE} || true")


# Asks for every result by name: the site alone would hide a missing one, being rendered anew after a failure.
rule workbook:
    """Everything: what every notebook found, and the pages that show it."""
    input:
        [results(notebook) for notebook in NOTEBOOKS],
        f"{OUT}/site/index.html",


rule site:
    """The rendered workbook, when every notebook has run."""
    input:
        [results(notebook) for notebook in NOTEBOOKS],
        library(["workbook/site"]),
        [str(file) for file in Path("lib/graspbook/workbook/static").iterdir()],
    output:
        f"{OUT}/site/index.html",
    shell:
        f"{GRASPBOOK} site --profile {PROFILE}"


for notebook, (rooms, upstream) in NOTEBOOKS.items():

    rule:
        name:
            notebook.replace("/", "_")
        input:
            library(EVERY + rooms),
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
            f"{GRASPBOOK} run {{input.notebook}} --profile {PROFILE}"
