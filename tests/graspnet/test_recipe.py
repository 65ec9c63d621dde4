import pytest

from graspbook.errors import ParameterError
from graspbook.graspnet.recipe import network_settings


def test_presets_differ_where_paper_and_released_code_do():
    paper, paper_evaluator = network_settings("paper", 1.0, 1024, [64, 128], 2, 0.01)
    released, _ = network_settings("released", 1.0, 1024, [64, 128], 2, 0.01)
    quick, quick_evaluator = network_settings("quick", 0.25, 512, [16, 16], 2, 0.003)
    assert not paper.confidence and released.confidence and not quick.confidence
    assert paper.backbone.normalisation == "none" and released.backbone.normalisation == "batch"
    assert paper.conditioning == released.conditioning == "per_point" and quick.conditioning == "shared"
    assert paper_evaluator.representation == "unified" and quick_evaluator.representation == "probes"
    assert (paper.backbone.centroids, paper.backbone.radii) == ((128, 32), (0.02, 0.04))


def test_unknown_network():
    with pytest.raises(ParameterError, match="network 'theirs', expected one of paper, released, quick"):
        network_settings("theirs", 1.0, 1024, [64, 128], 2, 0.01)
