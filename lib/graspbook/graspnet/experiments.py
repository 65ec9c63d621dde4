"""The tasks of a training run: examples of one object, and one network, each from the numbers of a
notebook's parameters.
"""

from dataclasses import replace
from pathlib import Path

from graspbook.errors import ParameterError
from graspbook.graspnet import evaluator, sampler
from graspbook.graspnet.dataset import prepare
from graspbook.storage import read_grasps

NETWORKS = tuple(sampler.PRESETS)


def network_settings(network, width, points, neighbours, latent, kl_weight, probed=2048):
    """Settings of a sampler and an evaluator: those of the presets named `network`, at the given
    sizes.

    network: "paper" (section 4), "released" (the authors' code), "paper_shared" (the paper's
    evaluator with the gripper's points and farthest points of the object as centroids), or "ours",
    see the presets of `sampler` and `evaluator`. width, points, neighbours: see
    `pointnet2.BackboneSettings`; probed: see `evaluator.EvaluatorSettings`.
    """
    if network not in NETWORKS:
        raise ParameterError(f"network {network!r}, expected one of {', '.join(NETWORKS)}")
    backbone = replace(
        sampler.PRESETS[network].backbone, width=width, points=points, neighbours=tuple(neighbours)
    )
    return (
        replace(sampler.PRESETS[network], latent=latent, kl_weight=kl_weight, backbone=backbone),
        replace(evaluator.PRESETS[network], backbone=backbone, probed=probed),
    )


def prepare_task(objects, name, settings, grasp_file, more_file=None):
    """The `dataset.Examples` of one object of a set from its grasp file, and from that of its
    `enrichment` if there is one.
    """
    return prepare(
        objects.load(name), read_grasps(grasp_file), settings, more_file and read_grasps(more_file)
    )


def train_task(
    network, examples, settings, train_settings, weights, clouds, device, held_out=(), init=None
):
    """Train the network named "sampler" or "evaluator" into the file `weights`, or find it there;
    returns its history.
    """
    train = {"sampler": sampler.train_sampler, "evaluator": evaluator.train_evaluator}[network]
    return train(
        examples,
        settings,
        train_settings,
        weights,
        Path(weights).with_suffix(".checkpoint"),
        clouds,
        device,
        held_out,
        init,
    )


def kept_back(names):
    """Those of the names "family_number" that early stopping watches: the last of each family of
    three or more.
    """
    return [members[-1] for members in by_family(names).values() if len(members) >= 3]


def by_family(names):
    """The names "family_number" of each family: {family: [name]}."""
    families = {}
    for name in names:
        families.setdefault(name.rsplit("_", 1)[0], []).append(name)
    return families
