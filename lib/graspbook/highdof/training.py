"""Training of the high-DOF network with the paper's three losses, and its residuals for each
(sections IV and V-C).
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from graspbook.errors import ParameterError, WeightsError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand, place
from graspbook.highdof import losses
from graspbook.highdof.dataset import DataSettings, Examples
from graspbook.highdof.network import GraspNetwork, NetworkSettings
from graspbook.storage import code_hash, content_hash
from graspbook.training import TrainSettings, train_to_file
from graspbook.weights_files import load_model

LOSSES = ("l2", "consistency", "combined")
BATCH = 16


@dataclass(frozen=True)
class LossSettings:
    """Settings of the loss.

    kind: "l2" to one grasp per object, "consistency" or "combined" (equation 2).
    beta: of equation 2.
    fixed: the grasp of "l2", see `fixed_grasps`.
    layout: the hand's contact points of the collision loss.
    """

    kind: str = "combined"
    beta: float = 0.75
    fixed: int = 0
    layout: str = "default"

    def __post_init__(self) -> None:
        if self.kind not in LOSSES:
            raise ParameterError(f"loss {self.kind!r}, expected one of {', '.join(LOSSES)}")
        if not 0 <= self.beta <= 1:
            raise ParameterError(f"beta {self.beta}, expected 0 to 1")


def fixed_grasps(examples: Examples, fixed: int) -> torch.Tensor:
    """Grasps (N, R, 7 + J), one for each object.

    examples: of N objects.
    fixed: 0 for those of least energy, else the seed of random ones.
    """
    count, chosen = len(examples.names), np.zeros(len(examples.names), int)
    if fixed:
        chosen = np.random.default_rng(fixed).integers(examples.grasps.shape[2], size=count)
    return examples.grasps[torch.arange(count), :, torch.as_tensor(chosen)]


def fewer_grasps(examples: Examples, count: int, seed: int) -> Examples:
    """The examples with some random grasps of each object, still with the least energy first.

    Raises ParameterError for more grasps than there are.

    examples: to choose from.
    count: grasps of each object.
    seed: of the choice.
    """
    planned, rng = examples.grasps.shape[2], np.random.default_rng(seed)
    if count > planned:
        raise ParameterError(
            f"{count} grasps of each object, expected at most {planned}, the number of planned"
            " grasps"
        )
    kept = [own[:, np.sort(rng.choice(planned, count, replace=False))] for own in examples.grasps]
    return replace(examples, grasps=torch.stack(kept))


def train_network(
    hand: Hand,
    examples: Examples,
    network: NetworkSettings,
    loss: LossSettings,
    *,
    settings: TrainSettings,
    weights: Path | str,
    init: Path | str | None = None,
) -> list[dict[str, float]]:
    """Train a GraspNetwork on Examples into a file, or reuse the file, and return its history.

    A batch has 16 turned objects, or all if there are fewer. An epoch has each object once, without
    the remainder that fills no batch. Its order depends only on the seed. Raises ParameterError for
    a single turned object, because batch normalisation needs more.

    hand: of the grasps.
    examples: to learn from, on the training's device.
    network: its sizes.
    loss: its settings.
    settings: of the training.
    weights: the file.
    init: weights to start from.
    """
    count, turns = examples.grids.shape[:2]
    if count * turns < 2:
        raise ParameterError(
            f"training on {count} objects in {turns} rotations, expected at least two examples"
        )
    fixed, device = fixed_grasps(examples, loss.fixed), examples.grids.device
    contacts = hand.contacts[loss.layout]

    def batch_of(step):
        epoch, start = divmod(step * BATCH, count * turns // BATCH * BATCH or BATCH)
        order = np.random.default_rng([settings.seed, epoch]).permutation(count * turns)
        chosen = torch.as_tensor(order[start : start + BATCH], device=device)
        return chosen // turns, chosen % turns

    def loss_of(model, batch, generator):
        which, turn = batch
        several, scores = model.answers(examples.grids[which, turn])
        heads = several.shape[1]
        values, parts = each(several.flatten(0, 1), *(i.repeat_interleave(heads) for i in batch))
        values = values.reshape(-1, heads)
        best = values.detach().argmin(dim=1, keepdim=True)
        figures = {
            name: float(part.detach().reshape(-1, heads).gather(1, best).mean())
            for name, part in parts.items()
        }
        return losses.of_heads(values, scores), figures

    def each(x, which, turn):
        """The loss (M,) of each answer, and its parts."""
        if loss.kind == "l2":
            return losses.squared_distances(x, fixed[which, turn][:, None])[:, 0], {}
        consistency = losses.consistency(x, examples.grasps[which, turn])
        if loss.kind == "consistency":
            return consistency, {}
        turned = examples.turned_T_object[which, turn]
        depths = losses.penetrations(hand, x, examples.fields, which, turned, contacts=contacts)
        collision = losses.collision(depths)
        parts = {"consistency": consistency, "collision": collision}
        return losses.combined(consistency, collision, loss.beta), parts

    parameters = {
        "network": "highdof",
        "hand": hand.name,
        "joints": list(hand.joints),
        "sizes": asdict(network),
        "loss": asdict(loss),
        "data": asdict(examples.settings),
        "examples": examples_hash(examples),
        "code": code_hash(__name__),
    }
    return train_to_file(
        weights,
        Path(weights).with_suffix(".checkpoint"),
        lambda: GraspNetwork(len(hand.joints), network).to(device),
        batch_of,
        loss_of,
        settings=settings,
        parameters=parameters,
        label=f"{hand.name} {loss.kind}",
        init=init,
        fused=True,
    )


def examples_hash(examples: Examples) -> str:
    """Hash of the parts of Examples that a training uses.

    examples: on any device.
    """
    tensors = examples.grids, examples.turned_T_object, examples.grasps, *examples.fields
    return content_hash(list(examples.names), *(tensor.cpu().numpy() for tensor in tensors))


def load_network(path: Path | str, hand: Hand) -> tuple[GraspNetwork, DataSettings]:
    """The GraspNetwork in a weights file and the DataSettings it was trained with.

    Raises WeightsError if the file is missing, of another network or hand, or does not fit.

    path: of the weights.
    hand: the expected one.
    """

    def make(parameters):
        found = [parameters.get(name) for name in ("network", "hand", "joints")]
        if found != ["highdof", hand.name, list(hand.joints)]:
            raise WeightsError(
                f"{path}: it is a {found[0]} network of the hand {found[1]} with joints"
                f" {', '.join(found[2] or [])}; expected a highdof network of the hand"
                f" {hand.name} with joints {', '.join(hand.joints)}"
            )
        sizes = parameters["sizes"] | {"hidden": tuple(parameters["sizes"]["hidden"])}
        return GraspNetwork(len(hand.joints), NetworkSettings(**sizes))

    network, parameters = load_model(path, make)
    return network, DataSettings(**parameters["data"])


@dataclass(frozen=True)
class Residuals:
    """A network's answers for N objects in R rotations, and their errors.

    See `losses` for the units. All but x are (N, R).

    x: (N, R, 7 + J), in the turned frames.
    nearest: index of the nearest grasp x_j.
    size: ‖x_j‖.
    l2: to one fixed grasp, the sum of its parts for translation, rotation and joints.
    mean_l2: mean over all K.
    points: number of contact points inside the object.
    depth: their mean depth in metres, NaN without any.
    apart: mean distance of the contact points from those of the nearest grasp, metres; it depends
        on no frame.
    """

    x: np.ndarray
    nearest: np.ndarray
    size: np.ndarray
    l2: np.ndarray
    translation: np.ndarray
    rotation: np.ndarray
    joints: np.ndarray
    mean_l2: np.ndarray
    consistency: np.ndarray
    collision: np.ndarray
    points: np.ndarray
    depth: np.ndarray
    apart: np.ndarray


def residuals(hand: Hand, model: GraspNetwork, examples: Examples, *, fixed: int = 0) -> Residuals:
    """The Residuals of a network.

    hand: of the training.
    model: the network.
    examples: its inputs and grasps.
    fixed: see `fixed_grasps`.
    """
    contacts, columns = hand.contacts["default"], []
    targets = fixed_grasps(examples, fixed)
    with torch.no_grad():
        for index in range(len(examples.names)):
            x = model(examples.grids[index])
            which = torch.full((len(x),), index, device=x.device)
            squares = losses.squared_distances(x, examples.grasps[index])
            parts = losses.squared_parts(x, targets[index][:, None])[:, 0]
            turned = examples.turned_T_object[index]
            depths = losses.penetrations(hand, x, examples.fields, which, turned, contacts=contacts)
            inside = (depths > 0).sum(dim=1)
            nearest = squares.argmin(dim=1)
            grasps = examples.grasps[index][torch.arange(len(x)), nearest]
            size = losses.squared_distances(torch.zeros_like(x), grasps[:, None])[:, 0].sqrt()
            far = parts.sum(dim=1), *parts.T, squares.mean(dim=1), squares.amin(dim=1)
            deep = losses.collision(depths), inside, depths.sum(dim=1) / inside
            apart = (_points(hand, contacts, x) - _points(hand, contacts, grasps)).norm(dim=-1)
            columns.append((x, nearest, size, *far, *deep, apart.mean(dim=1)))
    return Residuals(*(torch.stack(values).cpu().numpy() for values in zip(*columns, strict=True)))


def _points(hand, contacts, x):
    return place(hand, *pose_vector.split(x), contacts.points, contacts.links)
