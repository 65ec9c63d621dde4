import trimesh

from graspbook.commands._notes import say_notes
from graspbook.objects.mesh import repair


def test_notes_are_told_on_stderr_by_name(capsys):
    card = repair(trimesh.creation.box([0.0004, 0.05, 0.08]))
    say_notes({"card": card, "box": repair(trimesh.creation.box([0.05, 0.05, 0.08]))})
    out, err = capsys.readouterr()
    assert (
        not out and err.startswith("note: card: it is only 0.4 mm thick") and err.count("\n") == 1
    )
