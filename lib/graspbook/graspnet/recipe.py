"""The tasks of a training run: examples of one object, and one network, each from the numbers of a notebook's parameters."""

from pathlib import Path

from graspbook.errors import ParameterError
from graspbook.graspnet.dataset import prepare
from graspbook.graspnet.evaluator import EvaluatorSettings, train_evaluator
from graspbook.graspnet.pointnet2 import BackboneSettings
from graspbook.graspnet.sampler import SamplerSettings, train_sampler
from graspbook.storage import read_grasps

NETWORKS = ("paper", "released", "ours")


def network_settings(network, width, points, neighbours, latent, kl_weight):
    """Settings of a sampler and an evaluator.

    network: "paper" (section 4), "released" (the authors' code: batch normalisation, a confidence output), or "ours": the
    cloud encoded once for all of its grasps, the mirror image of a grasp counted as the same, and an evaluator that
    looks up nearest observed points around the gripper. width, points, neighbours: see `pointnet2.BackboneSettings`.
    """
    if network not in NETWORKS:
        raise ParameterError(f"network {network!r}, expected one of {', '.join(NETWORKS)}")
    ours, released = network == "ours", network == "released"
    backbone = BackboneSettings(points=points, neighbours=tuple(neighbours), width=width, length_unit=0.05 if ours else 1.0,
                                normalisation="batch" if released else "none")
    sampler = SamplerSettings(latent=latent, kl_weight=kl_weight, confidence=released, backbone=backbone,
                              conditioning="shared" if ours else "per_point",
                              reconstruction="nearest_symmetric" if ours else "plain")
    return sampler, EvaluatorSettings(representation="probes" if ours else "unified", backbone=backbone)


def prepare_task(objects, name, grasp_file, settings):
    """The `dataset.Examples` of one object of a set from its grasp file."""
    return prepare(name, objects.load(name).mesh, read_grasps(grasp_file), settings)


def train_task(network, examples, settings, train_settings, folder, clouds, device):
    """Train the network named "sampler" or "evaluator" into `folder`, or find it there; returns its training history."""
    train = {"sampler": train_sampler, "evaluator": train_evaluator}[network]
    return train(examples, settings, train_settings, Path(folder) / f"{network}.safetensors",
                 Path(folder) / f"{network}.checkpoint", clouds, device)
