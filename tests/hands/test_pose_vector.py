import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.hands import pose_vector
from graspbook.hands.library import load_hand


@pytest.mark.parametrize("name, length", [("shadow", 25), ("barrett", 11)])
def test_pose_vectors_have_the_papers_lengths_and_survive_the_round_trip(name, length):
    hand, rng = load_hand(name), np.random.default_rng(0)
    wrist = pose.from_rt(pose.random_rotations(6, rng), rng.normal(size=(6, 3))).reshape(2, 3, 4, 4)
    joints = rng.uniform(*hand.limits.T, (2, 3, len(hand.joints)))
    x = pose_vector.join(wrist, joints)
    assert x.shape == (2, 3, length) and (x[..., 3] >= 0).all()
    back = pose_vector.split(torch.as_tensor(x))
    np.testing.assert_allclose(back[0], wrist, atol=1e-12)
    np.testing.assert_array_equal(back[1], joints)
    assert pose_vector.join(wrist, joints[0, 0]).shape == (2, 3, length)


def test_normalise_keeps_the_pose_and_chooses_one_hemisphere():
    x = torch.randn(
        20, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    fixed = pose_vector.normalise(x)
    torch.testing.assert_close(fixed[:, 3:7].norm(dim=1), torch.ones(20, dtype=torch.float64))
    assert (fixed[:, 3] >= 0).all()
    for before, after in zip(pose_vector.split(x), pose_vector.split(fixed), strict=True):
        torch.testing.assert_close(before, after)
    assert torch.autograd.gradcheck(pose_vector.normalise, (x[:2],))
