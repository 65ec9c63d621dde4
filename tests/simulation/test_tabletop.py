import mujoco
import numpy as np
import pytest
import trimesh

from graspbook import pose
from graspbook.errors import MeshError, ParameterError
from graspbook.objects import GraspObject
from graspbook.objects.solids import loft, ring
from graspbook.objects.trial_objects import TRIAL_OBJECTS, make_trial_object
from graspbook.simulation.shake_model import ShakeSettings
from graspbook.simulation.tabletop import _solid_angles, stable_poses, tabletop

TURN = pose.from_rt(pose.rotation_about([1.0, 2, 3], 1.0), [0.3, -0.2, 0.1])


def solid(mesh, name="solid"):
    return GraspObject(name, "solid", mesh, (mesh,))


def box(*sides):
    return solid(trimesh.creation.box(sides))


def at(x=0.5, y=0.0, z=0.0):
    return pose.from_rt(np.eye(3), [x, y, z])


def downs(poses):
    """Directions in the object frame that point down (P, 3)."""
    return -poses[:, 2, :3]


def simulate(spec, seconds):
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, nstep=round(seconds / model.opt.timestep))
    return model, data


def test_a_box_rests_on_its_three_kinds_of_sides_the_lowest_first():
    poses = stable_poses(box(0.05, 0.09, 0.03), 3)
    np.testing.assert_allclose(np.abs(downs(poses)), [[0, 0, 1], [1, 0, 0], [0, 1, 0]], atol=1e-9)
    np.testing.assert_allclose(
        poses[:, :3, 3], [[0, 0, 0.015], [0, 0, 0.025], [0, 0, 0.045]], atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(poses[:, :3, :3]), 1)


def test_facets_of_a_round_side_are_one_pose_and_the_likeliest_is_repeated_with_other_yaws():
    circle = ring(0.02, 0.0, 32)
    poses = stable_poses(solid(loft(circle, circle + [0, 0, 0.12])), 4)
    lies = np.abs(poses[:, 2, 2]) < 1e-6
    assert lies.tolist() == [True, False, True, True]
    axes = poses[[0, 2, 3], :2, 2]  # where the cylinder points on the table
    assert np.abs(axes[[0, 0, 1], None] @ axes[[1, 2, 2], :, None]).max() < 0.9999


def test_what_topples_is_not_a_pose_and_its_share_goes_where_it_falls():
    base = np.array([[-0.02, -0.03, 0], [0.02, -0.03, 0], [0.02, 0.03, 0], [-0.02, 0.03, 0]])
    leaning = solid(
        loft(base, base + [0.08, 0, 0.12])
    )  # the centre of mass is 2 cm outside the base
    poses = stable_poses(leaning, 4)
    assert np.abs(downs(poses)[:, 2]).max() < 0.8
    # By hand: the lean sides (normal (12, 0, -8) / 14.42), 16.6 mm from the centre of mass, then
    # the faces across y, at 30 mm.
    np.testing.assert_allclose(
        poses[:2, 2, 3] + poses[:2, 2, :3] @ leaning.mesh.center_mass,
        [0.04 * 12 / 208**0.5 / 2, 0.03],
    )


def test_nothing_balances_on_a_tip():
    top = solid(loft(ring(0.0005, 0.0, 16), ring(0.03, 0.1, 16)))
    assert downs(stable_poses(top, 5))[:, 2].min() > -0.9


@pytest.mark.parametrize("name", ["spam_can", "mustard_bottle", "red_bowl", "white_mug"])
def test_poses_touch_the_table_below_the_centre_of_mass_and_stay_as_they_are(name):
    obj = make_trial_object(name)
    mass = TRIAL_OBJECTS[name].mass
    for world_T_object in stable_poses(obj, 3, seed=1):
        assert pose.transform(world_T_object, obj.mesh.vertices)[:, 2].min() == pytest.approx(
            0, abs=1e-9
        )
        np.testing.assert_allclose(
            pose.transform(world_T_object, obj.mesh.center_mass[None])[0, :2], 0, atol=1e-9
        )
        _, data = simulate(tabletop([obj], at(0.5, 0.1) @ world_T_object, [mass]), 1.0)
        settled = pose.from_rt(
            pose.quat_wxyz_to_matrix(data.qpos[3:]), data.qpos[:3] - [0.5, 0.1, 0]
        )
        np.testing.assert_allclose(
            pose.transform(settled, obj.mesh.vertices),
            pose.transform(world_T_object, obj.mesh.vertices),
            atol=0.01,
        )


def test_mugs_have_three_poses_and_bowls_two():
    # A mug can also stand on its handle, but not when it is tilted by 1°.
    for name, distinct in (("white_mug", 3), ("green_bowl", 2)):
        heights = stable_poses(make_trial_object(name), 6)[:, 2, 3].round(6)
        assert len(heights) == 6 and len(set(heights.tolist())) == distinct


def test_where_it_settles_takes_the_place_of_a_pose_that_does_not_last(monkeypatch):
    on_edge = pose.from_rt(pose.rotation_about([1.0, 0, 0], np.deg2rad(40.0)), [0.1, 0.2, 0.3])
    monkeypatch.setattr("graspbook.simulation.tabletop._settle", lambda model, start: on_edge)
    obj = box(0.05, 0.09, 0.03)
    poses = stable_poses(obj, 3)
    np.testing.assert_allclose(downs(poses), np.tile(-on_edge[2, :3], (3, 1)), atol=1e-9)
    assert pose.transform(poses[0], obj.mesh.vertices)[:, 2].min() == pytest.approx(0, abs=1e-9)
    monkeypatch.setattr("graspbook.simulation.tabletop._settle", lambda model, start: None)
    with pytest.raises(MeshError, match="none of its 3 poses on a table is stable$"):
        stable_poses(obj, 3)


def test_the_object_frame_does_not_matter():
    for obj in (box(0.05, 0.09, 0.03), make_trial_object("white_bowl")):
        turned = GraspObject(
            obj.name,
            obj.family,
            obj.mesh.copy().apply_transform(TURN),
            tuple(part.copy().apply_transform(TURN) for part in obj.parts),
        )
        here, there = stable_poses(obj, 3), stable_poses(turned, 3)
        for a, b in zip(here, there @ TURN, strict=True):
            heights = [
                np.sort(pose.transform(world_T_object, obj.mesh.vertices)[:, 2])
                for world_T_object in (a, b)
            ]
            np.testing.assert_allclose(*heights, atol=1e-6)


def test_a_seed_gives_the_same_bytes_and_another_seed_other_yaws_of_the_same_poses():
    obj = make_trial_object("sugar_box")
    first, again, other = (
        stable_poses(obj, 3, seed=4),
        stable_poses(obj, 3, seed=4),
        stable_poses(obj, 3, seed=5),
    )
    assert first.tobytes() == again.tobytes()
    np.testing.assert_array_equal(downs(first), downs(other))
    assert np.abs(first[:, 0, :3] - other[:, 0, :3]).max(axis=1).min() > 0.01


def test_refused_poses_make_room_for_the_next():
    obj = box(0.05, 0.09, 0.03)
    upright = stable_poses(obj, 2, accept=lambda world_T_object: world_T_object[2, 3] > 0.03)
    np.testing.assert_allclose(upright[:, 2, 3], 0.045)
    with pytest.raises(MeshError, match="'solid'.*3 poses.*accepted"):
        stable_poses(obj, 2, accept=lambda world_T_object: False)


def test_impossible_requests_for_poses_are_refused():
    with pytest.raises(ParameterError, match="0 stable poses of 'solid'"):
        stable_poses(box(0.05, 0.05, 0.05), 0)
    flat = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    with pytest.raises(MeshError, match="'sheet'.*hull"):
        stable_poses(GraspObject("sheet", "solid", trimesh.creation.box([1, 1, 1]), (flat,)), 1)


def test_solid_angles_of_a_cube_are_a_twelfth_of_the_sphere_each():
    cube = trimesh.creation.box([0.1, 0.1, 0.1])
    np.testing.assert_allclose(_solid_angles(cube.triangles), 4 * np.pi / 12)
    beside = trimesh.creation.icosphere(2).triangles - [
        0.5,
        0.3,
        0.2,
    ]  # from any point inside they fill the sphere
    assert _solid_angles(beside).sum() == pytest.approx(4 * np.pi)


def test_the_table_and_its_objects_are_where_they_were_put_and_weigh_what_they_should():
    mug = make_trial_object("red_ycb_mug")
    brick = solid(trimesh.creation.box([0.04, 0.06, 0.1]).apply_translation([0.01, 0, 0.05]))
    placed = np.stack([at(0.45, 0.2), at(0.6, -0.1) @ TURN])
    table = {"table_size": (0.8, 1.0, 0.04), "table_centre": (0.55, 0.1)}
    spec = tabletop([mug, brick], placed, [0.118, 0.3], **table)
    for model in (spec.compile(), mujoco.MjSpec.from_string(spec.to_xml()).compile()):
        table = model.geom("table")
        np.testing.assert_allclose(table.pos + table.size, [0.95, 0.6, 0])
        assert (model.geom_contype == 1).all() and (model.geom_conaffinity == 1).all()
        for i, obj in enumerate((mug, brick)):
            qpos = model.qpos0[model.joint(f"object_{i}").qposadr[0] + np.arange(7)]
            np.testing.assert_allclose(qpos[:3], placed[i, :3, 3], atol=1e-6)
            np.testing.assert_allclose(
                pose.quat_wxyz_to_matrix(qpos[3:]), placed[i, :3, :3], atol=1e-5
            )
            np.testing.assert_allclose(
                model.body(f"object_{i}").ipos, obj.mesh.center_mass, atol=1e-6
            )
            assert [
                model.geom(f"object_{i}_part_{k}").bodyid[0] for k in range(len(obj.parts))
            ] == [i + 1] * len(obj.parts)
        np.testing.assert_allclose(model.body_mass, [0, 0.118, 0.3])
        inertia = 0.3 / 12 * np.array([0.06**2 + 0.1**2, 0.04**2 + 0.1**2, 0.04**2 + 0.06**2])
        np.testing.assert_allclose(
            np.sort(model.body("object_1").inertia), np.sort(inertia), rtol=1e-5
        )


@pytest.mark.parametrize(
    ("friction", "slope", "slides"), [(0.45, 21.0, False), (0.45, 28.0, True), (0.8, 28.0, False)]
)
def test_a_box_slides_on_a_slope_steeper_than_its_friction_holds(friction, slope, slides):
    spec = tabletop(
        [box(0.08, 0.08, 0.03)], at(z=0.015), [0.2], settings=ShakeSettings(friction=friction)
    )
    spec.option.gravity = 9.81 * np.array(
        [np.sin(np.deg2rad(slope)), 0, -np.cos(np.deg2rad(slope))]
    )
    _, data = simulate(spec, 0.4)
    moved = data.qpos[0] - 0.5
    # By hand: g (sin s - µ cos s) t² / 2
    expected = 9.81 * (np.sin(np.deg2rad(slope)) - friction * np.cos(np.deg2rad(slope))) * 0.08
    assert moved == pytest.approx(expected if slides else 0.0, abs=0.004)


def test_objects_meet_each_other():
    _, data = simulate(
        tabletop(
            [box(0.1, 0.1, 0.04), box(0.05, 0.05, 0.04)], [at(z=0.02), at(z=0.07)], [0.3, 0.1]
        ),
        1.0,
    )
    np.testing.assert_allclose(data.qpos[[2, 9]], [0.02, 0.06], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"masses": [0.1, 0.2]}, "1 objects .* 1 poses and 2 masses"),
        ({"masses": [0.0]}, r"masses \[0.0\]"),
        ({"masses": [np.nan]}, r"masses \[nan\]"),
        ({"table_size": (1.0, 0.0, 0.1)}, "table_size"),
    ],
)
def test_tables_that_cannot_be_are_refused(change, says):
    with pytest.raises(ParameterError, match=says):
        tabletop([box(0.05, 0.05, 0.05)], at(z=0.025), **{"masses": [0.1], **change})
