"""Two objects, a few made-up grasps of the Barrett Hand for each, and a small network: enough to
learn on in seconds.
"""

import numpy as np
import pytest
import torch
import trimesh

from graspbook import pose
from graspbook.hands import pose_vector
from graspbook.hands.library import load_hand
from graspbook.highdof.dataset import DataSettings, gather, prepare
from graspbook.highdof.network import NetworkSettings

DATA = DataSettings(grid=16, length=0.3, nodes=32)
SIZES = NetworkSettings(grid=16, width=4, hidden=(64, 32))


@pytest.fixture(scope="session")
def barrett():
    return load_hand("barrett")


@pytest.fixture(scope="session")
def meshes():
    return {
        "box": trimesh.creation.box((0.06, 0.08, 0.12)),
        "ball": trimesh.creation.icosphere(radius=0.05),
    }


@pytest.fixture(scope="session")
def examples(barrett, meshes):
    """Grasps from above and from below: palms 5 cm from the surface, joints at random."""
    rng, parts = np.random.default_rng(0), []
    for mesh in meshes.values():
        turns = [pose.rotation_about([1.0, 0, 0], angle) for angle in (0.0, np.pi, 0.1)]
        wrist = pose.from_rt(turns, [turn @ [0, 0, -0.19] for turn in turns])
        states = pose_vector.join(
            wrist, rng.uniform(*(barrett.limits * [[1.0, 0.4]]).T, (3, len(barrett.joints)))
        )
        parts.append(prepare(mesh, np.zeros(3), states, DATA))
    return gather(DATA, list(meshes), parts)


@pytest.fixture(scope="session")
def network_file(barrett, examples, tmp_path_factory):
    """Weights that 30 steps on the examples give."""
    from graspbook.highdof.training import LossSettings, train_network
    from graspbook.training import TrainSettings

    file = tmp_path_factory.mktemp("highdof") / "highdof_barrett.safetensors"
    train_network(
        barrett, examples, SIZES, LossSettings(), settings=TrainSettings(30, 1e-3), weights=file
    )
    return file


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)
