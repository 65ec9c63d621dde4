"""The tasks of a training run: examples of a set of objects as one file, and networks trained on parts of it."""

from dataclasses import asdict, dataclass, field

from graspbook.errors import GraspFileError
from graspbook.hands.library import load_hand
from graspbook.highdof.dataset import examples_header, gather, prepare, read_examples, write_examples
from graspbook.highdof.learning import LossSettings, fewer_grasps, train_network
from graspbook.highdof.network import NetworkSettings
from graspbook.highdof.plans import read_plan
from graspbook.parallel import run_tasks
from graspbook.storage import code_hash, content_hash


def examples_file(path, objects, plans, hand, settings, workers=2):
    """Write the Examples of the objects of a set that have plans {name: file} of a hand to a file, unless they are there."""
    states = {name: read_plan(file, load_hand(hand)) for name, file in plans.items()}
    made_from = {"settings": asdict(settings), "code": code_hash("highdof/dataset", "objects", "hands/pose_vector"),
                 "states": {name: content_hash(plan.states, plan.com, plan.parameters) for name, plan in states.items()}}
    try:
        if examples_header(path)["made_from"] == made_from:
            return
    except GraspFileError:
        pass
    tasks = [(objects, name, plan.com, plan.states, settings) for name, plan in states.items()]
    write_examples(path, gather(settings, list(states), run_tasks(_prepare, tasks, workers, "grids")), made_from)


def _prepare(objects, name, com, states, settings):
    return prepare(objects.load(name).mesh, com, states, settings)


@dataclass(frozen=True)
class Variant:
    """One training: what it differs by from others on the same examples.

    grasps: of each object, 0 for all; subset: a seed that draws them. turned: whether objects are shown in all rotations but the
    first, or in the first alone. init: a weights file to start from.
    """

    network: NetworkSettings
    loss: LossSettings = field(default_factory=LossSettings)
    grasps: int = 0
    subset: int = 0
    turned: bool = True
    init: str = ""


def train_variant(hand, examples, names, variant, train_settings, weights, device="cpu"):
    """Train a Variant on the objects `names` in a file of examples, with the identity first of their rotations, into the file
    `weights`, or find it there; returns its history. hand: a name."""
    hand, chosen = load_hand(hand), read_examples(examples, device).named(names)
    chosen = chosen.turned(slice(1, None) if variant.turned else slice(0, 1))
    if variant.grasps:
        chosen = fewer_grasps(chosen, variant.grasps, variant.subset)
    return train_network(hand, chosen, variant.network, variant.loss, train_settings, weights, variant.init or None)
