"""Files of planned grasps by `graspbook plan`."""

import trimesh

from graspbook.cli import main


def test_plan_writes_a_file_a_mesh(tmp_path, capsys):
    box = tmp_path / "box.stl"
    trimesh.creation.box((0.06, 0.08, 0.12)).export(box)
    status = main(
        [
            "plan",
            str(box),
            "--hand",
            "barrett",
            "--grasps",
            "2",
            "--iterations",
            "20",
            "--workers",
            "1",
            "--out",
            str(tmp_path / "plans"),
        ]
    )
    assert status == 0 and "box.h5: 2 grasps" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "plans").iterdir()] == ["box.h5"]
