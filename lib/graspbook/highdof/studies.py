"""Networks that the notebooks of the high-DOF paper compare: files, trainings, residuals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graspbook.highdof.experiments import ByObject, Variant, residuals_by_object, train_variant
from graspbook.highdof.training import LossSettings
from graspbook.metrics import running_mean
from graspbook.parallel import run_tasks
from graspbook.training import TrainSettings

FINGERTIPS, ALL_LINKS = "fingertips", "all links"  # where contact points are
FINAL, ON_TOP, SEVERAL = "final", "{} on top", "several answers"


class Run(NamedTuple):
    """One network: its hand, its name and its seed."""

    hand: str
    name: str
    seed: int

    def __str__(self) -> str:
        return f"{self.hand} {self.name} {self.seed}"


class Training(NamedTuple):
    """A network and its training."""

    variant: Variant
    settings: TrainSettings


@dataclass(frozen=True)
class Files:
    """The files of a run of the notebooks; root: their folder."""

    root: Path

    def plans(self, kind: str, names: Iterable[str]) -> dict[str, Path]:
        """Planned grasps of each object.

        kind: a hand, a layout of contact points, or the name of a planner that is compared.
        names: of the objects.
        """
        return self._of(names, self.root / "plans" / kind.replace(" ", "_"))

    def held(self, kind: str, names: Iterable[str]) -> dict[str, Path]:
        """The same grasps after the hold test, see `held.held_files`.

        kind, names: as for `plans`.
        """
        return self._of(names, self.root / "held" / kind.replace(" ", "_"))

    @staticmethod
    def _of(names, folder):
        return {name: folder / f"{name}.h5" for name in names}

    def compared(self, way: str, names: Iterable[str]) -> dict[str, Path]:
        """Planned grasps by one of the planners that are compared.

        way: its name.
        names: of the objects.
        """
        return self.plans(f"compared/{way.replace(', ', '_')}", names)

    def examples(self, kind: str) -> Path:
        """Examples that networks learn from.

        kind: as for `plans`.
        """
        return self.root / "highdof" / f"examples_{kind.replace(' ', '_')}.safetensors"

    def network(self, run: Run) -> Path:
        """The weights of a network.

        run: the network.
        """
        if run.name == FINAL:
            return self.root / "weights" / f"highdof_{run.hand}.safetensors"
        name = f"{run.hand}_{run.name.replace(' ', '_')}_seed_{run.seed}.safetensors"
        return self.root / "weights" / "highdof" / name


def changes(
    by_loss: Mapping[str, Variant],
    *,
    betas: Iterable[float],
    fewer: Iterable[int],
    datasets: int,
    layout_grasps: int,
) -> dict[str, Variant]:
    """Variants with one change, by name.

    by_loss: the unchanged variants, by loss.
    betas: of equation 2.
    fewer: grasps per object.
    datasets: with one random grasp per object.
    layout_grasps: per object, planned with contact points on all links and on the fingertips.
    """
    combined, consistency, l2 = (by_loss[kind] for kind in ("combined", "consistency", "l2"))
    found = {f"beta {other:g}": replace(combined, loss=LossSettings(beta=other)) for other in betas}
    found |= {f"{k} grasps": replace(consistency, grasps=k) for k in fewer}
    for i in range(1, datasets + 1):
        found[f"dataset {i}"] = replace(l2, loss=LossSettings("l2", fixed=i))
    return found | {
        "not turned": replace(combined, turned=False),
        ALL_LINKS: replace(combined, grasps=layout_grasps),
        FINGERTIPS: replace(
            combined, grasps=layout_grasps, loss=replace(combined.loss, layout=FINGERTIPS)
        ),
    }


def trainings(
    hands: Sequence[str],
    by_loss: Mapping[str, Variant],
    changed: Mapping[str, Variant],
    settings: TrainSettings,
    *,
    seeds: Iterable[int],
) -> dict[Run, Training]:
    """Trainings from scratch, with the same number of steps.

    hands: the first is trained by each loss and each change, the others by L2 only.
    by_loss: variants, from every seed.
    changed: variants, from the seed of the settings.
    settings: of each training; its seed is replaced.
    seeds: of all losses.
    """
    first, *others = hands
    runs = [(Run(first, kind, s), variant) for kind, variant in by_loss.items() for s in seeds]
    runs += [(Run(hand, "l2", s), by_loss["l2"]) for hand in others for s in seeds]
    runs += [(Run(first, name, settings.seed), variant) for name, variant in changed.items()]
    return {run: Training(own, replace(settings, seed=run.seed)) for run, own in runs}


def on_top(
    hand: str,
    by_loss: Mapping[str, Variant],
    settings: TrainSettings,
    *,
    seeds: Sequence[int],
    files: Files,
) -> dict[Run, Training]:
    """Both losses once more on top of each network that was trained by consistency.

    hand: its name.
    by_loss: variants.
    settings: of each training; its seed is replaced.
    seeds: of the networks to start from.
    files: of these.
    """
    found = {}
    for kind in ("consistency", "combined"):
        for s in seeds:
            init = str(files.network(Run(hand, "consistency", s)))
            training = replace(by_loss[kind], init=init), replace(settings, seed=s + len(seeds))
            found[Run(hand, ON_TOP.format(kind), s)] = Training(*training)
    return found


def train_all(
    asked: Mapping[Run, Training],
    files: Files,
    names: Sequence[str],
    *,
    device: str,
    workers: int,
    apart: Mapping[str, Sequence[str]] | None = None,
) -> dict[Run, list[dict[str, float]]]:
    """Train networks, or reuse their files, and return their histories.

    asked: the trainings.
    files: of networks and examples.
    names: of the objects to train on.
    device: of torch; only a CPU trains several at a time.
    workers: processes.
    apart: objects to train on, for networks with examples of their own, by the network's name.
    """
    apart = apart or {}
    tasks = [
        {
            "hand": run.hand,
            "examples": files.examples(run.name if run.name in apart else run.hand),
            "names": apart.get(run.name, names),
            "variant": training.variant,
            "settings": training.settings,
            "weights": files.network(run),
        }
        for run, training in asked.items()
    ]
    abreast, common = workers if device == "cpu" else 1, {"device": device}
    history = run_tasks(train_variant, tasks, abreast, "trainings", common=common)
    return dict(zip(asked, history, strict=True))


def loss_curve(history: Sequence[Mapping[str, float]]) -> tuple[list[float], np.ndarray]:
    """Steps of a training, and the mean loss of each step and up to 49 before it.

    history: of the training.
    """
    values = running_mean([entry["loss"] for entry in history], 50)
    return [entry["step"] for entry in history], values


@dataclass(frozen=True)
class Residuals:
    """Residuals of networks by object, on each set of objects.

    by_run: {(run, set): residuals by object}.
    """

    by_run: dict[tuple[Run, str], ByObject] = field(default_factory=dict)

    def of(self, hand: str, name: str, seeds: Iterable[int], split: str = "test") -> list[ByObject]:
        """Residuals of a network from each seed, for `comparison.contrast`.

        hand, name, seeds: of the runs.
        split: "test" or "train".
        """
        return [self.by_run[Run(hand, name, s), split] for s in seeds]

    def named(
        self, hand: str, names: Iterable[str], seeds: Sequence[int], split: str = "test"
    ) -> dict[str, list[ByObject]]:
        """Residuals of several networks, by name.

        hand, names, seeds: of the runs.
        split: "test" or "train".
        """
        return {name: self.of(hand, name, seeds, split) for name in names}

    def items(self, run: Run, split: str = "test") -> list[dict[str, Any]]:
        """Residuals of one network, one dict per object.

        run: the network.
        split: "test" or "train".
        """
        return [item for (item,) in self.by_run[run, split].values()]


def residuals_of(
    runs: Iterable[Run],
    files: Files,
    sets: Mapping[str, Sequence[str]],
    *,
    beta: float,
    workers: int,
    fixed: Mapping[Run, int] | None = None,
    turned: bool = True,
) -> Residuals:
    """The Residuals of networks.

    runs: the networks.
    files: of networks and examples.
    sets: names of the objects by set.
    beta: of equation 2.
    workers: processes.
    fixed: the grasp of L2, see `training.fixed_grasps`; 0 for networks without an entry.
    turned: in all rotations, or as objects are stored.
    """
    asked = [(run, split) for run in runs for split in sets]
    tasks = [
        {
            "hand": run.hand,
            "examples": files.examples(run.hand),
            "names": sets[split],
            "weights": files.network(run),
            "fixed": (fixed or {}).get(run, 0),
        }
        for run, split in asked
    ]
    common = {"beta": beta, "turned": turned}
    found = run_tasks(residuals_by_object, tasks, workers, "residuals", common=common)
    return Residuals(dict(zip(asked, found, strict=True)))
