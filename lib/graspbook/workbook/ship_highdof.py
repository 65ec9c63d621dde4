"""The networks of many-jointed hands that come with the package, beside those of `ship`: with their
own record and card.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from graspbook.highdof.training import BATCH
from graspbook.simulation.hold import HoldSettings
from graspbook.storage import SHIPPED, atomic_path, gather, write_json
from graspbook.training import halve_weights
from graspbook.workbook import params
from graspbook.workbook.outputs import Outputs
from graspbook.workbook.ship import executed

HANDS = ("shadow", "barrett")
NETWORKS = tuple(f"highdof_{hand}" for hand in HANDS)
NOTEBOOKS = tuple(name for name in params.NOTEBOOKS if name.startswith("highdof/"))
RECORD, CARD = "run_highdof.json", "README_highdof.md"

_CARD = """# Model card: grasps of the Shadow Hand and the Barrett Hand for whole objects

`highdof_shadow` and `highdof_barrett` (see `graspbook.highdof`), in half precision. Written by `graspbook ship --paper highdof`;
`{record}` beside this card holds the parameters and figures of the run.

| | |
|---|---|
| profile, revision | {profile}, {revision} |
| input | the whole object in one of 27 rotations, as {grid}³ occupied or free voxels; 0.95 of a side are {length:g} m |
| its frame | that of the turned object, its centre of mass at the origin and in the middle of the grid |
| output | in that frame the wrist, metres and a unit quaternion w, x, y, z with w ≥ 0, then the joints, rad |
| numbers | 25 of the Shadow Hand, 11 of the Barrett Hand; the weights files name the joints in their order |
| network | three convolutions of {width} kernels, then {hidden} neurons |
| training data | {objects}, {held_out} of them held out, each in 27 rotations |
| an object | {grasps} grasps of each hand, planned by {search} |
| training | combined loss with β = {beta:g}, Adam from {rate:g} downwards, {final_steps} steps of batches of {batch} |

## Losses

Sums of squares: lengths in units of 0.1 m, joints in rad, quaternions as they are, the nearer of q and -q. Mean over objects and
rotations. L2 is to the planned grasp of least energy, L_consistency to the nearest of all.

{losses}

## Grasps for objects of the same families that it was not trained on

{counted} objects, {rotations} rotations each, every answer mended and the hand closed. *planner*: of the {grasps} grasps that are
planned for each object as many random ones, closed; *random*: random starts, mended and closed alike. ε of Ferrari and Canny at
friction {friction:g}, 0 without force closure. *Held*: the share that keeps an object of {mass:g} kg against gravity from six
directions in MuJoCo, among the {held} grasps of each object that have the largest ε. In brackets intervals at 95 % over objects.

{success}

Deepest point of any closed hand inside an object: {deepest}.

## Predictions of the Shadow Hand, mended

On the same objects in 27 rotations. *Clear*: no point of the whole hand more than 2 mm inside. `graspbook hand-grasp` polishes.

{ways}

## Limits

- One rigid object standing free, its whole surface known: no table, no clutter. A point cloud is closed by its convex hull,
  which fills handles and hollows.
- An object may reach {reach:.2f} m from its centre of mass at most.
- Predictions as they are often reach into the object: they are made to be mended, closed, and the best by ε of several
  rotations taken.
- With objects of other kinds, measure first: `graspbook hand-grasp --against` has the planner's grasps beside the network's.
- Judged by ε and in simulation only: one friction, one mass, rigid hands. No robot has executed these grasps yet.
"""

# Columns of the card's tables: figure, heading, and factor to what is printed.
_LOSSES = {
    "l2": ("L2", 1),
    "mean_l2": ("mean L2 to all", 1),
    "consistency": ("L_consistency", 1),
    "collision": ("L_collision", 1),
    "combined": ("L_combined", 1),
    "points": ("points inside, of 45", 1),
    "depth": ("their depth [mm]", 1000),
}
_SUCCESS = {
    "force closure": "in force closure",
    "epsilon": "mean ε",
    "best of 5": "ε of the best of five",
    "held": "held",
}
_WAYS = {
    "points": ("points inside, of 45", 1),
    "deepest": ("deepest of the hand [mm]", 1000),
    "clear": ("clear [%]", 100),
}


def ship_highdof(profile, output_root=None, folder=SHIPPED):
    """Write the networks of both hands of a run, their record and their model card to `folder`, and
    return the card's path.

    output_root: of the run, `outputs/<profile>` if None. Raises NotebookError for a run that is not
    complete, WeightsError for weights that are missing.
    """
    outputs, folder = Outputs(output_root or f"outputs/{profile}"), Path(folder)
    notebooks = {name: executed(outputs, name) for name in NOTEBOOKS}
    objects, _, training, penetration = (
        outputs.read_results(name.replace("/", "_")) for name in NOTEBOOKS
    )
    run = {
        "profile": profile,
        "revision": notebooks["highdof/3_training"]["revision"],
        "dirty": any(recorded["dirty"] for recorded in notebooks.values()),
        "objects": objects["recipe"],
        "counts": {split: len(names) for split, names in objects["names"].items()},
        "parameters": {name: recorded["parameters"] for name, recorded in notebooks.items()},
        "losses": training["final"],
        "deepest": penetration["deepest"],
        "success": {hand: _summary(found) for hand, found in penetration["success"].items()},
        "ways": _summary(penetration["ways"]),
    }
    card = _card(run)
    with TemporaryDirectory() as made:  # nothing in the package changes before all is well
        files = {network: Path(made) / f"{network}.safetensors" for network in NETWORKS}
        for file in files.values():
            halve_weights(outputs.weights / file.name, file)
        gather(folder, **files)
    write_json(folder / RECORD, run)
    with atomic_path(folder / CARD) as temporary:
        temporary.write_text(card)
    return folder / CARD


def _summary(found):
    """Of a contrast the figures of its variants, without their differences."""
    return {"objects": found["objects"], **found["variants"]}


def _card(run):
    _, data, training, penetration = (run["parameters"][name] for name in NOTEBOOKS)
    deepest = ", ".join(f"{hand} {1000 * depth:.1f} mm" for hand, depth in run["deepest"].items())
    names = {
        "descent": "gradient descent between jumps",
        "annealing": "simulated annealing",
        "annealing_candidates": "simulated annealing by the best of ten candidates",
    }
    return _CARD.format(
        **{
            key: training[key] for key in ("grid", "length", "width", "beta", "rate", "final_steps")
        },
        profile=run["profile"],
        revision=f"{run['revision']}{' (with changes)' * run['dirty']}",
        record=RECORD,
        batch=BATCH,
        hidden=" and ".join(map(str, training["hidden"])),
        objects=_objects(run),
        held_out=run["counts"]["held_out"],
        grasps=data["grasps"],
        search=names[data["search"]],
        mass=HoldSettings().mass,
        friction=HoldSettings().friction,
        rotations=penetration["rotations"],
        held=penetration["tested"],
        counted=run["ways"]["objects"],
        reach=training["length"] / 2,
        losses=_losses(run["losses"]),
        success=_success(run["success"]),
        deepest=deepest,
        ways=_ways(run["ways"]),
    )


def _objects(run):
    if run["objects"]["folder"]:
        return f"{run['counts']['all']} meshes"
    counts = ", ".join(f"{family} {count}" for family, count in run["objects"]["counts"].items())
    return f"{run['counts']['all']} parametric objects ({counts})"


def _losses(losses):
    rows = [
        [
            f"{hand}, {'held out' if split == 'test' else 'trained on'}",
            *(f"{unit * figures[key]:.3g}" for key, (_, unit) in _LOSSES.items()),
        ]
        for hand, by_split in losses.items()
        for split, figures in by_split.items()
    ]
    return _table(["", *(title for title, _ in _LOSSES.values())], rows)


def _success(success):
    rows = [
        [f"{hand}, {who}", *(_cell(figures[key]) for key in _SUCCESS)]
        for hand, found in success.items()
        for who, figures in sorted(found.items(), key=_planner_first)
        if who != "objects"
    ]
    return _table(["", *_SUCCESS.values()], rows)


def _planner_first(item):
    return item[0] != "planner", item[0]


def _ways(ways):
    rows = [
        [way, *(_cell(figures[key], unit) for key, (_, unit) in _WAYS.items())]
        for way, figures in ways.items()
        if way != "objects"
    ]
    return _table(["", *(title for title, _ in _WAYS.values())], rows)


def _cell(row, unit=1):
    """A value with its interval, where it has one, in other units."""
    if row["value"] is None:
        return "–"
    edges = (
        f" [{unit * row['interval'][0]:.3g}, {unit * row['interval'][1]:.3g}]"
        if row["interval"]
        else ""
    )
    return f"{unit * row['value']:.3g}{edges}"


def _table(titles, rows):
    return "\n".join(f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), *rows))
