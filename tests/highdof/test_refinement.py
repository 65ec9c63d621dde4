import numpy as np
import pytest
import torch
import trimesh

from graspbook import pose
from graspbook.hands import pose_vector
from graspbook.hands.articulated import place
from graspbook.hands.library import load_hand
from graspbook.highdof import losses
from graspbook.highdof.closing import SLACK
from graspbook.highdof.energies import Judge
from graspbook.highdof.predict import deepest
from graspbook.highdof.refinement import adjust, polish, refine
from graspbook.objects.distance import signed_distance_grid, stack

BOX = stack([signed_distance_grid(trimesh.creation.box((0.1, 0.1, 0.1)), 64)])


@pytest.fixture(params=["shadow", "barrett"], scope="module")
def hand(request):
    return load_hand(request.param)


def inside(hand, n=12):
    """Pose vectors of hands, turned at random, whose contact points are spread about the middle of
    the box, and their objects.
    """
    rotation = pose.random_rotations(n, np.random.default_rng(0))
    contacts = hand.contacts["default"]
    opened = torch.as_tensor(hand.open, dtype=torch.float32)
    middle = place(hand, torch.eye(4), opened, contacts.points, contacts.links).mean(dim=0)
    wrist = pose.from_rt(rotation, -rotation @ middle.numpy())
    x = pose_vector.join(wrist, np.tile(hand.open, (n, 1)))
    return torch.as_tensor(x, dtype=torch.float32), torch.zeros(n, dtype=torch.long)


def test_adjusted_hands_are_clear(hand):
    x, which = inside(hand)
    assert deepest(hand, BOX, which, *pose_vector.split(x)).min() > 0.01
    moved, clear = adjust(hand, BOX, which, x)
    assert clear.all()
    assert deepest(hand, BOX, which, *pose_vector.split(moved)).max() < SLACK
    low, high = torch.as_tensor(hand.limits.T, dtype=torch.float32)
    assert (moved[:, 7:] >= low).all() and (moved[:, 7:] <= high).all()


def test_the_papers_adjustment_clears_its_contact_points_alone(hand):
    x, which = inside(hand)
    moved, clear = adjust(hand, BOX, which, x, points="contacts")
    contacts, still = hand.contacts["default"], torch.eye(4).expand(len(x), 4, 4)
    assert clear.all()
    assert (losses.penetrations(hand, moved, BOX, which, still, contacts=contacts) == 0).all()
    assert deepest(hand, BOX, which, *pose_vector.split(moved)).max() > SLACK


def test_what_is_clear_stays_where_it_is(hand):
    x, which = inside(hand)
    x[:, :3] *= 5
    moved, clear = adjust(hand, BOX, which, x)
    assert clear.all()
    torch.testing.assert_close(moved, pose_vector.normalise(x))


def test_without_steps_nothing_is_claimed(hand):
    x, which = inside(hand)
    moved, clear = adjust(hand, BOX, which, x, steps=0)
    assert not clear.any()
    torch.testing.assert_close(moved, pose_vector.normalise(x))


def test_refinement_trades_nearness_for_penetration(hand):
    x, which = inside(hand, 4)
    contacts, still = hand.contacts["default"], torch.eye(4).expand(4, 4, 4)

    def terms(moved):
        depths = losses.penetrations(hand, moved, BOX, which, still, contacts=contacts)
        return losses.squared_distances(moved, x[:, None])[:, 0], losses.collision(depths)

    before = terms(x)[1]
    for beta in (0.75, 0.25):
        distance, collision = terms(refine(hand, BOX, which, x, beta=beta))
        assert (
            losses.combined(distance, collision, beta) < losses.combined(0.0, before, beta)
        ).all()
        assert ((collision < before) & (collision > 0)).all()
    low, high = (terms(refine(hand, BOX, which, x, beta=beta))[1] for beta in (0.1, 0.9))
    assert (low < high).all()


def test_polished_hands_are_clear_and_nearer_to_the_surface(hand):
    x, which = inside(hand)
    adjusted, _ = adjust(hand, BOX, which, x)
    polished, clear = polish(hand, BOX, which, x)
    assert clear.all() and deepest(hand, BOX, which, *pose_vector.split(polished)).max() < SLACK
    judge, chains = Judge(hand, BOX, which, overlap=0.01), torch.arange(len(x))
    assert judge(polished, chains)[0].mean() < 0.9 * judge(adjusted, chains)[0].mean()
