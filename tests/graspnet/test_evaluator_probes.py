from dataclasses import replace

import numpy as np
import torch

from graspbook import pose
from graspbook.graspnet import evaluator_probes
from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.batches import random_roll
from graspbook.graspnet.evaluator_probes import PROBES, Preparer, Probes, observe

SMALL = BackboneSettings(
    points=60, centroids=(20, 14), neighbours=(8, 8), width=0.125, length_unit=0.05
)
COUNT = len(PROBES)


def cloud(seed=0):
    return 0.03 * torch.randn(1, 60, 3, generator=torch.Generator().manual_seed(seed))


def poses(n, seed=0):
    rng = np.random.default_rng(seed)
    return torch.tensor(
        pose.from_rt(pose.random_rotations(n, rng), 0.08 * rng.normal(size=(n, 3))),
        dtype=torch.float32,
    )[None]


def seen(grasps, points):
    """The parts of what the probes see: vectors (G, 182, 3), behind (G, 182), outline (G, 182),
    direction of view (G, 3).
    """
    values = observe(grasps, points, Preparer(SMALL)(points)[0])[0]
    vector, behind, outline, view = values.split([3 * COUNT, COUNT, COUNT, 3], dim=-1)
    return vector.unflatten(-1, (COUNT, 3)), behind, outline, view


def test_probes_see_their_nearest_point_in_the_frame_of_the_hand():
    grasps, points = poses(3), cloud()
    for grasp, vectors in zip(
        grasps[0].double().numpy(), seen(grasps, points)[0].numpy(), strict=True
    ):
        local = pose.transform(pose.inverse(grasp), points[0].double().numpy())
        offsets = local[None] - PROBES[:, None]
        length = np.linalg.norm(vectors, axis=-1, keepdims=True)
        found = 0.02 * vectors / (1 - length)  # v of v / (2 cm + |v|)
        exact = np.linalg.norm(offsets, axis=-1).min(axis=1)
        distance = np.linalg.norm(found, axis=-1)
        reach = exact < 0.04  # within the table: further out the cell at its edge answers
        assert (distance > exact - 1e-3).all() and (distance < exact + 0.012)[reach].all()
        # and each is the vector to some point of the cloud
        near = np.abs(offsets - found[:, None]).max(axis=-1).min(axis=1)
        assert np.median(near) < 1e-5


def test_probes_know_what_is_before_behind_and_beside_the_surface():
    # a wall at z = 0 that covers |x|, |y| < 10 cm, seen along +z; the hand's frame is the camera's,
    # moved
    side = torch.linspace(-0.1, 0.1, 41)
    wall = torch.cat([torch.cartesian_prod(side, side), torch.zeros(41 * 41, 1)], dim=1)[None]
    move = torch.eye(4).repeat(1, 3, 1, 1)
    move[0, :, :3, 3] = torch.tensor([[0, 0, -0.3], [0, 0, 0.1], [0.3, 0, 0]])
    _, behind, outline, view = seen(move, wall)
    depth = torch.tensor(PROBES[:, 2], dtype=torch.float32)
    expected = depth - 0.3
    torch.testing.assert_close(behind[0], expected / (0.02 + expected.abs()))
    assert (behind[0] < 0).all() and (behind[1] > 0).all()
    assert (outline[:2] < 0.5).all() and (outline[2] > 0.9).all()
    torch.testing.assert_close(view, torch.tensor([[0.0, 0, 1]]).expand(3, 3))


def test_a_roll_about_the_camera_changes_what_probes_see_by_no_more_than_the_cells_of_the_table():
    roll = random_roll(1, torch.Generator().manual_seed(3))
    turn = pose.from_rt_torch(roll, torch.zeros(1, 3))
    grasps, points = poses(20), cloud()
    for before, after in zip(
        seen(grasps, points), seen(turn[:, None] @ grasps, points @ roll.mT), strict=True
    ):
        assert float((before - after).abs().median()) < 1e-4


def test_the_cloud_is_encoded_under_the_roll_and_grasps_are_placed_under_it():
    torch.manual_seed(0)
    network, points, grasps = Probes(SMALL).eval(), cloud(), poses(5)
    groups = Preparer(SMALL)(points)
    roll = random_roll(1, torch.Generator().manual_seed(3))
    rolled = network(points, groups, grasps, roll)
    tables, levels, _ = groups
    context = network.encode(points @ roll.mT, levels)
    torch.testing.assert_close(network(points, (tables, levels, context), grasps, roll), rolled)
    assert float((network(points, groups, grasps) - rolled).detach().abs().max()) > 1e-4


def test_only_the_first_points_are_encoded_and_all_are_looked_up():
    torch.manual_seed(0)
    network, grasps = Probes(SMALL).eval(), poses(5)
    points = torch.cat([cloud(), cloud(7)], dim=1)
    tables, levels, context = network.prepare(points, Preparer(SMALL)(points))
    few_tables, few_levels, few = network.prepare(points[:, :60], Preparer(SMALL)(points[:, :60]))
    torch.testing.assert_close(context, few)
    assert all(
        torch.equal(a.neighbours, b.neighbours) for a, b in zip(levels, few_levels, strict=True)
    )
    assert not torch.equal(
        observe(grasps, points, tables), observe(grasps, points[:, :60], few_tables)
    )


def test_a_preparer_remembers_clouds():
    prepare, points = Preparer(SMALL), torch.cat([cloud(1), cloud(2)])
    first = prepare(points)
    assert len(prepare.known) == 2
    again = prepare(points.flip(0))
    assert len(prepare.known) == 2
    assert torch.equal(again[0].origin, first[0].origin.flip(0))


def test_bfloat16_is_near_float32_with_its_gradient(monkeypatch):
    monkeypatch.setattr(evaluator_probes, "multiplies_bfloat16", lambda kind: True)
    torch.manual_seed(0)
    network, points = Probes(SMALL), cloud()
    found = []
    for precision in ("float32", "bfloat16"):
        network.settings = replace(SMALL, precision=precision)
        grasps = poses(20).requires_grad_()
        features = network(points, Preparer(SMALL)(points), grasps)
        found.append((features.detach(), torch.autograd.grad(features.sum(), grasps)[0]))
    for exact, near in zip(*found, strict=True):
        assert near.dtype == torch.float32 and not torch.equal(near, exact)
        assert (near - exact).norm() < 0.06 * exact.norm()
