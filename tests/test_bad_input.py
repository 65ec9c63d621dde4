"""Bad input through the command line: status 2, one line that names the value, before any long
work, and no file touched.
"""

import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import trimesh

from graspbook.cli import main
from graspbook.grasp_files import write_grasps
from graspbook.grasp_set import Grasps
from graspbook.graspnet import predict as grasp_predict
from graspbook.hands.library import load_hand
from graspbook.highdof import plans
from graspbook.highdof import predict as hand_predict
from graspbook.highdof.training import load_network
from graspbook.objects import sets
from graspbook.objects.mesh import load_mesh
from graspbook.storage import content_hash
from graspbook.weights_files import load_weights, save_weights

K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
BOX = trimesh.creation.box([0.04, 0.05, 0.06])


@pytest.fixture(scope="module")
def hand_folders(hand_weights, tmp_path_factory):
    """Folders with a network of the Barrett Hand: in its place, in the Shadow's place, and for
    other joints.
    """
    top, file = tmp_path_factory.mktemp("hands"), hand_weights / "highdof_barrett.safetensors"
    (top / "right").symlink_to(hand_weights)
    (top / "other").mkdir()
    shutil.copy(file, top / "other" / "highdof_shadow.safetensors")
    parameters = load_weights(file)[1]
    mixed = parameters | {"joints": parameters["joints"][::-1]}
    save_weights(top / "mixed" / file.name, load_network(file, load_hand("barrett"))[0], mixed)
    return top


@pytest.fixture
def folder(hand_folders, toy_workbook, weights, monkeypatch):
    """The working directory, full of files that cannot be used and a few that can; nothing in it
    may start long work.
    """
    toy_workbook.write_notebook("print(count)")
    root = toy_workbook.root
    (root / "weights").symlink_to(weights)
    (root / "hands").symlink_to(hand_folders)
    (root / "taken").write_text("a file where a folder is wanted")
    (root / "folder.h5").mkdir()

    BOX.export(root / "box.stl")
    trimesh.Trimesh(1000 * BOX.vertices, BOX.faces).export(root / "mm.stl")
    (root / "box2").mkdir()
    BOX.export(root / "box2" / "box.stl")
    (root / "nan.obj").write_text(
        "v 0 0 0\nv 0.1 0 0\nv 0 nan 0\nv 0 0 0.1\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n"
    )
    (root / "empty.obj").write_text("# nothing\n")
    (root / "flat.obj").write_text("v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\nf 1 2 3\n")
    (root / "cut.glb").write_bytes(BOX.export(file_type="glb")[:200])
    trimesh.creation.box([0.3, 0.35, 0.4]).export(root / "crate.stl")
    trimesh.creation.box([0.3, 0.3, 0.0002]).export(root / "sheet.stl")
    trimesh.creation.box([0.06, 0.06, 0.5]).export(root / "pole.stl")
    (root / "box.step").write_text("ISO-10303-21;")

    np.save(root / "empty.npy", np.zeros((0, 3)))
    np.savez(root / "empty.npz", points=np.zeros((0, 3)))
    np.save(root / "nan.npy", np.full((500, 3), np.nan))
    np.save(root / "flat.npy", np.zeros((500, 2)))
    np.save(
        root / "plane.npy",
        np.random.default_rng(0).uniform(0.1, 0.2, (500, 3)) * [1, 1, 0] + [0, 0, 0.5],
    )
    np.save(root / "mm.npy", 1000 * (BOX.sample(500, seed=0) + [0, 0, 0.5]))
    np.save(root / "cloud.npy", BOX.sample(500, seed=0) + [0, 0, 0.5])
    axes = "".join(f"property float {axis}\n" for axis in "xyz")
    (root / "empty.ply").write_text(f"ply\nformat ascii 1.0\nelement vertex 0\n{axes}end_header\n")
    (root / "empty.pcd").write_text(
        "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 0\nHEIGHT 1\n"
        "VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 0\nDATA ascii\n"
    )
    np.savez(root / "nan.npz", depth=np.full((480, 640), np.nan, np.float32), K=K)
    np.savez(root / "no_k.npz", depth=np.ones((480, 640), np.float32))
    np.savez(root / "mm.npz", depth=np.full((480, 640), 600, np.float32), K=K)
    (root / "cut.npz").write_bytes((root / "nan.npz").read_bytes()[:500])

    poses = np.tile(np.eye(4), (30, 1, 1))
    write_grasps(root / "good.h5", Grasps(poses, object_file="box.stl"))
    write_grasps(root / "no_mesh.h5", Grasps(poses, object_file="none.stl"))
    write_grasps(root / "nan_mesh.h5", Grasps(poses, object_file="nan.obj"))
    write_grasps(root / "mm_mesh.h5", Grasps(poses, object_file="mm.stl"))
    write_grasps(root / "skewed.h5", Grasps(2 * poses, object_file="box.stl"))
    (root / "cut.h5").write_bytes((root / "good.h5").read_bytes()[:1500])
    with h5py.File(root / "foreign.h5", "w") as file:
        file["voltage"] = 1.0
    for name, hand, of in (
        ("plan_box", "barrett", "box"),
        ("plan_franka", "franka", "box"),
        ("plan_pole", "barrett", "pole"),
    ):
        mesh, joints = load_mesh(root / f"{of}.stl"), load_hand(hand).joints
        parameters = {"group": {of: content_hash(mesh.vertices, mesh.faces)}}
        values = np.zeros((1, 7 + len(joints))), np.zeros((1, len(joints))), *np.zeros((5, 1))
        plans.write_plan(
            root / f"{name}.h5", plans.HandGrasps(hand, joints, *values, 1.0, 1.0, parameters)
        )
    with h5py.File(root / "plan_box.h5") as file, h5py.File(root / "bare.h5", "w") as bare:
        for name in file:
            bare[name] = file[name][()]
    (root / "plans").mkdir()
    (root / "plans" / "box.h5").write_bytes((root / "good.h5").read_bytes())
    (root / "cut_weights").mkdir()
    (root / "cut_weights" / "highdof_barrett.safetensors").write_bytes(b"not a network")
    (root / "cut_weights" / "sampler.safetensors").write_bytes(
        (weights / "sampler.safetensors").read_bytes()[:1000]
    )
    (root / "cut_weights" / "evaluator.safetensors").write_bytes(b"")

    def long_work(*_, **__):
        raise AssertionError("long work was started on bad input")

    monkeypatch.setattr(sets, "convex_parts", long_work)
    monkeypatch.setattr(grasp_predict, "predict", long_work)
    monkeypatch.setattr(hand_predict, "WAYS", dict.fromkeys(hand_predict.WAYS, long_work))
    monkeypatch.setattr(plans, "plan", long_work)
    return root


def contents(root):
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))}


def refused(capsys, *arguments):
    """The one line in which `graspbook ARGUMENTS` is refused."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as exit:  # wrong arguments leave through argparse
        status = exit.code
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, ""), captured.err
    assert captured.err.startswith("graspbook: error: ") and captured.err.count("\n") == 1, (
        captured.err
    )
    return captured.err


def sample(mesh, *more):
    return ["sample", mesh, "--out", "new/out.h5", "--grasps", "10", *more]


def label(grasps, *more):
    return ["label", grasps, "--mesh-root", ".", "--out", "new/out.h5", *more]


def predict(path, *more):
    return [
        "grasp",
        path,
        "--out",
        "new/out.h5",
        "--html",
        "new/out.html",
        "--weights",
        "weights",
        *more,
    ]


def hand_grasp(path, *more):
    return [
        "hand-grasp",
        path,
        "--out",
        "new/out.json",
        "--html",
        "new/out.html",
        "--hand",
        "barrett",
        "--weights",
        "hands/right",
        *more,
    ]


def trials(*more):
    return ["trials", "--out", "new", "--weights", "weights", "--objects", *more]


def pick(source, *more):
    return [
        "pick",
        source,
        "--out",
        "new/out.json",
        "--html",
        "new/out.html",
        "--weights",
        "weights",
        *more,
    ]


def plan(*more):
    return ["plan", "--hand", "barrett", "--grasps", "2", "--out", "new", *more]


def evaluate(*more):
    return ["evaluate", "--out", "new/out.json", "--weights", "weights", *more]


def run(*more):
    return ["run", "notebooks/toy.ipynb", *more]


CASES = [
    # a missing file
    (sample("none.stl"), ["none.stl", "no such file"]),
    (label("none.h5"), ["none.h5", "no such file"]),
    (label("no_mesh.h5"), ["no_mesh.h5", "none.stl"]),
    (predict("none.stl"), ["none.stl", "no such file"]),
    (predict("none.npz"), ["none.npz", "no such file"]),
    (
        predict("cloud.npy", "--weights", "none"),
        ["none/sampler.safetensors", "no such weights file"],
    ),
    (evaluate("none.stl"), ["none.stl", "no such file"]),
    (evaluate("box.stl", "none.stl"), ["none.stl", "no such file"]),
    (
        evaluate("box.stl", "--weights", "none"),
        ["none/sampler.safetensors", "no such weights file"],
    ),
    (
        evaluate("box.stl", "--method", "geometric", "--weights", "none"),
        ["none/evaluator.safetensors", "no such weights file"],
    ),
    (evaluate("box.stl", "--method", "gpd"), ["weights/gpd.safetensors", "no such weights file"]),
    (["run", "notebooks/none.ipynb"], ["notebooks/none.ipynb", "no such notebook"]),
    (run("--profile", "none.yaml"), ["none.yaml", "no such profile file"]),
    # a mesh that is none
    (sample("nan.obj"), ["nan.obj", "1 of 4 vertices are NaN"]),
    (predict("nan.obj"), ["nan.obj", "1 of 4 vertices are NaN"]),
    (evaluate("box.stl", "nan.obj"), ["nan.obj", "1 of 4 vertices are NaN"]),
    (evaluate("cloud.npy"), ["cloud.npy", "unknown kind of mesh '.npy'"]),
    (label("nan_mesh.h5"), ["nan.obj", "1 of 4 vertices are NaN"]),
    (sample("empty.obj"), ["empty.obj"]),
    (sample("flat.obj"), ["flat.obj", "no volume"]),
    (sample("cut.glb"), ["cut.glb", "not a readable .glb mesh"]),
    (sample("box.step"), ["box.step", "unknown kind of mesh '.step'", ".stl"]),
    (predict("box.step"), ["box.step", "unknown kind", "'.step'"]),
    # units
    (sample("mm.stl"), ["mm.stl", "60 m", "millimetres", "--scale 0.001"]),
    (evaluate("mm.stl"), ["mm.stl", "60 m", "millimetres", "--scale 0.001"]),
    (predict("mm.stl"), ["mm.stl", "60 m", "millimetres", "--scale 0.001"]),
    (label("mm_mesh.h5"), ["mm.stl", "60 m", "millimetres"]),
    (predict("mm.npy"), ["mm.npy", "millimetres"]),
    (predict("mm.npz"), ["mm.npz", "600", "millimetres"]),
    # clouds and depth images
    *((predict(f"empty.{kind}"), [f"empty.{kind}"]) for kind in ("npy", "npz", "ply", "pcd")),
    (predict("nan.npy"), ["nan.npy", "0 of 500 points are finite"]),
    (predict("flat.npy"), ["flat.npy", "(500, 2)", "(M, 3)"]),
    (predict("nan.npz"), ["nan.npz", "no pixel of the 640 x 480 depth image"]),
    (predict("no_k.npz"), ["no_k.npz", "no camera matrix K"]),
    (predict("cut.npz"), ["cut.npz", "not a readable .npz file"]),
    # files that are cut off or of another kind
    (label("cut.h5"), ["cut.h5", "not a readable HDF5 file"]),
    (label("taken"), ["taken", "not a readable HDF5 file"]),
    (label("foreign.h5"), ["foreign.h5", "grasps/transforms", "voltage"]),
    (label("skewed.h5"), ["skewed.h5", "not rigid"]),
    (
        predict("cloud.npy", "--weights", "cut_weights"),
        ["cut_weights/sampler.safetensors", "not a readable safetensors file"],
    ),
    # parameters
    (run("--profile", "huge"), ["unknown profile 'huge'", "smoke"]),
    (run("--set", "toy.speed=1"), ["--set toy.speed=1", "unknown parameter", "count"]),
    (run("--set", "toys.count=1"), ["--set toys.count=1", "unknown section", "toy"]),
    (run("--set", "toy.count=0"), ["--set toy.count=0", "greater than or equal to 1"]),
    (run("--set", "nonsense"), ["--set nonsense", "section.key=value"]),
    (["site", "--profile", "huge"], ["unknown profile 'huge'"]),
    # arguments
    (
        sample("box.stl", "--grasps", "0"),
        ["sample", "--grasps", "0: expected a whole number, 1 or more"],
    ),
    (sample("box.stl", "--grasps", "some"), ["--grasps", "some: expected a whole number"]),
    (sample("box.stl", "--seed", "-1"), ["--seed", "-1: expected a whole number, 0 or more"]),
    (sample("box.stl", "--scale", "-1"), ["box.stl", "scale -1.0"]),
    (sample("box.stl", "--scale", "nan"), ["box.stl", "scale nan"]),
    (sample("box.stl", "--scale", "big"), ["--scale", "'big'"]),
    (predict("box.stl", "--scale", "-1"), ["box.stl", "scale -1.0"]),
    (predict("cloud.npy", "--top", "0"), ["--top", "0: expected a whole number, 1 or more"]),
    (
        evaluate("box.stl", "--views", "0"),
        ["evaluate", "--views", "0: expected a whole number, 1 or more"],
    ),
    (evaluate("box.stl", "--samples", "0"), ["--samples", "0: expected a whole number, 1 or more"]),
    (evaluate("box.stl", "--workers", "0"), ["--workers", "0: expected a whole number, 1 or more"]),
    (evaluate("box.stl", "--method", "luck"), ["method 'luck'", "graspnet, geometric, gpd"]),
    (evaluate("box.stl", "--scale", "-1"), ["box.stl", "scale -1.0"]),
    (evaluate("box.stl", "box.stl"), ["box.stl and box.stl", "both be named"]),
    (["evaluate", "--out", "new.json"], ["MESH"]),
    (sample("plans"), ["no meshes", "in folder plans"]),
    (predict("plans"), ["plans: it is a folder, expected a file"]),
    (label("plans"), ["plans: it is a folder, expected a file"]),
    (pick("none.npz", "--force"), ["none.npz: no such file"]),
    # results that exist, or of another kind
    (predict("cloud.npy", "--out", "good.h5"), ["good.h5 exists", "--force"]),
    (predict("cloud.npy", "--html", "taken"), ["taken", "expected .html"]),
    (predict("cloud.npy", "--out", "new.npz"), ["new.npz", "expected .h5 or .hdf5 or .json"]),
    (label("good.h5", "--out", "cut.h5"), ["cut.h5 exists", "--force"]),
    (label("good.h5", "--out", "good.h5", "--force"), ["good.h5: it is an input"]),
    (evaluate("box.stl", "--out", "new/box.h5"), ["new/box.h5", "expected .json"]),
    (["convert", "good.h5", "no_mesh.h5"], ["no_mesh.h5 exists", "--force"]),
    (["calibrate", "good.h5", "--out", "box.stl"], ["box.stl", "expected .json"]),
    (sample("box.stl", "--out", "good.h5"), ["good.h5 exists", "--force"]),
    (["sample", "box.stl", "nan.obj", "--out", "new.h5"], ["--out new.h5", "2 meshes", "folder"]),
    (["sample", "box.stl", "box.stl", "--out", "new"], ["box.stl and box.stl", "both be"]),
    (["dance"], ["'dance'", "sample"]),
    # robots
    (trials("teapot"), ["object 'teapot'", "expected the path of a mesh or one of", "red_ycb_mug"]),
    (trials("none.stl"), ["none.stl", "no such file"]),
    (trials("box.stl", "box.stl"), ["box.stl and box.stl", "both be named"]),
    (trials("box.stl", "--method", "luck"), ["method 'luck'", "graspnet, geometric, gpd"]),
    (
        trials("box.stl", "--method", "gpd", "gpd"),
        ["methods gpd, gpd", "expected each method only once"],
    ),
    (trials("box.stl", "--seed", "0", "1", "0"), ["seeds 0, 1, 0", "expected each seed only once"]),
    (trials("box.stl", "--poses", "0"), ["--poses", "0: expected a whole number, 1 or more"]),
    (trials("box.stl", "--weights", "none"), ["none/sampler.safetensors", "no such weights file"]),
    (trials("box.stl", "--execute"), ["--execute", "expected --robot"]),
    (trials("box.stl", "--hand-eye", "none.json"), ["--hand-eye", "expected --robot"]),
    (trials("box.stl", "--camera", "realsense"), ["--camera realsense", "expected --robot"]),
    (
        trials("box.stl", "--robot", "127.9.9.9"),
        ["--robot 127.9.9.9 without --execute", "expected --execute"],
    ),
    (
        trials("box.stl", "--robot", "127.9.9.9", "--execute"),
        ["--robot 127.9.9.9 --execute without --hand-eye"],
    ),
    (
        trials("box.stl", "--robot", "127.9.9.9", "--execute", "--hand-eye", "none.json"),
        ["none.json", "no such hand-eye file"],
    ),
    *(
        (
            trials(
                "box.stl",
                "--robot",
                "127.9.9.9",
                "--execute",
                "--hand-eye",
                "none.json",
                "--camera",
                camera,
            ),
            [f"{camera}: with --execute", "expected realsense or realsense:SERIAL"],
        )
        for camera in ("webcam", "nan.npz")
    ),
    (trials("box.stl", "--out", "taken"), ["taken", "cannot write"]),
    (pick("none.npz"), ["none.npz", "no such"]),
    (pick("webcam"), ["webcam: unknown camera", "realsense"]),
    (pick("nan.npz"), ["nan.npz"]),
    (pick("box.stl"), ["box.stl: this is a mesh, expected a depth capture"]),
    (pick("cloud.npy"), ["cloud.npy: no table"]),
    (pick("none.npz", "--method", "luck"), ["method 'luck'", "graspnet, geometric, gpd"]),
    (pick("nan.npz", "--execute"), ["--execute", "expected --robot"]),
    (
        pick("nan.npz", "--robot", "127.9.9.9", "--execute", "--hand-eye", "none.json"),
        ["nan.npz: with --execute", "expected realsense or realsense:SERIAL"],
    ),
    (
        pick("realsense", "--robot", "127.9.9.9", "--execute"),
        ["--robot 127.9.9.9 --execute without --hand-eye"],
    ),
    (pick("nan.npz", "--weights", "none"), ["none/sampler.safetensors", "no such weights file"]),
    (
        pick("nan.npz", "--html", "new/out.json"),
        ["new/out.json, new/out.json: 2 results need different files"],
    ),
    # hands of many joints
    (hand_grasp("box.stl", "--hand", "claw"), ["unknown hand 'claw'", "shadow, barrett, franka"]),
    (plan("box.stl", "--hand", "claw"), ["unknown hand 'claw'", "shadow, barrett, franka"]),
    (hand_grasp("none.stl"), ["none.stl", "no such file"]),
    (plan("box.stl", "none.stl"), ["none.stl", "no such file"]),
    (hand_grasp("none.npy"), ["none.npy", "no such"]),
    (hand_grasp("nan.obj"), ["nan.obj", "1 of 4 vertices are NaN"]),
    (plan("box.stl", "nan.obj"), ["nan.obj", "1 of 4 vertices are NaN"]),
    (hand_grasp("flat.obj"), ["flat.obj", "no volume"]),
    (plan("flat.obj"), ["flat.obj", "no volume"]),
    (hand_grasp("sheet.stl"), ["sheet.stl", "no volume"]),
    (hand_grasp("cut.glb"), ["cut.glb", "not a readable .glb mesh"]),
    (plan("cut.glb"), ["cut.glb", "not a readable .glb mesh"]),
    (
        hand_grasp("crate.stl", "--scale", "2"),
        ["crate.stl", "600 mm wide at its narrowest", "barrett hand reaches"],
    ),
    (
        plan("box.stl", "crate.stl", "--hand", "franka"),
        ["crate", "300 mm wide at its narrowest", "franka hand reaches"],
    ),
    (
        hand_grasp("pole.stl"),
        ["pole.stl", "reaches 0.25", "from its centre of mass, expected at most 0.15 m"],
    ),
    (hand_grasp("mm.stl"), ["mm.stl", "60 m", "--scale 0.001"]),
    (plan("mm.stl"), ["mm.stl", "60 m", "--scale 0.001"]),
    (hand_grasp("plane.npy"), ["plane.npy", "no volume"]),
    (hand_grasp("mm.npy"), ["mm.npy", "millimetres"]),
    (hand_grasp("nan.npy"), ["nan.npy", "0 of 500 points are finite"]),
    (hand_grasp("mm.npy", "--scale", "0.5"), ["mm.npy", "millimetres"]),
    (hand_grasp("cloud.npy", "--scale", "nan"), ["cloud.npy", "scale nan"]),
    (hand_grasp("cloud.npy", "--scale", "-1"), ["cloud.npy", "scale -1.0"]),
    (hand_grasp("box.stl", "--scale", "0"), ["box.stl", "scale 0.0"]),
    (plan("box.stl", "--scale", "nan"), ["box.stl", "scale nan"]),
    (
        hand_grasp("box.stl", "--weights", "none"),
        ["none/highdof_barrett.safetensors", "no such weights file"],
    ),
    (
        hand_grasp("box.stl", "--weights", "cut_weights"),
        ["cut_weights/highdof_barrett.safetensors", "not a readable"],
    ),
    (
        hand_grasp("box.stl", "--hand", "shadow", "--weights", "hands/other"),
        [
            "hands/other/highdof_shadow.safetensors",
            "highdof network of the hand barrett",
            "expected a highdof network of the hand shadow",
        ],
    ),
    (
        hand_grasp("box.stl", "--weights", "hands/mixed"),
        [
            "hands/mixed/highdof_barrett.safetensors",
            "joints finger_3, finger_2, finger_1, spread",
            "expected a highdof network of the hand barrett with joints spread, finger_1",
        ],
    ),
    (
        hand_grasp("box.stl", "--rotations", "0"),
        ["--rotations", "0: expected a whole number, 1 or more"],
    ),
    (
        hand_grasp("box.stl", "--rotations", "28"),
        ["box.stl", "28 rotations of an object, expected at most 27"],
    ),
    (
        hand_grasp("box.stl", "--html", "new/out.json"),
        ["new/out.json, new/out.json: 2 results need different files"],
    ),
    (
        ["hand-summary", "none.json", "--out", "new.json"],
        ["none.json: no such file"],
    ),
    (
        ["hand-summary", "box.stl", "--out", "new.json"],
        ["box.stl", "not a report that `graspbook hand-grasp --against` wrote"],
    ),
    (["hand-summary", "good.h5", "--out", "taken/new.json"], ["taken/new.json", "cannot write"]),
    (plan("box.stl", "--grasps", "0"), ["--grasps", "0: expected a whole number, 1 or more"]),
    (
        plan("box.stl", "--iterations", "0"),
        ["--iterations", "0: expected a whole number, 1 or more"],
    ),
    (plan("box.stl", "--workers", "0"), ["--workers", "0: expected a whole number, 1 or more"]),
    (plan("box.stl", "box.stl"), ["box.stl and box.stl", "both be named"]),
    (
        plan("box.stl", "sheet.stl"),
        ["sheet: ", "0.3 m long", "or is thinner than the spacing of its distance field, 2.5 mm"],
    ),
    (plan("box.stl", "--out", "plans"), ["plans/box.h5", "not a file of planned grasps"]),
    (hand_grasp("box.stl", "--against", "none.h5"), ["none.h5: no such file"]),
    (hand_grasp("box.stl", "--against", "cut.h5"), ["cut.h5", "not a file of planned grasps"]),
    (
        hand_grasp("box.stl", "--against", "foreign.h5"),
        ["foreign.h5", "not a file of planned grasps"],
    ),
    (
        hand_grasp("box.stl", "--against", "bare.h5"),
        ["bare.h5", "not a file of planned grasps", "hand"],
    ),
    (
        hand_grasp("box.stl", "--against", "plan_franka.h5"),
        ["plan_franka.h5: its grasps are for the franka hand", "expected the barrett"],
    ),
    (
        hand_grasp("box.stl", "--against", "plan_pole.h5"),
        [
            "plan_pole.h5: its grasps were planned for another mesh or another scale (mesh pole)",
            "for box.stl",
        ],
    ),
    (
        hand_grasp("box.stl", "--against", "plan_box.h5", "--scale", "1.1"),
        ["plan_box.h5", "another mesh or another scale (mesh box)"],
    ),
    (plan(), ["MESH"]),
    # places that cannot be written
    (hand_grasp("box.stl", "--out", "taken/out.json"), ["taken/out.json", "cannot write"]),
    (hand_grasp("box.stl", "--html", "taken/out.html"), ["taken/out.html", "cannot write"]),
    (hand_grasp("box.stl", "--out", "folder.h5"), ["folder.h5", "it is a folder"]),
    (plan("box.stl", "--out", "taken"), ["taken/box.h5", "cannot write"]),
    (sample("box.stl", "--out", "taken/out.h5"), ["taken/out.h5", "cannot write"]),
    (sample("box.stl", "--out", "taken"), ["taken/box.h5", "cannot write"]),
    (sample("box.stl", "--out", "folder.h5"), ["folder.h5", "it is a folder"]),
    (label("good.h5", "--out", "taken/deep/out.h5"), ["taken/deep/out.h5", "cannot write"]),
    (predict("cloud.npy", "--out", "taken/out.h5"), ["taken/out.h5", "cannot write"]),
    (predict("cloud.npy", "--html", "taken/out.html"), ["taken/out.html", "cannot write"]),
    (evaluate("box.stl", "--out", "taken/out.json"), ["taken/out.json", "cannot write"]),
    (evaluate("box.stl", "--out", "folder.h5"), ["folder.h5", "it is a folder"]),
    (evaluate("box.stl", "--html", "taken/out.html"), ["taken/out.html", "cannot write"]),
    (
        ["calibrate", "good.h5", "--mesh-root", ".", "--out", "taken/out.json"],
        ["taken/out.json", "cannot write"],
    ),
    (run("--output-root", "taken"), ["taken", "cannot write"]),
]


@pytest.mark.parametrize(
    ("arguments", "parts"), CASES, ids=[" ".join(arguments) for arguments, _ in CASES]
)
def test_bad_input_is_told_in_one_line_and_nothing_is_touched(folder, capsys, arguments, parts):
    before = contents(folder)
    message = refused(capsys, *arguments)
    assert not [part for part in parts if part not in message], message
    assert contents(folder) == before


def test_all_meshes_are_checked_before_the_first_is_simulated(folder, capsys, monkeypatch):
    monkeypatch.setattr(sets, "convex_parts", lambda mesh: (mesh.convex_hull,))
    before = contents(folder)
    assert "nan.obj" in refused(capsys, "sample", "box.stl", "nan.obj", "--out", "new")
    assert contents(folder) == before


def test_another_file_in_the_place_of_the_grasp_file_is_not_overwritten(
    folder, capsys, monkeypatch
):
    monkeypatch.setattr(sets, "convex_parts", lambda mesh: (mesh.convex_hull,))
    before = contents(folder)
    assert "cut.h5" in refused(capsys, "sample", "box.stl", "--out", "cut.h5")
    assert contents(folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize(
    "arguments",
    [
        sample("box.stl"),
        evaluate("box.stl"),
        label("good.h5"),
        predict("cloud.npy"),
        hand_grasp("box.stl"),
        plan("box.stl"),
        run("--output-root", "new"),
    ],
)
def test_a_folder_without_write_permission(folder, capsys, arguments):
    (folder / "new").mkdir()
    (folder / "new").chmod(0o555)
    before = contents(folder)
    assert "cannot write new/" in refused(capsys, *arguments)
    assert contents(folder) == before


@pytest.mark.parametrize("arguments", [sample("none.stl"), label("cut.h5")])
def test_the_exit_status_of_the_process(folder, arguments):
    before = contents(folder)
    done = subprocess.run(
        [sys.executable, "-m", "graspbook", *arguments], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith(
        "graspbook: error: "
    )
    assert done.stderr.count("\n") == 1
    assert contents(folder) == before
