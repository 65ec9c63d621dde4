from graspbook.cli import main
from graspbook.grasp_files import SUFFIXES
from graspbook.objects.mesh_files import SUFFIXES as MESHES
from graspbook.perception.camera_info import SUFFIXES as CAMERAS
from graspbook.perception.capture import SUFFIXES as CAPTURES
from graspbook.perception.hand_eye_formats import FORMATS


def test_every_suffix_of_the_readers_is_listed(capsys):
    assert main(["formats"]) == 0
    out = capsys.readouterr().out
    listed = set(out.split())
    mounts = {suffix for kind in FORMATS for suffix in kind.suffixes}
    assert {*SUFFIXES, *MESHES, *CAPTURES, *CAMERAS, *mounts} <= listed
    assert "easy_handeye 1 and 2" in out and "GraspGen's JSON" in out
    assert all(len(line) <= 120 for line in out.splitlines())
