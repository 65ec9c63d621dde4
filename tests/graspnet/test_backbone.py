import pytest

from graspbook.errors import ParameterError
from graspbook.graspnet.backbone import BackboneSettings


def test_impossible_settings_are_refused_by_name():
    with pytest.raises(ParameterError, match="layer"):
        BackboneSettings(normalisation="layer")
    with pytest.raises(ParameterError, match="precision 'half'"):
        BackboneSettings(precision="half")
    with pytest.raises(ParameterError, match="positive"):
        BackboneSettings(width=0)
