from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from graspbook.errors import ParameterError
from graspbook.hands.library import load_hand
from graspbook.highdof.balance import (
    BalanceSettings,
    balance,
    choose_contacts,
    energy,
    fingers,
    imbalance,
    rest,
)
from graspbook.highdof.energies import Judge
from graspbook.highdof.surface_starts import surface_starts
from graspbook.objects.distance import signed_distance_grid, stack

SETTINGS = BalanceSettings()
FIELDS = stack([signed_distance_grid(trimesh.creation.cylinder(0.03, 0.12), 64)])


def net(points, normals, length=0.1):
    tensors = (torch.tensor(rows, dtype=torch.float64)[None] for rows in (points, normals))
    return float(imbalance(*tensors, torch.tensor([length], dtype=torch.float64)))


def test_the_imbalance_of_forces_by_hand():
    pinch = [[0.05, 0, 0], [-0.05, 0, 0]]
    assert net(pinch, [[-1, 0, 0], [1, 0, 0]]) == pytest.approx(0, abs=1e-9)
    assert net(pinch, [[0, 0, 1], [0, 0, 1]]) == pytest.approx(1, abs=1e-6)
    # A couple: the forces cancel, and each has a torque of 0.05 m over a length of 0.1 m.
    assert net(pinch, [[0, 1, 0], [0, -1, 0]]) == pytest.approx(0.25, abs=1e-6)
    # One finger against two: twice its weight cancels.
    three = [[0.05, 0, 0], [-0.05, 0, 0.02], [-0.05, 0, -0.02]]
    assert net(three, [[-1, 0, 0], [1, 0, 0], [1, 0, 0]]) == pytest.approx(0, abs=1e-3)


def test_no_contact_is_left_without_weight():
    three = [[0.05, 0, 0], [-0.05, 0, 0], [0, 0, 0.05]]
    alone = net(three[:2], [[-1, 0, 0], [1, 0, 0]])
    with_third = net(three, [[-1, 0, 0], [1, 0, 0], [0, 0, -1]])
    assert alone < 1e-9 and with_third == pytest.approx((0.5 / 3) ** 2, rel=0.3)


def test_the_gradient_of_the_imbalance_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    arms = torch.tensor(rng.normal(0, 0.05, (1, 4, 3)), requires_grad=True)
    normals = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(1, 4, 3))), dim=2)
    length = torch.tensor([0.1], dtype=torch.float64)
    gradient = torch.autograd.grad(imbalance(arms, normals, length).sum(), arms)[0]
    step = 1e-5 * torch.tensor(rng.normal(size=arms.shape))
    with torch.no_grad():
        change = imbalance(arms + step, normals, length) - imbalance(arms - step, normals, length)
    assert float(change) == pytest.approx(2 * float((gradient * step).sum()), rel=0.02)


def test_the_energys_gradient_is_that_of_finite_differences():
    """In an object four times as large, so that the whole hand is within the distance field."""
    hand, rng = load_hand("barrett"), np.random.default_rng(0)
    fields = FIELDS._replace(
        **{name: 4 * getattr(FIELDS, name).double() for name in FIELDS._fields}
    )
    which, (low, high) = torch.zeros(6, dtype=torch.long), hand.limits.T
    place, turn = rng.uniform(-0.03, 0.03, (6, 3)), rng.normal(size=(6, 4))
    joints = rng.uniform(low, high, (6, len(low)))
    start = torch.tensor(np.concatenate([place, turn, joints], axis=1))
    chosen = choose_contacts(hand, 6, SETTINGS, rng)
    # How the surface's normals turn has no gradient, so what faces does not count here.
    kind = {"chosen": chosen, "settings": replace(SETTINGS, facing=0.0)}
    state = start.clone().requires_grad_()
    gradient = torch.autograd.grad(energy(hand, fields, which, state, **kind).sum(), state)[0]
    step = 1e-7 * torch.tensor(rng.normal(size=start.shape))
    with torch.no_grad():
        after, before = (energy(hand, fields, which, start + s, **kind) for s in (step, -step))
    torch.testing.assert_close(after - before, 2 * (gradient * step).sum(dim=1), rtol=0.01, atol=0)


@pytest.mark.parametrize("name", ["shadow", "barrett"])
def test_contacts_are_on_different_fingers_or_the_palm(name):
    hand = load_hand(name)
    chosen = choose_contacts(hand, 200, SETTINGS, np.random.default_rng(0))
    owner = {point: finger for finger, own in fingers(hand).items() for point in own}
    owners = [[owner[point] for point in row] for row in chosen]
    palms = np.mean(["palm" in row for row in owners])
    assert all(len(set(row)) == 4 for row in owners)
    if name == "shadow":
        assert all("thbase" in row for row in owners) and 0.2 < palms < 0.4
    else:
        assert palms == 1  # three fingers and the palm


@pytest.mark.parametrize(("name", "tips"), [("shadow", 4), ("barrett", 3)])
def test_the_fingertips_are_the_same_ones_in_each_row(name, tips):
    hand = load_hand(name)
    same = replace(SETTINGS, choice="fingertips")
    chosen = choose_contacts(hand, 5, same, np.random.default_rng(0))
    assert chosen.shape == (5, tips) and (chosen == chosen[0]).all()
    links = [hand.links[link] for link in hand.contacts["default"].links[chosen[0]]]
    assert len(set(links)) == tips and all("distal" in link for link in links)
    assert ("thdistal" in links) == (name == "shadow")


def test_the_descent_leads_to_contacts_that_cancel_within_the_limits():
    hand, which = load_hand("shadow"), torch.zeros(16, dtype=torch.long)
    generator = torch.Generator().manual_seed(0)
    first = surface_starts(hand, FIELDS, Judge(hand, FIELDS, which), generator, gap=SETTINGS.gap)
    chosen = choose_contacts(hand, 16, SETTINGS, np.random.default_rng(0))
    kind = {"chosen": chosen, "settings": SETTINGS}
    states, history = balance(hand, FIELDS, which, first, **kind)
    assert history.shape == (80, 16)
    torch.testing.assert_close(history[0], energy(hand, FIELDS, which, first, **kind))
    after = energy(hand, FIELDS, which, states, **kind)
    assert (after < history[0]).all() and after.median() < 0.3 * history[0].median()
    low, high = torch.as_tensor(hand.limits.T, dtype=torch.float32)
    assert (states[:, 7:] >= low).all() and (states[:, 7:] <= high).all()


def test_a_hand_at_rest_has_its_fingers_a_third_closed():
    hand = load_hand("shadow")
    values = dict(zip(hand.joints, rest(hand), strict=True))
    assert values["FFJ2"] == pytest.approx(1.571 / 3) and values["FFJ3"] == 0
    assert values["THJ0"] == pytest.approx(-1.571 / 3)


def test_impossible_settings_are_refused():
    with pytest.raises(ParameterError, match="at least two contacts"):
        BalanceSettings(contacts=1)
    with pytest.raises(ParameterError, match="from a least to a largest distance"):
        BalanceSettings(gap=(0.05, 0.01))
    with pytest.raises(ParameterError, match="one of random, fingertips"):
        BalanceSettings(choice="palm")
