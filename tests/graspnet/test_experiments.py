import pytest

from graspbook.errors import ParameterError
from graspbook.graspnet.experiments import kept_back, network_settings


def test_presets_differ_where_paper_and_released_code_do():
    paper, paper_evaluator = network_settings("paper", 1.0, 1024, [64, 128], 2, 0.01)
    released, _ = network_settings("released", 1.0, 1024, [64, 128], 2, 0.01)
    ours, our_evaluator = network_settings("ours", 0.25, 512, [16, 16], 2, 0.003)
    assert not paper.confidence and released.confidence and not ours.confidence
    assert paper.backbone.normalisation == "none" and released.backbone.normalisation == "batch"
    assert (
        paper.conditioning == released.conditioning == "per_point" and ours.conditioning == "shared"
    )
    assert paper_evaluator.representation == "unified" and our_evaluator.representation == "probes"
    assert (
        paper_evaluator.points == 1024
        and our_evaluator.points == 2048
        and our_evaluator.backbone.points == 512
    )
    assert (paper.backbone.centroids, paper.backbone.radii) == ((128, 32), (0.02, 0.04))


def test_the_last_of_each_family_of_three_is_kept_back():
    assert kept_back(["box_0000", "box_0002", "box_0009", "mug_0000", "mug_0001"]) == ["box_0009"]


def test_unknown_network():
    with pytest.raises(
        ParameterError,
        match="network 'theirs', expected one of paper, released, paper_shared, ours",
    ):
        network_settings("theirs", 1.0, 1024, [64, 128], 2, 0.01)
