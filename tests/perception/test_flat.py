import numpy as np
import pytest

from graspbook.perception.flat import flat_objects, noise_of_plane


def table(noise, height=0.005):
    """A plane at 0.6 m with a card of 6 x 4 cm, and which points are the card's."""
    x, y = np.meshgrid(np.arange(-0.2, 0.2, 0.002), np.arange(-0.15, 0.15, 0.002))
    card = (np.abs(x) < 0.03) & (np.abs(y) < 0.02)
    z = 0.6 - height * card + np.random.default_rng(0).normal(0, noise, x.shape)
    return np.stack([x, y, z], axis=-1).reshape(-1, 3), card.ravel()


def test_a_card_is_found_above_the_noise():
    points, card = table(0.0008)
    (found,), normal, least = flat_objects(points)
    assert len(found[0]) == pytest.approx(card.sum(), rel=0.1)
    assert found[1] == pytest.approx(0.005, abs=5e-4) and 0.002 < least < 0.004
    np.testing.assert_allclose(normal, [0, 0, -1], atol=0.01)


@pytest.mark.parametrize(("noise", "height"), [(0.003, 0.005), (0.0008, 0.002), (0.0008, 0)])
def test_what_the_noise_hides_is_not_found(noise, height):
    found, _, least = flat_objects(table(noise, height)[0])
    assert not found and least > height


def test_no_table_no_flat_objects():
    ball = np.random.default_rng(0).normal(0, 0.1, (1000, 3)) + [0, 0, 1]
    assert not flat_objects(ball)[0] and not flat_objects(ball[:10])[0]


def test_noise_grows_with_the_square_of_the_depth():
    points = np.array([[0, 0, 0.5], [0, 0, 1.0]] * 50)
    heights = np.random.default_rng(0).normal(0, 0.003, 100) * points[:, 2] ** 2
    noise = noise_of_plane(points, heights)
    assert noise[1] == pytest.approx(4 * noise[0]) and noise[1] == pytest.approx(0.003, rel=0.3)
