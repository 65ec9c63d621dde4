import pytest

from graspbook.highdof.tables import (
    columns,
    control_columns,
    interval,
    proportion,
    with_interval,
)


def test_tables_of_contrasts():
    cell = {"value": 0.25, "interval": [0.2, 0.3]}
    found = {"variants": {"a": {"depth": cell}, "b": {"depth": {"value": None}}}}
    assert columns(found, ["depth"]) == {"depth": [0.25, None]}
    assert columns(found, {"depth": ("depth [mm]", 1000)}) == {"depth [mm]": [250, None]}
    assert interval(cell) == "0.20 to 0.30" and with_interval(cell) == "0.250 [0.200, 0.300]"
    cell["interval"] = None
    assert interval(cell) is None and with_interval(cell) == "0.250"


def test_a_residual_is_put_in_proportion():
    rows = {"l2": {"consistency": {"value": 0.5}, "apart": {"value": 0.02}}}
    found = proportion(rows, 2.0, 0.25)
    assert found["trained by"] == ["l2"] and found["explained [%]"] == [75.0]
    assert found["relative to the floor"] == [2.0]
    assert found["contact points [mm]"] == [pytest.approx(20)]


def test_controls_of_hands_are_rows():
    cell = {"value": 0.25, "interval": None}
    row = dict.fromkeys(("consistency", "force_closure", "held_bench", "surface", "inside"), cell)
    found = control_columns({"shadow": {"variants": {"own": row, "constant": row}}})
    assert found["hand, answer"] == ["shadow, own", "shadow, constant"]
    assert found["held"] == ["0.250", "0.250"]
    assert found["raw: inside [mm]"] == ["250.0", "250.0"]
