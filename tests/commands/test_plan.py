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


def test_plans_are_next_to_the_mesh_and_other_settings_need_force(tmp_path, capsys):
    box = tmp_path / "box.stl"
    trimesh.creation.box((0.06, 0.08, 0.12)).export(box)
    few = ["plan", str(box), "--hand", "barrett", "--grasps", "2", "--workers", "1"]
    assert main([*few, "--iterations", "3"]) == 0
    file = tmp_path / "box_barrett_plan.h5"
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"Next: graspbook hand-grasp {box} --hand barrett --against {file}"
    )
    before = file.stat().st_mtime_ns
    assert main([*few, "--iterations", "3"]) == 0 and file.stat().st_mtime_ns == before
    assert main([*few, "--iterations", "4"]) == 2
    assert f"{file} exists" in capsys.readouterr().err
    assert main([*few, "--iterations", "4", "--force"]) == 0
    assert file.stat().st_mtime_ns != before
    named = tmp_path / "mug_plan.h5"
    assert main([*few, "--iterations", "3", "--out", str(named)]) == 0 and named.is_file()
    assert main([*few, "--out", str(tmp_path / "plan.json")]) == 2
    assert "expected a folder" in capsys.readouterr().err


def test_a_search_without_steps_takes_no_iterations(tmp_path, capsys):
    box = tmp_path / "box.stl"
    trimesh.creation.box((0.06, 0.08, 0.12)).export(box)
    asked = ["plan", str(box), "--hand", "barrett", "--grasps", "3", "--search", "palm"]
    assert main([*asked, "--iterations", "3"]) == 2
    assert "the search palm takes no steps" in capsys.readouterr().err
    assert main([*asked, "--workers", "1"]) == 0
    assert "3 grasps" in capsys.readouterr().out
