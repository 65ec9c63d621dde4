import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.highdof import predict as module
from graspbook.highdof.closing import SLACK
from graspbook.highdof.object_field import make_target
from graspbook.highdof.predict import WAYS, ask, complete, deepest, predict
from graspbook.highdof.training import load_network
from graspbook.objects.distance import signed_distance_grid, stack
from graspbook.quality import epsilon


def generate(hand, network, mesh, settings, *, rotations=5, seed=0, way="polish"):
    """Ask a network, and complete its answers."""
    target = make_target(mesh)
    asked = ask(network, mesh, target, settings, rotations=rotations, seed=seed)
    return complete(hand, target, *asked, way)


@pytest.mark.parametrize("way", WAYS)
def test_candidates_are_clear_ranked_and_within_limits(network_file, barrett, meshes, way):
    network, settings = load_network(network_file, barrett)
    found = generate(barrett, network, meshes["box"], settings, rotations=4, seed=1, way=way)
    assert len(set(found.rotation)) == 4 and (np.diff(found.epsilon) <= 0).all()
    low, high = barrett.limits.T
    assert (found.joints >= low - 1e-6).all() and (found.joints <= high + 1e-6).all()
    assert (found.penetration[found.clear, 1] <= SLACK).all()
    target = make_target(meshes["box"])
    for (points, normals, links), quality in zip(found.contacts, found.epsilon, strict=True):
        assert len(points) == len(normals) == len(links)
        assert quality == pytest.approx(
            epsilon(points, normals, target.com, target.length), abs=1e-9
        )
        outside = np.abs(points) - np.array(meshes["box"].extents) / 2
        assert np.abs(outside.max(axis=1)).max(initial=0) < 0.003


def test_the_same_seed_gives_the_same_candidates(network_file, barrett, meshes):
    network, settings = load_network(network_file, barrett)
    first, second = (
        generate(barrett, network, meshes["box"], settings, rotations=3, seed=5) for _ in range(2)
    )
    np.testing.assert_array_equal(first.object_T_palm, second.object_T_palm)
    np.testing.assert_array_equal(first.joints, second.joints)


def test_an_unknown_way_is_refused(network_file, barrett, meshes):
    network, settings = load_network(network_file, barrett)
    with pytest.raises(
        ParameterError,
        match="way 'prayer' to move a hand out of an object, expected polish or adjust",
    ):
        generate(barrett, network, meshes["box"], settings, way="prayer")


def test_more_rotations_than_there_are_are_refused(network_file, barrett, meshes):
    network, settings = load_network(network_file, barrett)
    with pytest.raises(ParameterError, match="28 rotations of an object, expected at most 27"):
        generate(barrett, network, meshes["box"], settings, rotations=28)


def test_a_hand_that_is_still_inside_comes_after_all_that_are_clear(barrett, meshes, monkeypatch):
    target, clear, quality = (
        make_target(meshes["box"]),
        [False, True, True, False, True],
        iter([-1.0, 0.2, -1.0]),
    )
    x = torch.as_tensor(
        pose_vector.join(np.tile(np.eye(4), (5, 1, 1)), np.tile(barrett.open, (5, 1))),
        dtype=torch.float32,
    )
    monkeypatch.setattr(
        module, "WAYS", {"none": lambda hand, fields, which, x: (x, torch.tensor(clear))}
    )
    monkeypatch.setattr(module, "epsilon", lambda *_: next(quality))
    found = complete(barrett, target, np.arange(5), x, "none")
    assert (
        found.rotation.tolist() == [2, 1, 4, 0, 3]
        and found.clear.tolist() == [True] * 3 + [False] * 2
    )
    assert found.epsilon.tolist() == [0.2, -1, -1, -1, -1]


def test_predictions_are_the_networks_turned_back(network_file, barrett, examples, meshes):
    network, settings = load_network(network_file, barrett)
    found = predict(network, meshes["box"], np.zeros(3), settings, np.array([7]))
    with torch.no_grad():
        x = network(examples.grids[0, 7:8])
    wrist, joints = pose_vector.split(x.double())
    object_T_turned = pose.inverse(examples.turned_T_object[0, 7].double().numpy())
    expected = pose_vector.join(object_T_turned @ wrist.numpy(), joints.numpy())
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_the_deepest_point_by_hand(barrett, meshes):
    """The palm's top is 75.4 mm above its foot: 12 mm of it inside the box from below."""
    fields = stack([signed_distance_grid(meshes["box"], 64)])
    wrist = torch.eye(4)[None].clone()
    wrist[0, 2, 3] = -0.06 - 0.0754 + 0.012
    joints = torch.as_tensor(barrett.open, dtype=torch.float32)[None]
    np.testing.assert_allclose(
        deepest(barrett, fields, torch.tensor([0]), wrist, joints), 0.012, atol=5e-4
    )
    wrist[0, 2, 3] = -1.0
    assert deepest(barrett, fields, torch.tensor([0]), wrist, joints) == 0
