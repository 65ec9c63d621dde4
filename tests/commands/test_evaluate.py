"""What `graspbook evaluate` says."""

import trimesh

from graspbook.cli import main
from graspbook.graspnet import mesh_evaluation
from graspbook.objects import sets


def run(capsys, *arguments):
    """Status, standard output and standard error of `graspbook ARGUMENTS`."""
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_evaluate_says_what_it_found_and_what_it_left_out(tmp_path, weights, monkeypatch, capsys):
    monkeypatch.setenv("GRASPBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sets, "convex_parts", lambda mesh: (mesh,))
    monkeypatch.setattr(mesh_evaluation, "TRUTH_CANDIDATES", 20)
    for name, side in (("small", 0.05), ("wide", 0.2)):
        trimesh.creation.box([side] * 3).export(tmp_path / f"{name}.stl")
    arguments = [
        "--weights",
        weights,
        "--views",
        1,
        "--samples",
        4,
        "--workers",
        1,
        "--out",
        tmp_path / "new" / "eval.json",
    ]
    status, out, _ = run(
        capsys, "evaluate", tmp_path / "small.stl", tmp_path / "wide.stl", *arguments
    )
    lines = out.splitlines()
    assert status == 0 and lines[0] == "wide is left out: none of 20 simulated candidates holds"
    assert (
        lines[1].endswith("eval.html: 1 views of 1 objects, 1 objects left out")
        and "the best grasp holds in" in lines[2]
    )
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["eval.html", "eval.json"]
    assert lines[-1].startswith("Next: open") and "eval.html in a browser" in lines[-1]
    again = [
        tmp_path / "small.stl",
        tmp_path / "wide.stl",
        *arguments[:-1],
        tmp_path / "new" / "again.json",
        "--against",
        tmp_path / "new" / "eval.json",
    ]
    status, out, _ = run(capsys, "evaluate", *again)
    assert (
        status == 0
        and out.splitlines()[3]
        == "difference to graspnet (eval.json), 1 objects: auc +0.00, success_best +0.00,"
        " success_above_threshold –, coverage +0.00"
    )
    status, _, err = run(capsys, "evaluate", *again, "--seed", 1, "--force")
    assert status == 2
    assert "eval.json: seed 0, expected 1" in err and err.count("\n") == 1
    status, out, _ = run(capsys, "evaluate", tmp_path / "wide.stl", *arguments, "--force")
    assert status == 0
    assert out.splitlines()[1:-1] == [lines[1].replace("1 views of 1", "0 views of 0")]
