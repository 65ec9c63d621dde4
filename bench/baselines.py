"""The straightforward versions that the library is measured against: what one would write first, with the same results."""

import mujoco
import numpy as np
import torch
from torch import nn

from graspbook.graspnet.evaluator import Evaluator
from graspbook.graspnet.pointnet2 import group, take
from graspbook.graspnet.sampler import Sampler
from graspbook.simulation import shake


def plain_shake_test(shaker, object_T_hand, closing_seconds=0.6):
    """Labels (N,) bool of grasps (N, 4, 4), one at a time by `mujoco.mj_step` in the Shaker's own world.

    The test's stages as its description reads: open hand, collision, closing from fully open for as long as the test
    allows, one shake along and about each axis, and whether both fingers touch the object after each.
    """
    settings, model, data = shaker.settings, shaker.model, mujoco.MjData(shaker.model)
    success = np.zeros(len(object_T_hand), bool)
    for i, state in enumerate(shake._initial_states(shaker, object_T_hand)):
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:] = state[1:1 + model.nq], state[1 + model.nq:]
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
            held &= shake._in_both_fingers(np.array(touches)[None], settings)[0]
        success[i] = held
    return success


class TiledPointNet2(nn.Module):
    """A PointNet2's own layers, applied as first written: a copy of the cloud, its groups and the condition for every grasp."""

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
            every = torch.cat([feature.repeat(len(numbers), 1, 1), numbers[:, None].repeat(1, len(cloud), 1)], dim=-1)
            found.append(self._each(tiled, group(tiled, self.network.settings), every))
        return torch.stack(found)

    def _each(self, points, groups, features):
        points = points / self.network.settings.length_unit
        for level, (centroids, neighbours) in zip(self.network.levels, groups, strict=False):
            centres = take(points, centroids)
            pairs = torch.cat([take(points, neighbours) - centres[:, :, None], take(features, neighbours)], dim=-1)
            features, points = level.rest(level.first(pairs)).relu().amax(dim=-2), centres
        last = self.network.levels[2]
        pooled = last.rest(last.first(torch.cat([points, features], dim=-1))).relu().amax(dim=-2)
        return self.network.head(pooled)


def tiled_sampler(settings):
    """The Sampler of settings with conditioning "per_point", every cloud tiled."""
    sampler = Sampler(settings)
    sampler.encoder, sampler.decoder = TiledPointNet2(sampler.encoder), TiledPointNet2(sampler.decoder)
    return sampler


def tiled_evaluator(settings):
    """The Evaluator of settings with representation "unified" and literal centroids, every cloud tiled."""
    evaluator = Evaluator(settings)
    evaluator.body.backbone = TiledPointNet2(evaluator.body.backbone)
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
        v, u = np.mgrid[:camera.height, :camera.width]
        rays = np.stack([u.ravel(), v.ravel(), np.ones(u.size)], axis=1) @ np.linalg.inv(camera.K).T
        self.rays, self.shape = rays / np.linalg.norm(rays, axis=1, keepdims=True), u.shape

    def depth(self, object_T_camera):
        """Depth image (height, width) in metres, NaN where nothing is seen, from a camera pose in the object frame."""
        count = len(self.rays)
        geom, distance = np.empty(count, np.int32), np.empty(count)
        directions = (self.rays @ object_T_camera[:3, :3].T).ravel()
        mujoco.mj_multiRay(self.model, self.data, object_T_camera[:3, 3].copy(), directions, None, True, -1, geom, distance, None,
                           count, mujoco.mjMAXVAL)
        return np.where(geom >= 0, distance * self.rays[:, 2], np.nan).reshape(self.shape)
