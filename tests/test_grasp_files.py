import json
import re
from dataclasses import replace

import h5py
import numpy as np
import pytest
import yaml

from graspbook import grasp_files, pose
from graspbook.errors import GraspFileError, OutputError
from graspbook.grasp_hdf5 import LABEL
from graspbook.hands.franka import FRANKA_T_GRASP


def some_grasps(n=5):
    rng = np.random.default_rng(0)
    return grasp_files.Grasps(
        transforms=pose.from_rt(pose.random_rotations(n, rng), rng.normal(size=(n, 3))),
        success=np.arange(n) % 2 == 0,
        grades={"max_acceleration": np.linspace(0, 1, n)},
        object_file="meshes/mug.obj",
        object_scale=0.5,
        physics={"mass": 0.3, "com": np.array([0.0, 0.1, 0.2])},
        parameters={"seed": 3},
    )


def test_grasps_survive_the_round_trip(tmp_path):
    grasps = some_grasps()
    grasp_files.write_grasps(tmp_path / "a" / "mug.h5", grasps)
    back = grasp_files.read_grasps(tmp_path / "a" / "mug.h5")
    np.testing.assert_array_equal(back.transforms, grasps.transforms)
    np.testing.assert_array_equal(back.success, grasps.success)
    np.testing.assert_array_equal(
        back.grades["max_acceleration"], grasps.grades["max_acceleration"]
    )
    assert (back.object_file, back.object_scale, back.parameters) == (
        "meshes/mug.obj",
        0.5,
        {"seed": 3},
    )
    np.testing.assert_array_equal(back.physics["com"], [0.0, 0.1, 0.2])


def test_files_lie_where_acronym_readers_look(tmp_path):
    grasp_files.write_grasps(tmp_path / "mug.h5", some_grasps())
    with h5py.File(tmp_path / "mug.h5") as file:
        assert file["grasps/transforms"].shape == (5, 4, 4)
        assert file["grasps/qualities/flex/object_in_gripper"][()].tolist() == [1, 0, 1, 0, 1]
        assert file["object/file"][()].decode("utf-8") == "meshes/mug.obj"
        assert file["object/scale"][()] == 0.5
        assert file["gripper/type"][()] == b"panda"


def test_the_same_grasps_give_the_same_bytes(tmp_path):
    for suffix in grasp_files.SUFFIXES:
        one, two = (tmp_path / f"{name}{suffix}" for name in "ab")
        for path in (one, two):
            grasp_files.write_grasps(path, some_grasps())
        assert one.read_bytes() == two.read_bytes()


def test_missing_truncated_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(GraspFileError, match="no such grasp file"):
        grasp_files.read_grasps(tmp_path / "none.h5")
    grasp_files.write_grasps(tmp_path / "mug.h5", some_grasps())
    whole = (tmp_path / "mug.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GraspFileError, match="truncated"):
        grasp_files.read_grasps(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["points"] = np.zeros(3)
    with pytest.raises(GraspFileError, match="no dataset grasps/transforms.*points"):
        grasp_files.read_grasps(tmp_path / "other.h5")


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda file: file["grasps/transforms"].__setitem__((0, 0, 0), 7.0), "not rigid"),
        (lambda file: file["grasps/transforms"].__setitem__((0, 0, 0), np.nan), "not rigid"),
    ],
)
def test_poses_that_are_not_rigid_are_refused(tmp_path, damage, message):
    grasp_files.write_grasps(tmp_path / "mug.h5", some_grasps())
    with h5py.File(tmp_path / "mug.h5", "a") as file:
        damage(file)
    with pytest.raises(GraspFileError, match=message):
        grasp_files.read_grasps(tmp_path / "mug.h5")


def test_a_file_names_its_gripper_and_one_without_is_of_acronyms(tmp_path):
    path = tmp_path / "a.h5"
    grasp_files.write_grasps(path, replace(some_grasps(), gripper="claw", configuration=(0.1, 0.2)))
    back = grasp_files.read_grasps(path)
    assert (back.gripper, back.configuration) == ("claw", (0.1, 0.2))
    with h5py.File(path, "a") as file:
        del file["gripper"]
    back = grasp_files.read_grasps(path)
    assert (back.gripper, back.configuration) == ("panda", (0.04,))


def test_the_suffix_chooses_the_format_and_another_is_refused(tmp_path):
    starts = {
        ".h5": b"\x89HDF",
        ".hdf5": b"\x89HDF",
        ".json": b"{",
        ".yaml": b"format: isaac_grasp",
    }
    for suffix, start in starts.items():
        grasp_files.write_grasps(tmp_path / f"a{suffix}", some_grasps())
        assert (tmp_path / f"a{suffix}").read_bytes().startswith(start)
    for name in ("a", "a.npz", "a.txt"):
        with pytest.raises(OutputError, match=r"a\S*: it has the suffix .*, expected .*\.json"):
            grasp_files.write_grasps(tmp_path / name, some_grasps())
        assert not (tmp_path / name).exists()
    # What an older version wrote under another name is read as what it is.
    (tmp_path / "old.json").write_bytes((tmp_path / "a.h5").read_bytes())
    assert len(grasp_files.read_grasps(tmp_path / "old.json").transforms) == 5


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize("gripper", ["panda", "robotiq_2f85"])
@pytest.mark.parametrize("labelled", [True, False])
def test_other_formats_survive_the_round_trip(tmp_path, suffix, gripper, labelled):
    score = {"score": np.linspace(0, 1, 5)}
    grasps = replace(some_grasps(), gripper=gripper, grades=score)
    grasps = grasps if labelled else replace(grasps, success=None)
    grasp_files.write_grasps(tmp_path / f"a{suffix}", grasps)
    back = grasp_files.read_grasps(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(back.transforms, grasps.transforms, atol=1e-12)
    assert (back.success is None) == (not labelled)
    if labelled:
        np.testing.assert_array_equal(back.success, grasps.success)
    np.testing.assert_array_equal(back.grades["score"], grasps.grades["score"])
    assert (back.object_file, back.object_scale) == ("meshes/mug.obj", 0.5)
    assert (back.gripper, back.parameters) == (gripper, {"seed": 3})


@pytest.mark.parametrize("suffix", [".h5", ".json", ".yaml"])
def test_flags_stay_flags_and_unknown_figures_stay_unknown(tmp_path, suffix):
    collides, width = np.arange(5) < 2, np.array([0.01, np.nan, 0.02, 0.03, np.inf])
    grasps = replace(some_grasps(), grades={"collides": collides, "closing_width": width})
    grasps = replace(grasps, parameters={"seed": 3, "best": float("nan")})
    path = tmp_path / f"a{suffix}"
    grasp_files.write_grasps(path, grasps)
    grades = grasp_files.read_grasps(path).grades
    assert grades["collides"].dtype == bool
    np.testing.assert_array_equal(grades["collides"], collides)
    known = np.isfinite(width)
    np.testing.assert_array_equal(np.isfinite(grades["closing_width"]), known)
    np.testing.assert_array_equal(grades["closing_width"][known], width[known])
    if suffix == ".json":
        assert not {"NaN", "Infinity"} & set(re.findall(r"[A-Za-z]+", path.read_text()))


def test_files_lie_where_readers_of_graspgen_and_isaac_look(tmp_path):
    grasps = some_grasps()
    grasp_files.write_grasps(tmp_path / "a.json", grasps)
    content = json.loads((tmp_path / "a.json").read_text())
    np.testing.assert_array_equal(content["grasps"]["transforms"], grasps.transforms)
    assert content["grasps"]["object_in_gripper"] == [True, False, True, False, True]
    assert content["object"] == {"file": "meshes/mug.obj", "scale": 0.5}
    grasp_files.write_grasps(tmp_path / "a.yaml", grasps)
    content = yaml.safe_load((tmp_path / "a.yaml").read_text())
    assert (content["format"], content["format_version"]) == ("isaac_grasp", 1.0)
    assert content["gripper_frame"] == "panda_hand"
    first = content["grasps"]["grasp_0"]
    # The fingers of Franka's own frame close along y: its y is the grasp frame's x.
    quat = np.array([first["orientation"]["w"], *first["orientation"]["xyz"]])
    turn = pose.quat_wxyz_to_matrix(quat)
    np.testing.assert_allclose(turn[:, 1], grasps.transforms[0, :3, 0], atol=1e-12)
    np.testing.assert_allclose(turn[:, 2], grasps.transforms[0, :3, 2], atol=1e-12)
    np.testing.assert_array_equal(first["position"], grasps.transforms[0, :3, 3])
    assert first["confidence"] == 1.0


def isaac(frame="", **entry):
    usual = {"confidence": 0.7, "position": [0.1, 0, 0], "orientation": {"w": 1, "xyz": [0, 0, 0]}}
    content = {"format": "isaac_grasp", "format_version": 1.0, "grasps": {"a": usual | entry}}
    return content | ({"gripper_frame": frame} if frame else {})


def test_isaac_files_of_other_programs_are_read_in_the_frame_that_they_name(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(isaac()))
    back = grasp_files.read_grasps(path)
    np.testing.assert_array_equal(back.transforms, [pose.from_rt(np.eye(3), [0.1, 0, 0])])
    assert back.success is None and back.grades["score"].tolist() == [0.7]
    path.write_text("\ufeff" + yaml.safe_dump(isaac("/World/panda/panda_hand")), encoding="utf-8")
    turned = grasp_files.read_grasps(path).transforms[0]
    np.testing.assert_allclose(turned, pose.from_rt(FRANKA_T_GRASP[:3, :3], [0.1, 0, 0]))


def test_an_isaac_file_of_another_gripper_is_told_by_its_file_and_frame(tmp_path):
    path = tmp_path / "a.yaml"
    for file, name in (("bots/onrobot_rg6.usd", "onrobot_rg6"), ("franka_panda.usd", "panda")):
        path.write_text(yaml.safe_dump(isaac() | {"gripper_file": file}))
        assert grasp_files.read_grasps(path).gripper == name
    path.write_text(yaml.safe_dump(isaac("/World/robotiq/base_link")))
    with pytest.raises(
        GraspFileError, match="gripper_frame '/World/robotiq/base_link' has unknown axes"
    ):
        grasp_files.read_grasps(path)


def test_graspgen_names_its_gripper_otherwise(tmp_path):
    content = {"grasps": {"transforms": np.eye(4)[None].tolist()}, "gripper": "franka_panda"}
    (tmp_path / "a.json").write_text(json.dumps(content))
    back = grasp_files.read_grasps(tmp_path / "a.json")
    assert (back.gripper, back.object_file, back.success) == ("panda", "", None)


BAD_TEXT = [
    ("a.json", "{", "not a readable JSON file"),
    ("a.json", "[1]", "a list, expected names with values"),
    ("a.json", "{}", "no mapping 'grasps'.*nothing"),
    ("a.json", '{"grasps": {"poses": 1}}', "no grasps.transforms"),
    ("a.json", '{"grasps": {"transforms": [[1, 2], [3]]}}', "holds no numbers"),
    ("a.json", '{"grasps": {"transforms": {"0": 1}}}', "holds no numbers"),
    ("a.json", '{"grasps": {"transforms": [1e999]}}', r"shape \(1,\), expected \(N, 4, 4\)"),
    ("a.json", "[" * 100_000, "not a readable JSON file"),
    ("a.yaml", "a: [", "not a readable YAML file"),
    ("a.yaml", "a: 1", "no grasps in the format isaac_grasp; it holds a"),
    ("a.yaml", yaml.safe_dump(isaac(position=[1, 2])), "grasps.a.position is not a list of 3"),
    ("a.yaml", yaml.safe_dump(isaac(orientation=3)), "grasps.a lacks a position, or an orient"),
    ("a.yaml", yaml.safe_dump(isaac(orientation={"w": 2, "xyz": [0, 0, 0]})), "length 2, expected"),
    ("a.yaml", yaml.safe_dump(isaac(confidence="high")), "confidence holds no numbers"),
    ("a.yaml", yaml.safe_dump(isaac(confidence=[1])), "confidence has shape"),
    ("a.yaml", "!!python/object:os.system {}", "not a readable YAML file"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_TEXT)
def test_bad_files_of_other_formats_are_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(GraspFileError, match=message) as raised:
        grasp_files.read_grasps(tmp_path / name)
    assert "\n" not in str(raised.value) and str(raised.value).startswith(str(tmp_path / name))


def test_nested_aliases_of_yaml_do_not_fill_the_memory(tmp_path):
    lines = ["a0: &a0 [0, 0, 0]"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    lines += ["format: isaac_grasp", "grasps:", "  a:"]
    for last in ("position: *a39", "confidence: *a39", "gripper: *a39"):
        (tmp_path / "a.yaml").write_text("\n".join([*lines, f"    {last}"]))
        with pytest.raises(GraspFileError, match="aliases repeat"):
            grasp_files.read_grasps(tmp_path / "a.yaml")


def changed(path, changes):
    """A grasp file with datasets replaced, or removed where None."""
    grasp_files.write_grasps(path, some_grasps())
    with h5py.File(path, "a") as file:
        for name, value in changes.items():
            if name in file:
                del file[name]
            if isinstance(value, dict):
                file.create_group(name)
            elif value is not None:
                file[name] = value
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"object/scale": np.array([0.5])},
        {"object/scale": np.array([[0.5, 0.5, 0.5]])},
        {"object/scale": "0.5"},
        {LABEL: np.array([[1], [0], [1], [0], [1]])},
        {LABEL: np.array([1.0, 0, 1, 0, 1])},
        {"object/file": np.array([b"meshes/mug.obj"])},
        {"gripper/configuration": 0.04},
        {"object/more": {}},
    ],
)
def test_what_other_writers_do_is_read_as_if_it_were_plain(tmp_path, changes):
    back, usual = grasp_files.read_grasps(changed(tmp_path / "a.h5", changes)), some_grasps()
    np.testing.assert_array_equal(back.success, usual.success)
    assert (back.object_scale, back.object_file) == (0.5, "meshes/mug.obj")
    assert back.configuration == (0.04,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"object/scale": np.array([1.0, 1.0, 2.0])}, "same factor for every axis"),
        ({"object/scale": np.array([1.0, 2.0])}, r"shape \(2,\), expected one number"),
        ({"object/scale": np.nan}, "expected a positive number"),
        ({"object/scale": -1.0}, "expected a positive number"),
        ({"object/scale": "big"}, "object/scale is 'big', expected a number"),
        ({LABEL: np.ones((5, 2))}, r"shape \(5, 2\), expected \(5,\)"),
        ({LABEL: np.ones(4)}, r"shape \(4,\), expected \(5,\)"),
        ({LABEL: {}}, "object_in_gripper is a group, expected a dataset"),
        ({LABEL: "yes"}, "holds no numbers"),
        ({LABEL: np.full(5, np.nan)}, "not finite"),
        ({"grasps/transforms": {}}, "grasps/transforms is a group, expected a dataset"),
        ({"grasps/transforms": "poses"}, "holds no numbers"),
        ({"grasps/transforms": np.ones((5, 4, 4), complex)}, "holds no numbers"),
        ({"grasps/transforms": np.eye(3)}, r"expected \(N, 4, 4\)"),
        ({"grasps/transforms": -np.eye(4)[None]}, "no reflection and"),
        ({"gripper": 3.0}, "gripper is a dataset, expected a group"),
        ({"gripper/configuration": "open"}, "gripper/configuration holds no numbers"),
    ],
)
def test_odd_datasets_are_refused_by_name(tmp_path, changes, message):
    path = changed(tmp_path / "a.h5", changes)
    with pytest.raises(GraspFileError, match=message) as raised:
        grasp_files.read_grasps(path)
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_transforms_in_a_group_are_read_in_the_order_of_their_numbers(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for i in range(12):
            file[f"grasps/transforms/{i}"] = pose.from_rt(np.eye(3), [i, 0, 0])
    assert grasp_files.read_grasps(path).transforms[:, 0, 3].tolist() == list(range(12))


def test_parameters_that_are_no_json_are_kept_as_text(tmp_path):
    grasp_files.write_grasps(tmp_path / "a.h5", some_grasps())
    for value, kept in (("seed=3", "seed=3"), ("[1]", "[1]"), (b"\xff", "?"), (3, "3")):
        with h5py.File(tmp_path / "a.h5", "a") as file:
            file.attrs["parameters"] = value
        assert grasp_files.read_grasps(tmp_path / "a.h5").parameters == {"text": kept}


def test_a_dataset_that_claims_to_be_huge_is_not_read(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        shape = (10**9, 4, 4)
        file.create_dataset("grasps/transforms", shape, "f8", chunks=(1000, 4, 4))
    with pytest.raises(GraspFileError, match="expected at most 1000000 grasps"):
        grasp_files.read_grasps(tmp_path / "a.h5")


@pytest.mark.parametrize("suffix", [".h5", ".json", ".yaml"])
def test_damaged_files_are_read_or_refused(tmp_path, suffix):
    rng = np.random.default_rng(0)
    path = tmp_path / f"a{suffix}"
    grasp_files.write_grasps(path, some_grasps())
    whole = path.read_bytes()
    for _ in range(150):
        damaged = bytearray(whole[: rng.integers(len(whole) + 1)] if rng.random() < 0.5 else whole)
        for i in rng.integers(max(len(damaged), 1), size=rng.integers(8)):
            damaged[i : i + 1] = rng.bytes(1)
        path.write_bytes(damaged)
        try:
            grasp_files.read_grasps(path)
        except GraspFileError as error:
            assert "\n" not in str(error)


def test_random_datasets_are_read_or_refused(tmp_path):
    rng = np.random.default_rng(1)
    names = ["grasps/transforms", LABEL, "object/scale", "object/file", "gripper/type"]
    names += ["gripper/configuration", "grasps/grades/score", "object", "grasps", "gripper"]
    kinds = ["f2", "f8", "i1", "u8", "?", "S5", "c16", h5py.string_dtype(), [("x", "f8")]]
    for i in range(100):
        name, kind = names[rng.integers(len(names))], kinds[rng.integers(len(kinds))]
        shape = tuple(rng.integers(0, 5, rng.integers(4)))
        path = changed(tmp_path / f"{i}.h5", {name: None})
        with h5py.File(path, "a") as file:
            file.create_dataset(name, shape, kind)
        try:
            grasp_files.read_grasps(path)
        except GraspFileError as error:
            assert "\n" not in str(error)


def test_files_as_people_have_them(real_data):
    folder = real_data / "inputs"
    scaled = grasp_files.read_grasps(folder / "acronym_scale_array.h5")
    assert scaled.object_scale == pytest.approx(0.0097003767) and len(scaled.transforms) == 60
    assert grasp_files.read_grasps(folder / "acronym_labels_Nx1.h5").success.shape == (60,)
    assert len(grasp_files.read_grasps(folder / "acronym_no_grasps.h5").transforms) == 0
    group = grasp_files.read_grasps(folder / "acronym_group_for_transforms.h5")
    assert group.transforms.shape == (1, 4, 4)
