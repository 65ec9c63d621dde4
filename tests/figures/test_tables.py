"""Tables."""

import pytest

from graspbook.figures.tables import table


def test_a_table_in_markdown():
    shown = table({"family": ["box", "mug"], "share": [0.123456, None], "count": [3, 12]})
    assert (
        shown.data
        == "| family | share | count |\n| --- | --- | --- |\n| box | 0.1235 | 3 |\n| mug | – | 12 |"
    )


def test_columns_of_unequal_length_are_a_mistake():
    with pytest.raises(ValueError):
        table({"a": [1], "b": [1, 2]})
