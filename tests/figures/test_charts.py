import numpy as np
import pytest

from graspbook import figures


def test_a_heat_map_has_its_first_axis_along_x_and_white_at_zero():
    values = np.array([[-1.0, 2.0, 3.0], [-0.5, 1.0, 2.0]])
    figure = figures.heat_map(
        values, (0, 10, -20, 20), "x [mm]", "z [mm]", "o_s [mm]", title="field"
    )
    heat, contour = figure.data
    assert (
        list(heat.x) == [0, 10]
        and list(heat.y) == [-20, 0, 20]
        and heat.z.tolist() == values.T.tolist()
    )
    assert (heat.zmin, heat.zmax) == (-1, 3) and heat.colorbar.title.text == "o_s [mm]"
    assert heat.colorscale[1] == (0.25, "#f7f7f7")  # zero's place between -1 and 3
    assert (contour.contours.start, contour.contours.end) == (0, 0)
    assert figure.layout.xaxis.title.text == "x [mm]" and figure.layout.yaxis.scaleanchor == "x"
    one_sided = figures.heat_map(np.ones((2, 2)), (0, 1, 0, 1), "x", "y", "z").data[0]
    assert one_sided.zmin < 0 and one_sided.zmax == 1


def test_curves_draw_their_intervals_behind_them():
    x = np.linspace(0, 1, 5)
    lines, bands = {"a": (x, x), "b": (x, 1 - x)}, {"a": (x - 0.1, x + 0.1)}
    figure = figures.curves(lines, "coverage", "success rate", bands, unit_square=True)
    band, line, other = figure.data
    assert band.fill == "toself" and len(band.x) == 10 and line.name == "a" and other.name == "b"
    np.testing.assert_allclose(band.y[:5], x + 0.1, atol=1e-6)
    np.testing.assert_allclose(band.y[5:], (x - 0.1)[::-1], atol=1e-6)
    assert figure.layout.yaxis.range == (0, 1.02) and figure.layout.xaxis.title.text == "coverage"
    assert (
        figures.curves({"loss": (x, x + 1)}, "step", "loss", log_y=True).layout.yaxis.type == "log"
    )


def test_bars_have_uneven_error_bars():
    figure = figures.bars(
        {"ours": [0.5, 0.8]}, ["box", "mug"], "success rate", {"ours": ([0.3, 0.7], [0.6, 0.95])}
    )
    np.testing.assert_allclose(figure.data[0].error_y.array, [0.1, 0.15])
    np.testing.assert_allclose(figure.data[0].error_y.arrayminus, [0.2, 0.1])


def test_a_funnel_gives_shares_and_counts():
    figure = figures.funnel(
        {
            "paper": {"candidates": 10_816_720, "held": 2_104_894},
            "ours": {"candidates": 200, "held": 50},
        }
    )
    assert figure.data[1].x.tolist() == [1.0, 0.25]
    assert figure.data[0].text[1] == "2,104,894"


def test_a_histogram_counts_shares():
    figure = figures.histogram({"good": [0.9, 0.9, 1.0, 0.0], "bad": [0.1]}, "score", bins=10)
    assert figure.data[0].y.sum() == pytest.approx(1) and figure.data[0].y[-1] == pytest.approx(
        0.75
    )
    assert figure.data[1].y.tolist() == [0, 1] + [0] * 8
    assert len(figures.histogram({"zeros": np.zeros(3)}, "x").data) == 1
