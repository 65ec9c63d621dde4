from itertools import product

import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.graspnet.backbone import BackboneSettings
from graspbook.graspnet.evaluator import Evaluator, EvaluatorSettings, score
from graspbook.graspnet.refinement import (
    Refinement,
    best_of_iterations,
    refine,
    refine_by_gradient,
    refine_by_log_odds,
    refine_by_metropolis,
)

CLOUD = 0.05 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0))


class Toy(torch.nn.Module):
    """An evaluator whose success probability is a given function of the grasps (K, 4, 4)."""

    settings = EvaluatorSettings()

    def __init__(self, success):
        super().__init__()
        self.success = success

    def prepare(self, points):
        return None

    def forward(self, points, groups, grasps):
        return torch.stack(
            [torch.zeros_like(grasps[..., 0, 0]), torch.logit(self.success(grasps))], dim=-1
        )


def poses(n, seed=0, spread=0.1):
    rng = np.random.default_rng(seed)
    return torch.tensor(
        pose.from_rt(pose.random_rotations(n, rng), spread * rng.normal(size=(n, 3))),
        dtype=torch.float32,
    )


def hill(grasps):
    """Best at the origin with z down; steep enough that the 1 cm limit binds."""
    return torch.exp(
        -20 * grasps[..., :3, 3].square().sum(-1) - 0.3 * (1 + grasps[..., 2, 2])
    ).clamp(1e-4, 1 - 1e-4)


def test_every_step_uses_its_own_gradient_alone():
    # A constant slope below the limit: equal steps. Gradients that were not zeroed would make each
    # longer than the last.
    slope = torch.tensor([0.003, -0.002, 0.001])
    toy = Toy(lambda grasps: 0.5 + grasps[..., :3, 3] @ slope)
    start = poses(4, spread=0.01)
    steps = refine_by_gradient(toy, CLOUD, start, steps=5).grasps[..., :3, 3].diff(dim=0)
    torch.testing.assert_close(steps, slope.expand(5, 4, 3), atol=2e-6, rtol=0)


def test_no_step_moves_further_than_a_centimetre_and_the_score_climbs():
    refinement = refine_by_gradient(Toy(hill), CLOUD, poses(50), steps=10)
    assert refinement.grasps.shape == (11, 50, 4, 4) and refinement.scores.shape == (11, 50)
    moved = refinement.grasps[..., :3, 3].diff(dim=0).norm(dim=-1)
    assert float(moved.max()) <= 0.01 + 1e-6 and float(moved[0].max()) > 0.0099
    assert (refinement.scores[-1] > refinement.scores[0]).float().mean() > 0.95
    torch.testing.assert_close(refinement.scores, hill(refinement.grasps))
    rotation = refinement.grasps[-1, :, :3, :3]
    torch.testing.assert_close(
        rotation @ rotation.mT, torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=0
    )


def test_the_first_step_by_hand():
    toy = Toy(hill)
    start = poses(1)
    angles = pose.matrix_to_euler_sxyz_torch(start[:, :3, :3])
    values = torch.cat([angles, start[:, :3, 3]], dim=-1).double()

    def success(v):
        return hill(pose.from_rt_torch(pose.euler_sxyz_to_matrix_torch(v[:, :3]), v[:, 3:]))

    offsets = 1e-6 * torch.eye(6, dtype=torch.double)[:, None]
    gradient = torch.cat([(success(values + o) - success(values - o)) / 2e-6 for o in offsets])
    eta = min(0.01 / float(gradient[3:].norm()), 1.0)
    expected = (values[0] + eta * gradient).float()
    moved = refine_by_gradient(toy, CLOUD, start, steps=1).grasps[1, 0]
    torch.testing.assert_close(moved[:3, 3], expected[3:], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        moved[:3, :3], pose.euler_sxyz_to_matrix_torch(expected[:3]), atol=1e-4, rtol=0
    )


def test_steps_along_the_log_odds_have_set_lengths_and_go_uphill():
    refinement = refine_by_log_odds(Toy(hill), CLOUD, poses(50), steps=10)
    before, after = refinement.grasps[:-1].double(), refinement.grasps[1:].double()
    shift = (after - before)[..., :3, 3].norm(dim=-1)
    relative = before[..., :3, :3].mT @ after[..., :3, :3]
    # the angles of the motion are Euler angles of small turns: their length is the angle but for a
    # few thousandths
    turn = ((relative.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).arccos()
    length = (shift.square() + (0.06 * turn).square()).sqrt()
    expected = 0.006 * (1 / 6) ** (torch.arange(10, dtype=torch.double) / 9)
    torch.testing.assert_close(length, expected[:, None].expand(10, 50), rtol=0.02, atol=2e-5)
    assert (refinement.scores[-1] > refinement.scores[0]).all()


def test_the_log_odds_climb_where_the_probability_is_flat():
    def cliff(grasps):
        return torch.sigmoid(-20 - 100 * grasps[..., 0, 3].clamp_min(-1.0))

    start = poses(5)
    start[:, 0, 3] = 0.05
    assert float(refine_by_gradient(Toy(cliff), CLOUD, start, steps=3).scores[-1].max()) < 1e-8
    moved = refine_by_log_odds(Toy(cliff), CLOUD, start, steps=3).grasps[-1, :, 0, 3]
    assert float((moved - start[:, 0, 3]).max()) < -0.005


def test_the_world_turned_the_steps_along_the_log_odds_turn_with_it():
    turn = poses(1, seed=5)[0]
    start = poses(10)
    plain = refine_by_log_odds(Toy(hill), CLOUD, start, steps=4).grasps
    turned = refine_by_log_odds(
        Toy(lambda grasps: hill(torch.linalg.inv(turn) @ grasps)), CLOUD, turn @ start, steps=4
    ).grasps
    torch.testing.assert_close(turned, turn @ plain, atol=1e-4, rtol=0)


def test_refinement_moves_with_the_cloud():
    # The score looks at the grasp from the cloud's mean, so shifting both shifts every step.
    class Relative(Toy):
        def forward(self, points, groups, grasps):
            shift = torch.zeros(4, 4)
            shift[:3, 3] = points.mean(dim=(0, 1))
            return super().forward(points, groups, grasps - shift)

    shift = torch.zeros(4, 4)
    shift[:3, 3] = torch.tensor([0.3, -0.2, 0.5])
    start = poses(5)
    here = refine_by_gradient(Relative(hill), CLOUD, start).grasps
    there = refine_by_gradient(Relative(hill), CLOUD + shift[:3, 3], start + shift).grasps
    torch.testing.assert_close(there, here + shift, atol=1e-4, rtol=0)


def test_a_flat_score_moves_nothing():
    start = poses(3)
    refinement = refine_by_gradient(
        Toy(lambda grasps: 0.5 + 0 * grasps[..., 0, 3]), CLOUD, start, steps=2
    )
    torch.testing.assert_close(refinement.grasps, start.expand(3, -1, -1, -1))


def test_metropolis_moves_within_its_box_and_keeps_rotations():
    start = poses(100)
    refinement = refine_by_metropolis(
        Toy(hill), CLOUD, start, steps=20, generator=torch.Generator().manual_seed(0)
    )
    moved = refinement.grasps[..., :3, 3].diff(dim=0).abs()
    assert float(moved.max()) <= 0.02
    accepted = (moved > 0).any(dim=-1)
    assert 0.3 < float(accepted.float().mean()) < 1
    assert accepted.any(dim=0).all()
    torch.testing.assert_close(
        refinement.grasps[..., :3, :3], start[:, :3, :3].expand(21, -1, -1, -1), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(refinement.scores, hill(refinement.grasps))


def test_metropolis_turns_when_asked():
    refinement = refine_by_metropolis(
        Toy(hill),
        CLOUD,
        poses(20),
        steps=5,
        generator=torch.Generator().manual_seed(0),
        rotation=0.1,
    )
    assert float((refinement.grasps[-1] - refinement.grasps[0])[:, :3, :3].abs().max()) > 0.01


def test_metropolis_accepts_by_the_ratio():
    # Density 0.4 left of zero and 0.1 right of it: three quarters of the steps across are refused,
    # so 4 of 5 chains end left.
    start = torch.eye(4).repeat(4000, 1, 1)
    toy = Toy(lambda grasps: torch.where(torch.sin(grasps[..., 0, 3] * 200) > 0, 0.1, 0.4))
    refinement = refine_by_metropolis(
        toy, CLOUD, start, steps=25, generator=torch.Generator().manual_seed(0)
    )
    assert float((refinement.scores[-1] > 0.2).float().mean()) == pytest.approx(0.8, abs=0.03)


def test_metropolis_repeats_with_its_seed():
    runs = [
        refine_by_metropolis(
            Toy(hill), CLOUD, poses(5), steps=3, generator=torch.Generator().manual_seed(s)
        ).grasps
        for s in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


def test_the_best_step_of_each_sample_is_picked():
    scores = torch.tensor([[0.1, 0.9], [0.85, 0.2], [0.3, 0.79]])
    grasps = torch.arange(6.0).view(3, 2, 1, 1).expand(3, 2, 4, 4)
    best, score_, step, above = best_of_iterations(Refinement(grasps, scores))
    assert best[:, 0, 0].tolist() == [2, 1]
    assert (
        score_.tolist() == pytest.approx([0.85, 0.9])
        and step.tolist() == [1, 0]
        and above.tolist() == [True, True]
    )
    assert best_of_iterations(Refinement(grasps, scores), 0.87)[3].tolist() == [False, True]


def test_scores_are_those_of_the_real_evaluator():
    backbone = BackboneSettings(
        points=40, centroids=(16, 12), neighbours=(16, 16), width=0.125, length_unit=0.05
    )
    torch.manual_seed(0)
    evaluator = Evaluator(EvaluatorSettings("unified", "object_and_gripper", backbone)).eval()
    start = poses(10)
    generator = torch.Generator().manual_seed(0)
    for method, steps in product(("gradient", "log_odds", "metropolis"), (0, 3)):
        refinement = refine(evaluator, CLOUD, start, steps, method=method, generator=generator)
        assert len(refinement.scores) == steps + 1
        for grasps, scores in zip(refinement.grasps, refinement.scores, strict=True):
            torch.testing.assert_close(
                scores, score(evaluator, CLOUD, grasps), atol=1e-5, rtol=1e-4
            )
    assert all(p.grad is None for p in evaluator.parameters())


def test_an_unknown_method_is_refused():
    with pytest.raises(ParameterError, match="newton"):
        refine(Toy(hill), CLOUD, poses(1), 1, method="newton", generator=torch.Generator())
