import numpy as np
import pytest
import torch
import trimesh

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import Hand
from graspbook.hands.library import load_hand
from graspbook.hands.parts import Link, Part
from graspbook.highdof.energies import Judge, distance_sum, graspit
from graspbook.objects.distance import signed_distance_grid, stack

BALL = stack([signed_distance_grid(trimesh.creation.icosphere(4, 0.05), 64)])


def finger():
    """A capsule of 1 cm along z whose tip is the hand's only contact, looking along z."""
    capsule = Part("palm", np.array([[0, 0, 0], [0, 0, 0.05]]), 0.01)
    return Hand(
        "finger",
        [Link("palm"), Link("end", "palm", joint="turn", limits=(-1, 1))],
        [capsule],
        {"default": [("palm", np.array([0, 0, 0.06]), np.array([0, 0, 1.0]))]},
    )


def states(*places, rotation=None):
    wrist = pose.from_rt(np.eye(3) if rotation is None else rotation, np.array(places))
    return torch.as_tensor(pose_vector.join(wrist, np.zeros((len(places), 1))), dtype=torch.float32)


def test_the_sum_is_a_mean_in_millimetres():
    assert float(distance_sum(torch.tensor([0.001, -0.003]))) == pytest.approx(2.0)


def test_the_normal_term_by_hand():
    gradients = torch.tensor([[0.0, 0, 1], [0, 0, 1], [1, 0, 0]])
    normals = torch.tensor([[0.0, 0, -1], [0, 0, 1], [0, 0, 1]])
    # facing the surface 0, away from it 2 · 50, along it 50; distances 0, 3 and 6 mm
    assert float(graspit(torch.tensor([0.0, 0.003, -0.006]), gradients, normals)) == pytest.approx(
        (0 + 103 + 56) / 3
    )


def test_a_tip_before_a_ball():
    at = states([0, 0, -0.05 - 0.06 - 0.02])  # the tip 2 cm below the ball, looking at it
    for energy in ("distance_sum", "graspit"):
        found, legal = Judge(finger(), BALL, torch.tensor([0]), energy=energy)(
            at, torch.tensor([0])
        )
        assert legal.all() and float(found) == pytest.approx(20.0, abs=0.5)


def test_states_that_overlap_are_not_legal():
    near, touching, inside = -0.05 - 0.06 - 0.001, -0.05 - 0.06, -0.05 - 0.06 + 0.004
    energies, legal = Judge(finger(), BALL, torch.tensor([0, 0, 0]))(
        states(*([0, 0, z] for z in (near, touching, inside))), torch.arange(3)
    )
    assert legal.tolist() == [True, True, False]
    assert torch.isinf(energies[2]) and torch.isfinite(energies[:2]).all()


def test_a_wall_thinner_than_the_gaps_of_points_is_noticed():
    plate = stack([signed_distance_grid(trimesh.creation.box((0.2, 0.2, 0.002)), 64)])
    through = states([0, 0, -0.025])
    assert not Judge(finger(), plate, torch.tensor([0]))(through, torch.tensor([0]))[1].any()


def test_each_chain_meets_its_own_object():
    far = stack(
        [
            signed_distance_grid(trimesh.creation.icosphere(4, 0.05), 64),
            signed_distance_grid(
                trimesh.creation.icosphere(4, 0.05).apply_translation([0.5, 0, 0]), 64
            ),
        ]
    )
    place = [0, 0, -0.05 - 0.06 - 0.02]
    energies = Judge(finger(), far, torch.tensor([0, 1]), energy="distance_sum")(
        states(place, place), torch.arange(2)
    )[0]
    assert energies[0] < 25 and energies[1] > 300


def test_turning_the_world_changes_nothing():
    hand, rng = load_hand("shadow"), np.random.default_rng(0)
    mesh = trimesh.creation.box((0.05, 0.07, 0.2))
    turn = np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]])
    turned = mesh.copy().apply_transform(pose.from_rt(turn, np.zeros(3)))
    wrist = pose.from_rt(pose.random_rotations(20, rng), rng.uniform(-0.2, 0.2, (20, 3)))
    found = []
    for shape, frame in ((mesh, np.eye(4)), (turned, pose.from_rt(turn, np.zeros(3)))):
        x = torch.as_tensor(
            pose_vector.join(frame @ wrist, np.tile(hand.open, (20, 1))), dtype=torch.float32
        )
        judge = Judge(
            hand, stack([signed_distance_grid(shape, 64)]), torch.zeros(20, dtype=torch.long)
        )
        found.append(judge(x, torch.arange(20)))
    torch.testing.assert_close(found[0][1], found[1][1])
    torch.testing.assert_close(*(energies for energies, _ in found), rtol=1e-3, atol=0.05)


@pytest.mark.parametrize("bad", [{"energy": "sum"}, {"layout": "soles"}])
def test_unknown_choices_are_refused(bad):
    with pytest.raises(ParameterError, match="unknown"):
        Judge(load_hand("shadow"), BALL, torch.tensor([0]), **bad)
