import pytest
import torch
import trimesh

from graspbook.hands import pose_vector
from graspbook.hands.library import load_hand
from graspbook.highdof.balance_search import search_balance
from graspbook.highdof.energies import Judge
from graspbook.highdof.planner import search_settings
from graspbook.highdof.surface_starts import palm_face
from graspbook.objects.distance import signed_distance_grid, stack

BALL, BOX = trimesh.creation.icosphere(radius=0.04), trimesh.creation.box((0.05, 0.06, 0.16))
FIELDS = stack([signed_distance_grid(mesh, 64) for mesh in (BALL, BOX)])
WHICH = torch.tensor([0] * 6 + [1] * 6)


def search(hand, name):
    judge = Judge(hand, FIELDS, WHICH)
    settings = search_settings(name, steps=4)
    return search_balance(hand, judge, settings, torch.Generator().manual_seed(0))


def at_rest(hand, states):
    """Whether the joints (N,) are those of the open hand."""
    opened = torch.as_tensor(hand.open, dtype=torch.float32)
    return (states[:, 7:] == opened).all(dim=1).tolist()


@pytest.mark.parametrize("name", ["shadow", "barrett"])
def test_a_palm_touches_the_surface_with_the_hand_open(name):
    hand = load_hand(name)
    found = search(hand, "palm")
    assert all(at_rest(hand, found.states)) and found.evaluations == 0
    wrist = pose_vector.split(found.states)[0][:6]
    middle = torch.as_tensor(palm_face(hand)[0], dtype=torch.float32)
    away = (wrist[:, :3, :3] @ middle + wrist[:, :3, 3]).norm(dim=1) - 0.04
    assert away.min() > -0.001 and away.max() < 0.0055
    assert (found.history == found.history[0]).all()


def test_half_of_each_objects_grasps_touch_and_the_others_move():
    hand = load_hand("barrett")
    found = search(hand, "palm_or_fingertips")
    assert at_rest(hand, found.states) == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3
    assert found.evaluations == 6 * 4 and (found.history[0] != found.history[-1]).sum() == 6


def test_none_stay_where_none_should():
    hand = load_hand("barrett")
    found = search(hand, "balance_fingertips")
    assert not any(at_rest(hand, found.states)) and found.evaluations == 12 * 4
