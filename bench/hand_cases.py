"""Cases of hands of many joints; see `cases` for what a case is and how two sides are compared."""

import os
import tempfile
from dataclasses import replace
from functools import cache
from unittest import mock

import mujoco
import numpy as np
import torch
import trimesh
from baselines import face_by_face, hold_alone, one_by_one, point_by_point, squeeze_alone
from scipy.spatial import ConvexHull

from graspbook.hands import mjcf, pose_vector
from graspbook.hands.library import load_hand
from graspbook.highdof import losses, refinement
from graspbook.highdof import network as networks
from graspbook.highdof.annealing import AnnealingSettings
from graspbook.highdof.closing import close
from graspbook.highdof.descent import DescentSettings
from graspbook.highdof.network import GraspNetwork, NetworkSettings
from graspbook.highdof.object_field import make_target
from graspbook.highdof.planner import PlannerSettings, plan
from graspbook.highdof.predict import WAYS
from graspbook.highdof.squeeze import stages
from graspbook.objects import distance
from graspbook.objects.families import FAMILIES, make_shape
from graspbook.objects.occupancy import occupancy_grids
from graspbook.objects.rotations import rotations, turned_frame
from graspbook.pose import quat_wxyz_to_matrix
from graspbook.quality import contact_wrenches, epsilon
from graspbook.simulation.hold import Holder, hold_settings
from graspbook.workbook.params import load_profile


def plan_grasps(search, unit, tiny, measure):
    """Grasps of the Shadow Hand planned by "annealing" or "descent", 160 chains at once; the
    baseline plans one after another.

    unit: "evals/s", states whose energy is evaluated, or "grasps/min": 200 iterations of annealing,
    the first ones, stand for the default number.
    """
    torch.set_num_threads(1)
    hand, mesh = load_hand("shadow"), make_shape("bottle", np.random.default_rng(0)).mesh
    fields = distance.stack([distance.signed_distance_grid(mesh, 48 if tiny else 96)])
    chains, few = (4, 1) if tiny else (160, 2)
    if search == "annealing":
        settings = AnnealingSettings(iterations=5 if tiny else 200)
        share = settings.iterations / AnnealingSettings().iterations
    else:
        settings = DescentSettings(rounds=2 if tiny else DescentSettings().rounds)
        share = settings.rounds / DescentSettings().rounds

    def run(count):
        return plan(
            hand, fields, PlannerSettings(count, search=settings), torch.Generator().manual_seed(0)
        )[0].evaluations

    work, baseline_work = 60 * share * chains, 60 * share * few
    if unit == "evals/s":
        work, baseline_work = run(chains), few * run(1)
    return measure(
        lambda: run(chains),
        lambda: [run(1) for _ in range(few)],
        unit=unit,
        work=work,
        baseline_work=baseline_work,
        repeats=1 if tiny else 2,
    )


def distance_field(tiny, measure):
    """Signed distance fields of 10 000 faces on 128³ nodes; the baseline asks every face, for some
    random nodes.
    """
    mesh = trimesh.creation.torus(0.05, 0.02, *((12, 8) if tiny else (100, 50)))
    size, few = (16, 20) if tiny else (128, 500)
    nodes = np.random.default_rng(0).integers(size, size=(few, 3))

    def ours():
        with (
            tempfile.TemporaryDirectory() as empty,
            mock.patch.dict(os.environ, GRASPBOOK_CACHE=empty),
        ):
            return distance.signed_distance_grid(mesh, size)

    field = ours()
    points = field.origin + field.spacing * nodes

    def same(field, theirs):
        return (
            f"within {np.abs(field.values[tuple(nodes.T)] - theirs).max() / field.spacing:.2f}"
            " voxels"
        )

    return measure(
        ours,
        lambda: face_by_face(mesh, points),
        unit="fields/s",
        work=1,
        baseline_work=few / size**3,
        repeats=1 if tiny else 3,
        same=same,
    )


def kinematics(tiny, measure):
    """Postures of the Shadow Hand; the baseline is MuJoCo's kinematics, one posture at a time."""
    torch.set_num_threads(1)
    hand, count = load_hand("shadow"), 10 if tiny else 4096
    joints = np.random.default_rng(0).uniform(*hand.limits.T, (count, len(hand.joints)))
    model, data, address = in_mujoco(hand)
    bodies = [model.body(f"hand/{name}").id for name in hand.links]
    given = torch.as_tensor(joints, dtype=torch.float32)

    def baseline():
        found = np.empty((count, len(bodies), 3))
        for values, places in zip(hand.expand(joints), found, strict=True):
            data.qpos[address] = values
            mujoco.mj_kinematics(model, data)
            places[:] = data.xpos[bodies]
        return found

    def same(ours, theirs):
        return f"within {np.abs(ours[..., :3, 3].numpy() - theirs).max():.0e} m"

    return measure(
        lambda: hand.forward(given),
        baseline,
        unit="poses/s",
        work=count,
        repeats=1 if tiny else 5,
        same=same,
    )


def in_mujoco(hand):
    """MuJoCo's model and data of a hand, and the address of each of its joints in qpos."""
    spec = mujoco.MjSpec()
    mjcf.add_hand(spec, hand)
    model = spec.compile()
    address = [model.joint(f"hand/{joint}").qposadr[0] for joint in hand.all_joints]
    return model, mujoco.MjData(model), address


def quality(tiny, measure):
    """ε of grasps with 6 to 45 contacts anywhere on a bottle; the baseline takes the hull of all
    wrenches.
    """
    mesh, grasps = make_shape("bottle", np.random.default_rng(0)).mesh, []
    length = np.linalg.norm(mesh.vertices - mesh.center_mass, axis=1).max()
    for contacts in (6, 8) if tiny else (6, 12, 20, 45):
        points, faces = trimesh.sample.sample_surface(mesh, contacts, seed=0)
        grasps.append((points, -mesh.face_normals[faces], mesh.center_mass, length))

    def baseline():
        found = []
        for grasp in grasps:
            hull = ConvexHull(contact_wrenches(*grasp, friction=0.4, edges=8), qhull_options="QJ")
            closure = -hull.equations[:, 6].max()
            found.append(closure if closure > 1e-7 else -1.0)
        return found

    return measure(
        lambda: [epsilon(*grasp) for grasp in grasps],
        baseline,
        unit="grasps/s",
        work=len(grasps),
        repeats=1 if tiny else 5,
        same=lambda ours, theirs: f"within {np.abs(np.subtract(ours, theirs)).max():.0e}",
    )


def mend_poses(way, count, tiny, measure):
    """Five hands mended in a way of `generate`, 5 at a time or 1; the baseline mends 1 at a time,
    or looks up 1 ball too.
    """
    torch.set_num_threads(2)
    hand, mesh = load_hand("shadow"), make_shape("bottle", np.random.default_rng(0)).mesh
    fields, rng = (
        distance.stack([distance.signed_distance_grid(mesh, 48 if tiny else 128)]),
        np.random.default_rng(0),
    )
    rotation = quat_wxyz_to_matrix(rng.normal(size=(5, 4)))
    wrist = np.concatenate([rotation, -rotation @ [[0.0], [-0.03], [0.08]]], axis=2)
    wrist = np.concatenate([wrist, np.tile([0.0, 0, 0, 1], (5, 1, 1))], axis=1)
    x, which = (
        torch.as_tensor(pose_vector.join(wrist, hand.open), dtype=torch.float32),
        torch.zeros(5, dtype=torch.long),
    )
    x = x[:1] if tiny else x

    def freed(count):
        return torch.cat(
            [WAYS[way](hand, fields, which[: len(some)], some)[1] for some in x.split(count)]
        )

    def ball_by_ball():
        with mock.patch.object(refinement, "lookup", point_by_point):
            return freed(1)

    return measure(
        lambda: freed(count),
        ball_by_ball if count == 1 else lambda: freed(1),
        unit="grasps/s",
        work=len(x),
        repeats=1 if tiny else 3,
        same=lambda ours, theirs: f"{ours.float().mean():.0%}, {theirs.float().mean():.0%} freed",
    )


def _closed_hands(count, tiny):
    """Shadow Hands that have closed on a bottle: the hand, the object, its Target, and the arrays
    wrist and joints.
    """
    hand, obj = load_hand("shadow"), make_shape("bottle", np.random.default_rng(0))
    target, rng = make_target(obj.mesh), np.random.default_rng(0)
    rotation = quat_wxyz_to_matrix(rng.normal(size=(count, 4)))
    wrist = np.tile(np.eye(4), (count, 1, 1))
    wrist[:, :3, :3], wrist[:, :3, 3:] = rotation, -rotation @ [[0.0], [-0.05], [0.08]]
    wrist[:, :3, 3] += target.com
    x = torch.as_tensor(pose_vector.join(wrist, hand.open), dtype=torch.float32)
    which = torch.zeros(count, dtype=torch.long)
    steps = {"steps": 5} if tiny else {}
    wrist, joints = pose_vector.split(refinement.adjust(hand, target.fields, which, x, **steps)[0])
    return hand, obj, target, wrist, close(hand, target.fields, which, wrist, joints)


def squeeze_hands(tiny, measure):
    """Pregrasps and balanced squeezes of closed hands, 32 at once; the baseline takes one grasp at
    a time, all its contacts, SciPy's NNLS and a Jacobian by autograd.
    """
    torch.set_num_threads(1)
    count, few = (2, 1) if tiny else (32, 3)
    hand, _, target, wrist, joints = _closed_hands(count, tiny)

    def baseline():
        return [squeeze_alone(hand, target, wrist[i], joints[i]) for i in range(few)]

    return measure(
        lambda: stages(hand, target, wrist, joints),
        baseline,
        unit="grasps/s",
        work=count,
        baseline_work=few,
        repeats=1 if tiny else 5,
    )


def hold_hands(preset, tiny, measure):
    """Hold tests of closed hands, 32 at once; the baseline tests one grasp at a time by mj_step in
    Python, each direction from the start and to the end.
    """
    torch.set_num_threads(1)
    count, few = (2, 1) if tiny else (32, 2)
    hand, obj, target, wrist, joints = _closed_hands(count, tiny)
    settings = hold_settings(preset)
    if tiny:
        settings = replace(settings, time=0.1)
    holder = Holder(hand, obj, settings, threads=1)
    before, grasp, squeeze, _ = stages(hand, target, wrist, joints)
    given = wrist.double().numpy(), grasp, squeeze, before

    def ours():
        return holder.test(*given[:2], squeeze=squeeze, pregrasp=before, every=False).held

    def baseline():
        return [hold_alone(holder, *(array[i] for array in given)) for i in range(few)]

    return measure(
        ours,
        baseline,
        unit="tests/s",
        work=count,
        baseline_work=few,
        repeats=1 if tiny else 3,
        same=lambda ours, theirs: f"{np.mean(ours[:few] == np.array(theirs)):.0%} alike",
    )


def train_hand(tiny, measure):
    """Training steps by the combined loss in the desk profile's sizes: 16 grids, of as many
    objects, with its K grasps each.

    The baseline evaluates the loss one example, one grasp and one contact point at a time, and is
    otherwise the same step.
    """
    torch.set_num_threads(2)
    desk, rng = load_profile("desk"), np.random.default_rng(0)
    training, grasps = (
        desk["highdof_3_training"],
        2 if tiny else desk["highdof_2_grasp_data"].grasps,
    )
    settings = (
        NetworkSettings(16, 2, (8,))
        if tiny
        else NetworkSettings(training.grid, training.width, tuple(training.hidden))
    )
    hand, contacts = load_hand("shadow"), load_hand("shadow").contacts["default"]
    meshes = [make_shape("bottle", rng).mesh for _ in range(2 if tiny else 16)]
    fields = distance.stack(
        [distance.signed_distance_grid(mesh, 16 if tiny else training.nodes) for mesh in meshes]
    )
    which, count = torch.arange(len(meshes)), len(meshes)
    turned = torch.as_tensor(turned_frame(rotations()[:count], np.zeros(3)), dtype=torch.float32)
    (model, grids), (plain, _) = _network(settings, count), _network(settings, count)
    planned = pose_vector.normalise(0.05 * torch.randn(count, grasps, 7 + len(hand.joints)))

    def ours(x):
        depths = losses.penetrations(hand, x, fields, which, turned.to(x), contacts=contacts)
        return losses.combined(
            losses.consistency(x, planned.to(x)), losses.collision(depths), training.beta
        ).mean()

    def baseline(x):
        each = {"contacts": contacts, "beta": training.beta}
        return one_by_one(hand, x, planned.to(x), fields, turned.to(x), **each)

    def stepper(model, loss_of):
        optimiser = torch.optim.Adam(model.parameters(), training.rate)

        def step():
            loss = loss_of(model(grids))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        return step

    with torch.no_grad():  # at poses that reach into the objects
        x = pose_vector.normalise(
            0.05 * torch.randn(count, 7 + len(hand.joints), dtype=torch.float64)
        )
        same = f"within {abs(float(ours(x) / baseline(x)) - 1):.0e}"
    return measure(
        stepper(model, ours),
        stepper(plain, baseline),
        unit="steps/s",
        work=1,
        repeats=1 if tiny else 5,
        same=lambda *_: same,
    )


def crop_hand(profile, tiny, measure):
    """Training steps of a profile's network on 16 grids of objects, by a loss that costs nothing;
    the baseline takes whole grids.
    """
    torch.set_num_threads(2)
    sizes = load_profile(profile)["highdof_3_training"]
    settings = NetworkSettings(sizes.grid, sizes.width, tuple(sizes.hidden))
    settings = NetworkSettings(16, 2, (8,)) if tiny else settings
    grids = _object_grids(settings.grid, 2 if tiny else 16)

    def stepper(worth):
        losses = []

        @cache
        def made():  # at the first step: the other side's memory is not counted
            model = _network(settings, 1)[0]
            return model, torch.optim.AdamW(model.parameters(), 1e-4, fused=True)

        def step():
            model, optimiser = made()
            with mock.patch.object(networks, "WORTH", worth):
                loss = model(grids).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
            return losses[0]

        return step

    return measure(
        stepper(-1.0),
        stepper(np.inf),
        unit="steps/s",
        work=1,
        repeats=1 if tiny else 3,
        same=lambda ours, theirs: f"within {abs(ours / theirs - 1):.0e}",
    )


def forward_hand(count, tiny, measure):
    """Grids of objects through the paper's network, `count` at a time; the baseline takes whole
    grids, one at a time.
    """
    torch.set_num_threads(2)
    settings = NetworkSettings(16, 2, (8,)) if tiny else NetworkSettings()
    model, grids = _network(settings, 1)[0].eval(), _object_grids(settings.grid, count)

    def ours():
        with torch.inference_mode():
            return model(grids)

    def baseline():
        with torch.inference_mode(), mock.patch.object(networks, "WORTH", np.inf):
            return torch.cat([model(grid) for grid in grids.split(1)])

    return measure(
        ours,
        baseline,
        unit="grids/s",
        work=count,
        repeats=1 if tiny else 5,
        same=lambda ours, theirs: f"within {float((ours - theirs).abs().max()):.0e}",
    )


def _object_grids(side, count):
    """Grids of objects of every family, each in a rotation of its own, 0.4 m wide."""
    found = []
    for index, turn in enumerate(rotations()[:count]):
        family = list(FAMILIES)[index % len(FAMILIES)]
        mesh = make_shape(family, np.random.default_rng(index)).mesh
        frame = turned_frame(turn[None], mesh.center_mass)
        found.append(occupancy_grids(mesh, frame, side, 0.4)[0][0])
    return torch.as_tensor(np.array(found))


def _network(settings, count):
    """A GraspNetwork of the Shadow Hand and as many grids of noise."""
    torch.manual_seed(0)
    return GraspNetwork(18, settings), torch.rand(count, *[settings.grid] * 3) > 0.8
