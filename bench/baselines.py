"""The straightforward versions that the library is measured against: what one would write first,
with the same results.
"""

import mujoco
import numpy as np
import torch
import trimesh
from scipy.optimize import nnls
from torch import nn

from graspbook import pose
from graspbook.graspnet.evaluator import Evaluator
from graspbook.graspnet.grouping import ball_query, farthest_points, group, take
from graspbook.graspnet.sampler_per_point import PerPointSampler
from graspbook.hands import mjcf, pose_vector
from graspbook.hands.articulated import carry
from graspbook.hands.parallel_jaw import FRANKA
from graspbook.highdof.closing import touching
from graspbook.highdof.losses import LENGTH
from graspbook.objects.distance import lookup
from graspbook.quality import contact_wrenches
from graspbook.simulation import shake


def plain_shake_test(shaker, object_T_hand, closing_seconds=0.6):
    """Labels (N,) bool of grasps (N, 4, 4), one at a time by `mujoco.mj_step` in the Shaker's own
    world.

    The test's stages as its description reads: open hand, collision, closing from fully open for as
    long as the test allows, one shake along and about each axis, and whether both fingers touch the
    object after each.
    """
    settings, model, data = shaker.settings, shaker.model, mujoco.MjData(shaker.model)
    success = np.zeros(len(object_T_hand), bool)
    for i, state in enumerate(shaker.initial_states(object_T_hand)):
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:] = state[1 : 1 + model.nq], state[1 + model.nq :]
        data.ctrl[:] = -settings.force
        mujoco.mj_step(model, data)
        touch, distance = data.sensordata[0::2] > 0, data.sensordata[1::2]
        if (touch & (distance < -settings.penetration)).any():
            continue
        for _ in range(round(closing_seconds / settings.timestep) - 1):
            mujoco.mj_step(model, data)
        held = True
        for axis in range(3):
            now = np.concatenate([[data.time], data.qpos, data.qvel])[None]
            touches = []
            for wrench in shake._shake_wrench(shaker, now, axis)[0]:
                data.xfrc_applied[shaker.body_id] = wrench
                mujoco.mj_step(model, data)
                touches.append(data.sensordata[0:4:2] > 0)
            held &= shaker.in_both_fingers(np.array(touches)[None])[0]
        success[i] = held
    return success


class TiledPointNet2(nn.Module):
    """A PointNet2's own layers, applied as first written: a copy of the cloud, its groups and the
    condition for every grasp.
    """

    def __init__(self, network):
        super().__init__()
        self.network, self.size = network, network.size

    def forward(self, points, groups, features, condition=None):
        """As `PointNet2.forward`; a cloud that several grasps share is tiled."""
        if condition is None:
            return self._each(points, groups, features)[:, None]
        found = []
        for cloud, feature, numbers in zip(points, features, condition, strict=True):
            tiled = cloud.repeat(len(numbers), 1, 1)
            every = torch.cat(
                [feature.repeat(len(numbers), 1, 1), numbers[:, None].repeat(1, len(cloud), 1)],
                dim=-1,
            )
            found.append(self._each(tiled, group(tiled, self.network.settings), every))
        return torch.stack(found)

    def _each(self, points, groups, features):
        points = points / self.network.settings.length_unit
        for level, (centroids, neighbours) in zip(self.network.levels, groups, strict=False):
            centres = take(points, centroids)
            features, points = _abstracted(level, points, features, centres, neighbours), centres
        return self.network.head(_pooled(self.network.levels[2], points, features))


class TiledUnifiedCloud(nn.Module):
    """A UnifiedCloud whose centroids are the gripper's points and others of the object, as first
    written: all for every grasp.
    """

    def __init__(self, body):
        super().__init__()
        self.body, self.size = body, body.size

    def prepare(self, points, groups):
        """Nothing is shared."""

    def forward(self, points, groups, grasps, roll=None):
        """As `UnifiedCloud.forward`; the groups are made anew."""
        return torch.stack([self._each(*pair) for pair in zip(points, grasps, strict=True)])

    def _each(self, cloud, grasps):
        settings, network = self.body.settings, self.body.backbone
        gripper = (
            pose.transform(grasps, torch.as_tensor(FRANKA.control_points, dtype=grasps.dtype))
            / settings.length_unit
        )
        points = torch.cat([cloud.repeat(len(grasps), 1, 1) / settings.length_unit, gripper], dim=1)
        label = (torch.arange(points.shape[1]) < len(cloud)).to(points).expand(len(grasps), -1)
        features = torch.cat([points, label[..., None]], dim=-1)
        for level, *numbers in zip(
            network.levels, settings.centroids, settings.radii, settings.neighbours, strict=False
        ):
            centres, near_object, near_gripper = self._groups(points.detach(), *numbers)
            found = [
                _abstracted(level, points, features, *part)
                for part in ((centres, near_object), (gripper, near_gripper))
            ]
            points, features = torch.cat([centres, gripper], dim=1), torch.cat(found, dim=1)
        return network.head(_pooled(network.levels[2], points, features))

    def _groups(self, points, centroids, radius, neighbours):
        """Centres (G, M, 3) on the object, their padded neighbours (G, M, K + 6), and those (G, 6,
        L) of the gripper's points.
        """
        six, radius = len(FRANKA.control_points), radius / self.body.settings.length_unit
        objects, gripper = points[:, :-six], points[:, -six:]
        centres = take(objects, farthest_points(objects, min(centroids - six, objects.shape[1])))
        near = ball_query(objects, centres, radius, neighbours)
        last = torch.arange(objects.shape[1], points.shape[1])
        touched = torch.where(torch.cdist(centres, gripper) <= radius, last, near[..., :1])
        most = int((torch.cdist(gripper, points) <= radius).sum(dim=-1).max())
        return (
            centres,
            torch.cat([near, touched], dim=-1),
            ball_query(points, gripper, radius, most),
        )


def _abstracted(level, points, features, centres, neighbours):
    """Features (C, M, H) of the centres (C, M, 3), whose neighbours (C, M, K) among the points (C,
    N, 3) may repeat.
    """
    pairs = torch.cat(
        [take(points, neighbours) - centres[:, :, None], take(features, neighbours)], dim=-1
    )
    return level.rest(level.first(pairs)).relu().amax(dim=-2)


def _pooled(level, points, features):
    return level.rest(level.first(torch.cat([points, features], dim=-1))).relu().amax(dim=-2)


def tiled_sampler(settings):
    """The PerPointSampler of settings with conditioning "per_point", every cloud tiled."""
    sampler = PerPointSampler(settings)
    sampler.encoder, sampler.decoder = (
        TiledPointNet2(sampler.encoder),
        TiledPointNet2(sampler.decoder),
    )
    return sampler


def tiled_evaluator(settings):
    """The Evaluator of settings with representation "unified", every cloud tiled."""
    evaluator = Evaluator(settings)
    if settings.centroids == "literal":
        evaluator.body.backbone = TiledPointNet2(evaluator.body.backbone)
    else:
        evaluator.body = TiledUnifiedCloud(evaluator.body)
    return evaluator


class MujocoDepth:
    """Depth images of a mesh by `mujoco.mj_multiRay`, one ray a pixel."""

    def __init__(self, mesh, camera):
        spec = mujoco.MjSpec()
        spec.add_mesh(name="object", uservert=mesh.vertices.ravel(), userface=mesh.faces.ravel())
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="object")
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)
        v, u = np.mgrid[: camera.height, : camera.width]
        rays = np.stack([u.ravel(), v.ravel(), np.ones(u.size)], axis=1) @ np.linalg.inv(camera.K).T
        self.rays, self.shape = rays / np.linalg.norm(rays, axis=1, keepdims=True), u.shape

    def depth(self, object_T_camera):
        """Depth image (height, width) in metres, NaN where nothing is seen, from a camera pose in
        the object frame.
        """
        count = len(self.rays)
        geom, distance = np.empty(count, np.int32), np.empty(count)
        directions = (self.rays @ object_T_camera[:3, :3].T).ravel()
        mujoco.mj_multiRay(
            self.model,
            self.data,
            object_T_camera[:3, 3].copy(),
            directions,
            geomgroup=None,
            flg_static=True,
            bodyexclude=-1,
            geomid=geom,
            dist=distance,
            normal=None,
            nray=count,
            cutoff=mujoco.mjMAXVAL,
        )
        return np.where(geom >= 0, distance * self.rays[:, 2], np.nan).reshape(self.shape)


def face_by_face(mesh, points):
    """Signed distances (N,) of points (N, 3), negative inside: of each to every face, and by the
    solid angles of all faces.
    """
    distances = np.empty(len(points))
    for index, point in enumerate(points):
        nearest = trimesh.triangles.closest_point(
            mesh.triangles, np.tile(point, (len(mesh.faces), 1))
        )
        a, b, c = corners = (mesh.triangles - point).transpose(1, 0, 2)
        x, y, z = np.linalg.norm(corners, axis=2)
        volume = (a * np.cross(b, c)).sum(axis=1)
        angles = np.arctan2(
            volume,
            x * y * z + (a * b).sum(axis=1) * z + (b * c).sum(axis=1) * x + (c * a).sum(axis=1) * y,
        )
        outside = abs(angles.sum()) < np.pi
        distances[index] = np.linalg.norm(nearest - point, axis=1).min() * (1 if outside else -1)
    return distances


def one_by_one(hand, x, grasps, fields, turned_T_object, *, contacts, beta):
    """The mean combined loss of pose vectors x (B, 7 + J), as `highdof.losses` has it, of object b
    the b-th field.

    One example, one of its grasps (B, K, 7 + J) and one contact point at a time.
    """
    found = []
    for row, planned, frame, index in zip(x, grasps, turned_T_object, range(len(x)), strict=True):
        nearest = min(_squared_distance(row, grasp) for grasp in planned)
        wrist, joints = pose_vector.split(row)
        links, collision = hand.forward(joints, wrist), 0.0
        for point, link in zip(contacts.points, contacts.links, strict=True):
            at = links[link, :3, :3] @ torch.as_tensor(point, dtype=x.dtype) + links[link, :3, 3]
            at = frame[:3, :3].T @ (at - frame[:3, 3])
            depth = -lookup(fields, at[None, None], torch.tensor([index]))[0, 0].clamp(max=0)
            collision = collision + (depth / LENGTH) ** 2
        found.append(beta * nearest + (1 - beta) * collision)
    return sum(found) / len(found)


def _squared_distance(x, grasp):
    turned = min(((x[3:7] - grasp[3:7]) ** 2).sum(), ((x[3:7] + grasp[3:7]) ** 2).sum())
    return ((x[:3] - grasp[:3]) ** 2).sum() / LENGTH**2 + turned + ((x[7:] - grasp[7:]) ** 2).sum()


def point_by_point(fields, points, which):
    """What `objects.distance.lookup` gives for points (B, P, 3), one point of each b at a time."""
    return torch.cat(
        [lookup(fields, points[:, i : i + 1], which) for i in range(points.shape[1])], dim=1
    )


def squeeze_alone(hand, target, wrist, joints, total=100.0):
    """Motor targets (J,) of one closed hand: forces by SciPy's NNLS, torques by autograd."""
    points, normals, links = touching(hand, target.fields, 0, wrist, joints)
    if not len(points):
        return joints.numpy()
    cone = contact_wrenches(points, normals, target.com, target.length, friction=0.4, edges=8)
    rows = np.concatenate([cone.T, np.ones((1, len(cone)))])
    multiples = nnls(rows, np.eye(7)[6] * total)[0]
    forces = (multiples[:, None] * cone[:, :3]).reshape(-1, 8, 3).sum(axis=1)
    own = torch.linalg.inv(hand.forward(joints, wrist))[links]
    places = torch.as_tensor(points, dtype=own.dtype)[..., None]
    local = (own[:, :3, :3] @ places)[..., 0] + own[:, :3, 3]

    def placed(joints):
        return carry(hand.forward(joints, wrist), local, links)

    jacobian = torch.autograd.functional.jacobian(placed, joints).double().numpy()
    torques = np.einsum("pcj,pc->j", jacobian, forces)
    torques /= max(1.0, np.max(np.abs(torques) / hand.efforts))
    return joints.numpy() + torques / mjcf.stiffness(hand)


def hold_alone(holder, wrist, joints, squeeze, pregrasp):
    """Whether one grasp holds in all directions, by `mujoco.mj_step` from the start of each."""
    model, settings, held = holder.model, holder.settings, True
    data, spec = mujoco.MjData(model), mujoco.mjtState.mjSTATE_FULLPHYSICS
    first = pregrasp if settings.targets else joints
    start = holder._states(wrist[None], first[None])
    kept = holder._overlaps(holder._states(wrist[None], joints[None]))[0] <= settings.overlap
    approach = holder._approach(*(array[None] for array in (first, joints, squeeze)))[0]
    for axis in np.concatenate([np.eye(3), -np.eye(3)]):
        mujoco.mj_resetData(model, data)
        mujoco.mj_setState(model, data, start[0], spec)
        after = np.empty_like(start)
        for data.ctrl[:] in approach:
            mujoco.mj_step(model, data)
        mujoco.mj_getState(model, data, after[0], spec)
        kept = kept and holder._is_there(after, start)[0]
        before = start if settings.from_start else after.copy()
        pull = axis * settings.mass * settings.acceleration
        data.xfrc_applied[model.body("object").id, :3] = pull
        for _ in range(round(settings.time / settings.timestep)):
            mujoco.mj_step(model, data)
        mujoco.mj_getState(model, data, after[0], spec)
        held = held and holder._is_there(after, before)[0]
    return bool(kept and held)
