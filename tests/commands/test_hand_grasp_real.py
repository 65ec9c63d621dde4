"""The networks of hands that come with the package, on scans of real objects."""

from pathlib import Path

import pytest

from graspbook.commands.hand_grasp import weights_path
from graspbook.errors import PlanError
from graspbook.hands.library import load_hand
from graspbook.highdof.network import fuse
from graspbook.highdof.plans import check_size
from graspbook.highdof.predict import generate
from graspbook.highdof.training import load_network
from graspbook.objects.mesh import load_mesh
from graspbook.storage import SHIPPED
from graspbook.workbook.ship_highdof import HANDS

MESHES = Path(__file__).parents[2].parent / "shared" / "real" / "meshes"

pytestmark = pytest.mark.skipif(not MESHES.is_dir(), reason="needs ../shared/real/meshes")


@pytest.fixture(params=HANDS, scope="module")
def found(request):
    """The Candidates of five rotations of every mesh that fits the hand: {name: Candidates}."""
    hand = load_hand(request.param)
    network, settings = load_network(weights_path(SHIPPED, hand.name), hand)
    network = fuse(network)
    return {
        name: generate(hand, network, mesh, settings, rotations=5, seed=0)
        for name, mesh in fitting(hand)
    }


def fitting(hand):
    for path in sorted(MESHES.glob("*.stl")):
        mesh = load_mesh(path)
        try:
            check_size(hand, path.name, mesh)
        except PlanError:
            continue
        yield path.stem, mesh


def test_the_whole_hand_is_free_of_the_object_after_adjustment_and_closing(found):
    assert len(found) >= 6
    depths = {name: candidates.penetration[:, 1:].max() for name, candidates in found.items()}
    assert not {name: depth for name, depth in depths.items() if depth > 0.002}
    assert all(candidates.clear.all() for candidates in found.values())


def test_the_best_of_five_rotations_is_in_force_closure_on_half_of_the_objects(found):
    closed = [name for name, candidates in found.items() if candidates.epsilon[0] > 0]
    assert len(closed) >= len(found) / 2, closed
