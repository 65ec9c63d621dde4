"""The tasks of a training run: examples of one object, and one network, each from the numbers of a notebook's parameters."""

from dataclasses import replace
from pathlib import Path

from graspbook.errors import ParameterError
from graspbook.graspnet import evaluator, sampler
from graspbook.graspnet.dataset import prepare
from graspbook.storage import read_grasps

NETWORKS = tuple(sampler.PRESETS)


def network_settings(network, width, points, neighbours, latent, kl_weight):
    """Settings of a sampler and an evaluator: those of the presets named `network`, at the given sizes.

    network: "paper" (section 4), "released" (the authors' code), or "quick" (ours), see the presets of `sampler` and
    `evaluator`. width, points, neighbours: see `pointnet2.BackboneSettings`.
    """
    if network not in NETWORKS:
        raise ParameterError(f"network {network!r}, expected one of {', '.join(NETWORKS)}")
    backbone = replace(sampler.PRESETS[network].backbone, width=width, points=points, neighbours=tuple(neighbours))
    return (replace(sampler.PRESETS[network], latent=latent, kl_weight=kl_weight, backbone=backbone),
            replace(evaluator.PRESETS[network], backbone=backbone))


def prepare_task(objects, name, grasp_file, settings):
    """The `dataset.Examples` of one object of a set from its grasp file."""
    return prepare(name, objects.load(name).mesh, read_grasps(grasp_file), settings)


def train_task(network, examples, settings, train_settings, folder, clouds, device):
    """Train the network named "sampler" or "evaluator" into `folder`, or find it there; returns its training history."""
    train = {"sampler": sampler.train_sampler, "evaluator": evaluator.train_evaluator}[network]
    return train(examples, settings, train_settings, Path(folder) / f"{network}.safetensors",
                 Path(folder) / f"{network}.checkpoint", clouds, device)
