"""A grasp beside the planner's, and the shipped networks of hands on scans of real objects."""

import contextlib
from functools import cache

import numpy as np
import pytest

from graspbook.errors import PlanError
from graspbook.hands.library import load_hand
from graspbook.highdof.mesh_grasp import beside_planner, weights_path
from graspbook.highdof.object_field import make_target
from graspbook.highdof.plans import check_size
from graspbook.highdof.predict import ask, complete
from graspbook.highdof.training import load_network
from graspbook.objects.mesh import load_mesh
from graspbook.storage import SHIPPED


@pytest.fixture(scope="module")
def objects(real_data):
    """Every second mesh by name, and a cached function of their Targets, which serve both hands."""
    paths = sorted((real_data / "meshes").glob("*.stl"))[::2]
    meshes = {path.stem: load_mesh(path) for path in paths}
    return meshes, cache(lambda name: make_target(meshes[name]))


@pytest.fixture(params=["shadow", "barrett"], scope="module")
def found(request, objects):
    """The Candidates of five rotations of every mesh that fits the hand: {name: Candidates}."""
    hand, (meshes, target) = load_hand(request.param), objects
    network, settings = load_network(weights_path(SHIPPED, hand.name), hand)
    found = {}
    for name, mesh in meshes.items():
        with contextlib.suppress(PlanError):
            check_size(hand, name, mesh)
            asked = ask(network, mesh, target(name), settings, rotations=5, seed=0)
            found[name] = complete(hand, target(name), *asked, "polish")
    return found


def test_the_whole_hand_is_free_of_the_object_after_adjustment_and_closing(found):
    assert len(found) == 6
    depths = {name: candidates.penetration[:, 1:].max() for name, candidates in found.items()}
    assert not {name: depth for name, depth in depths.items() if depth > 0.002}
    assert all(candidates.clear.all() for candidates in found.values())


def test_the_best_of_five_rotations_is_in_force_closure_on_half_of_the_objects(found):
    closed = [name for name, candidates in found.items() if candidates.epsilon[0] > 0]
    assert len(closed) >= len(found) / 2, closed


def test_relative_to_the_planner():
    found = beside_planner(0.05, np.array([0.1, -1, 0.3, -1, -1, 0.2]))
    # Of six choices of five one leaves out 0.3.
    assert found["best_of_5"] == pytest.approx((5 * 0.3 + 0.2) / 6) and found["best_epsilon"] == 0.3
    assert found["force_closure"] == 0.5 and found["relative_to_best"] == pytest.approx(1 / 6)
    assert found["relative_epsilon"] == pytest.approx(0.05 / found["best_of_5"])
    assert beside_planner(-1.0, [0.1] * 5)["relative_epsilon"] == 0
    few = beside_planner(0.1, [0.2, -1])
    assert few["best_of_5"] is few["relative_epsilon"] is None and few["relative_to_best"] == 0.5
    assert (
        beside_planner(0.1, [-1.0] * 5)["relative_epsilon"]
        is beside_planner(0.1, [-1.0] * 5)["relative_to_best"]
        is None
    )
