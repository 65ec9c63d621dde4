import numpy as np
import pytest
import torch
import trimesh

from graspbook import pose
from graspbook.hands import pose_vector
from graspbook.hands.library import load_hand
from graspbook.highdof import losses
from graspbook.objects.distance import signed_distance_grid, stack

HAND = load_hand("barrett")
CONTACTS = HAND.contacts["default"]
BOX = stack([signed_distance_grid(trimesh.creation.box((0.1, 0.1, 0.1)), 64)])


def poses(n, seed=0):
    rng = np.random.default_rng(seed)
    wrist = pose.from_rt(pose.random_rotations(n, rng), rng.normal(scale=0.1, size=(n, 3)))
    return torch.as_tensor(
        pose_vector.join(wrist, rng.uniform(*HAND.limits.T, (n, len(HAND.joints))))
    )


def test_distances_by_hand():
    x = torch.tensor([[0.1, 0, 0, 1, 0, 0, 0, 0.5, 0.0]])
    grasps = torch.tensor(
        [
            [
                [0.0, 0, 0, 1, 0, 0, 0, 0, 0],
                [0.1, 0, 0.02, 0, 1, 0, 0, 0.5, 0.0],
                [0.1, 0, 0, -1, 0, 0, 0, 0.5, 0.3],
            ]
        ]
    )
    found = losses.squared_distances(x, grasps)
    torch.testing.assert_close(found, torch.tensor([[1 + 0.25, 0.04 + 2, 0.09]]))
    torch.testing.assert_close(losses.consistency(x, grasps), torch.tensor([0.09]))


def test_the_gradient_is_the_papers():
    x, grasps = poses(3).requires_grad_(), poses(12, seed=1).reshape(3, 4, -1)
    losses.consistency(x, grasps).mean().backward()
    nearest = losses.squared_distances(x, grasps).argmin(dim=1)
    difference = x.detach() - grasps[torch.arange(3), nearest]
    expected = 2 * difference / 3  # the paper leaves out the 2
    expected[:, :3] /= losses.LENGTH**2
    flipped = (x.detach() * grasps[torch.arange(3), nearest])[:, 3:7].sum(dim=1) < 0
    expected[flipped, 3:7] = (2 * (x.detach() + grasps[torch.arange(3), nearest]) / 3)[flipped, 3:7]
    torch.testing.assert_close(x.grad, expected)


def test_penetrations_by_hand():
    """The palm's top, at z = 75.4 mm, stands 10 mm deep in the bottom of a cube of 100 mm, whose
    frame is turned about z.
    """
    turned = torch.as_tensor(
        pose.from_rt(pose.rotation_about([0, 0, 1.0], np.pi / 2), [0.2, 0, 0])
    )[None]
    wrist = pose.from_rt(np.eye(3), [0.2, 0.0, -0.05 + 0.01 - 0.0754])
    x = torch.as_tensor(pose_vector.join(wrist, HAND.open))[None]
    depths = losses.penetrations(HAND, x, BOX, torch.tensor([0]), turned, contacts=CONTACTS)[0]
    palm = torch.as_tensor(CONTACTS.links == HAND.links.index("palm"))
    torch.testing.assert_close(
        depths[palm], torch.full((9,), 0.01, dtype=torch.float64), atol=5e-4, rtol=0
    )
    assert (depths[~palm] == 0).all()
    torch.testing.assert_close(
        losses.collision(depths[None]),
        torch.tensor([9 * 0.1**2], dtype=torch.float64),
        atol=0.01,
        rtol=0,
    )


def test_turning_object_and_hand_together_changes_nothing():
    x = poses(6, seed=3)
    turn = torch.as_tensor(
        pose.from_rt(pose.random_rotations(6, np.random.default_rng(2)), np.ones((6, 3)) * 0.1)
    )
    wrist, joints = pose_vector.split(x)
    turned = torch.as_tensor(pose_vector.join((turn @ wrist).numpy(), joints.numpy()))
    which, still = (
        torch.zeros(6, dtype=torch.long),
        torch.eye(4, dtype=torch.float64).expand(6, 4, 4),
    )
    here = losses.penetrations(HAND, x, BOX, which, still, contacts=CONTACTS)
    there = losses.penetrations(HAND, turned, BOX, which, turn, contacts=CONTACTS)
    assert (here > 0).any()
    torch.testing.assert_close(here, there, atol=1e-6, rtol=0)


def test_the_collision_loss_has_the_gradient_of_finite_differences():
    x = poses(4, seed=3).requires_grad_()
    turned = torch.eye(4, dtype=torch.float64).expand(4, 4, 4)

    def loss(x):
        which = torch.zeros(4, dtype=torch.long)
        depths = losses.penetrations(HAND, x, BOX, which, turned, contacts=CONTACTS)
        return losses.collision(depths).sum()

    value = loss(x)
    value.backward()
    assert value > 0
    for index in [(0, 0), (1, 2), (2, 4), (3, 8)]:
        step = torch.zeros_like(x)
        step[index] = 1e-6
        slope = (loss(x.detach() + step) - loss(x.detach() - step)) / 2e-6
        assert float(slope) == pytest.approx(float(x.grad[index]), rel=2e-2, abs=2e-3)


def test_equation_2_gives_the_printed_values():
    assert losses.combined(0.043, 0.914, 0.75) == pytest.approx(0.261, abs=5e-4)
    assert losses.combined(0.062, 0.345, 0.75) == pytest.approx(0.133, abs=5e-4)


def test_the_best_head_learns_and_the_scores_learn_which_it_is():
    values = torch.tensor([[1.0, 3.0], [4.0, 2.0]], requires_grad=True)
    scores = torch.zeros(2, 2, requires_grad=True)
    total = losses.of_heads(values, scores)
    assert float(total) == pytest.approx(0.95 * 1.5 + 0.05 * 2.5 + 0.2 * np.log(2))
    total.backward()
    few, most = 0.05 / 4, 0.95 / 2 + 0.05 / 4
    torch.testing.assert_close(values.grad, torch.tensor([[most, few], [few, most]]))
    assert (scores.grad[[0, 1], [0, 1]] < 0).all() and (scores.grad[[0, 1], [1, 0]] > 0).all()


def test_one_head_has_the_mean_loss():
    assert float(losses.of_heads(torch.tensor([[1.0], [4.0]]), torch.zeros(2, 0))) == 2.5
