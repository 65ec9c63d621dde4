import numpy as np
import torch
from scipy.spatial.transform import Rotation

from graspbook import pose


def random_poses(n, seed=0):
    rng = np.random.default_rng(seed)
    return pose.from_rt(pose.random_rotations(n, rng), rng.normal(size=(n, 3)))


def test_inverse_undoes_transform():
    poses, points = random_poses(7), np.random.default_rng(1).normal(size=(7, 5, 3))
    np.testing.assert_allclose(
        pose.transform(pose.inverse(poses), pose.transform(poses, points)), points, atol=1e-12
    )
    np.testing.assert_allclose(
        pose.inverse(poses) @ poses, np.broadcast_to(np.eye(4), (7, 4, 4)), atol=1e-12
    )


def test_quarter_turn_by_hand():
    turn = pose.rotation_about([0, 0, 2.0], np.pi / 2)
    np.testing.assert_allclose(turn, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)


def test_quaternions_agree_with_scipy_and_choose_one_hemisphere():
    rotations = pose.random_rotations(200, np.random.default_rng(2))
    quats = pose.matrix_to_quat_wxyz(rotations)
    assert (quats[:, 0] >= 0).all()
    expected = Rotation.from_matrix(rotations).as_quat(canonical=True, scalar_first=True)
    np.testing.assert_allclose(quats, expected, atol=1e-12)
    np.testing.assert_allclose(pose.quat_wxyz_to_matrix(quats), rotations, atol=1e-12)
    half_turns = pose.rotation_about(np.eye(3), np.full(3, np.pi))
    np.testing.assert_allclose(
        pose.quat_wxyz_to_matrix(pose.matrix_to_quat_wxyz(half_turns)), half_turns, atol=1e-12
    )


def test_torch_and_numpy_agree():
    quats = np.random.default_rng(3).normal(size=(10, 4))
    matrices = pose.quat_wxyz_to_matrix_torch(torch.tensor(quats)).numpy()
    np.testing.assert_allclose(matrices, pose.quat_wxyz_to_matrix(quats), atol=1e-12)
    poses = random_poses(10)
    built = pose.from_rt_torch(torch.tensor(poses[:, :3, :3]), torch.tensor(poses[:, :3, 3]))
    np.testing.assert_array_equal(built.numpy(), poses)


def test_euler_angles_agree_with_scipy_and_survive_the_pole():
    rotations = pose.random_rotations(50, np.random.default_rng(4))
    angles = pose.matrix_to_euler_sxyz_torch(torch.tensor(rotations))
    np.testing.assert_allclose(
        angles.numpy(), Rotation.from_matrix(rotations).as_euler("xyz"), atol=1e-9
    )
    np.testing.assert_allclose(
        pose.euler_sxyz_to_matrix_torch(angles).numpy(), rotations, atol=1e-12
    )
    pole = torch.tensor(Rotation.from_euler("xyz", [0.4, np.pi / 2, 0.0]).as_matrix())
    np.testing.assert_allclose(
        pose.euler_sxyz_to_matrix_torch(pose.matrix_to_euler_sxyz_torch(pole)).numpy(),
        pole,
        atol=1e-7,
    )


def test_euler_gradient_matches_finite_differences():
    angles = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pose.euler_sxyz_to_matrix_torch, (angles,))


def test_random_rotations_are_uniform():
    rotations = pose.random_rotations(20000, np.random.default_rng(5))
    np.testing.assert_allclose(rotations.mean(0), 0, atol=0.02)
    np.testing.assert_allclose((rotations[:, 2, 2] ** 2).mean(), 1 / 3, atol=0.01)


def test_align_z_gives_right_handed_frames():
    directions = np.random.default_rng(6).normal(size=(100, 3))
    frames = pose.align_z(directions)
    np.testing.assert_allclose(
        frames[..., 2], directions / np.linalg.norm(directions, axis=1, keepdims=True)
    )
    np.testing.assert_allclose(np.linalg.det(frames), 1)
