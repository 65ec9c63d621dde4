"""Hands of many joints: a tree of links, its batched and differentiable kinematics, its shape and
its contact points.

Everything of a link is in the link's frame; the hand's frame is that of its first link, called the
palm here. Joint vectors come in two orders, both with names: `Hand.joints`, the independent ones
that planners and networks see, and `Hand.all_joints`, which has the coupled ones too. Arrays are
numpy float64; torch functions keep dtype and device.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from graspbook.errors import ParameterError
from graspbook.hands.parts import Points

SLACK = 1e-4  # by how much a joint value may overstep its limits, as rounding does; it is clipped


class Hand:
    """A hand of `links` (first the palm; parents before children) with convex `parts`.

    coupling: joint -> (joint, factor, offset): its value is factor · the other's value + offset.
    contacts: layout name -> list of (link name, point, outward normal); the layout "default" must
    be there.
    may_touch: pairs of links whose overlap does not count, beside neighbours.
    content: hash of the files of a user's own hand, empty for others.
    notes: what was assumed of these files.

    Attributes. name. joints: names of the independent ones; of these limits (J, 2), efforts (J,),
    closing (J,): the sign in which each closes the hand, 0 where it only shapes it, and open (J,):
    closing joints as open as they go, the others at 0. all_joints: names, coupled ones too. links:
    names by depth in the tree, the order of link indices everywhere; tree: the Link of each.
    coupling, parts: as given. contacts: layout name -> Points.
    """

    def __init__(
        self, name, links, parts, contacts, coupling=None, *, may_touch=(), content="", notes=()
    ):
        by_name, depth = {link.name: link for link in links}, {}
        for link in links:
            depth[link.name] = 0 if link.parent is None else depth[link.parent] + 1
        self.name, self.parts, self.coupling = name, tuple(parts), dict(coupling or {})
        self.may_touch = frozenset(map(frozenset, may_touch))
        self.content, self.notes = content, tuple(notes)
        self.links = tuple(sorted(depth, key=depth.get))
        self.tree = tuple(by_name[link] for link in self.links)
        moving = [link for link in links if link.joint]
        self.all_joints = tuple(link.joint for link in moving)
        self.joints = tuple(joint for joint in self.all_joints if joint not in self.coupling)
        driven = [link for link in moving if link.joint not in self.coupling]
        self.limits = np.array([link.limits for link in driven], float).reshape(-1, 2)
        self.efforts = np.array([link.effort for link in driven], float)
        self.closing = np.array([link.closes for link in driven], float)
        low, high = self.limits.T
        self.open = np.select(
            [self.closing > 0, self.closing < 0], [low, high], np.clip(0.0, low, high)
        )
        self.contacts = {
            layout: Points(
                np.array([point for _, point, _ in rows], float),
                np.array([normal for _, _, normal in rows], float),
                np.array([self.links.index(link) for link, _, _ in rows]),
            )
            for layout, rows in contacts.items()
        }
        self._depths = np.array([depth[link] for link in self.links])
        self._by_kind: dict[Any, Any] = {}

    @cached_property
    def surface(self) -> Points:
        """Points over the whole hand, neighbours 3.5 to 5.5 mm apart, coarse before fine.

        Their order is that of farthest-point sampling in the open hand, so any leading part of them
        covers the hand evenly.
        """
        from graspbook.hands import shape

        return shape.surface_points(self)

    def forward(self, joints: Any, base: Any = None) -> Any:
        """Poses of the links (..., L, 4, 4), torch, differentiable.

        They are `palm_T_link`; with a base they are in the frame that the base is in.

        joints: values (..., J) of `joints`.
        base: pose of the palm (..., 4, 4).
        """
        coupling, offset = self._constants(joints)[:2]
        return self.forward_all(joints @ coupling + offset, base)

    def forward_all(self, values: Any, base: Any = None) -> Any:
        """What `forward` gives, where coupled joints have their own values.

        values: (..., A) of `all_joints`.
        base: pose of the palm (..., 4, 4).
        """
        import torch

        # Batches last: every product below then runs over long contiguous rows.
        _, _, select, rest, sine, cosine, slide, parents = self._constants(values)
        motion = select @ values.reshape(-1, len(self.all_joints)).T
        local = rest + motion.sin() * sine + (1 - motion.cos()) * cosine + motion * slide
        level = (
            local[:, :, :1]
            if base is None
            else _rows(base.expand(*values.shape[:-1], 4, 4))[:, :, None]
        )
        levels, start = [level], 1
        for parent in parents:
            child = local[:, :, start : start + len(parent)]
            level = level.index_select(2, parent)
            turned = (
                level[:, 0, None] * child[0]
                + level[:, 1, None] * child[1]
                + level[:, 2, None] * child[2]
            )
            level = torch.cat([turned[:, :3], turned[:, 3:] + level[:, 3:]], dim=1)
            levels.append(level)
            start += len(parent)
        rows = torch.cat(levels, dim=2)
        bottom = rows.new_tensor([0.0, 0.0, 0.0, 1.0])[None, :, None, None].expand(
            1, 4, *rows.shape[2:]
        )
        return (
            torch.cat([rows, bottom])
            .permute(3, 2, 0, 1)
            .reshape(*values.shape[:-1], len(self.links), 4, 4)
        )

    def expand(self, joints: Any) -> Any:
        """Values (..., A) of `all_joints`.

        joints: those (..., J) of `joints`, torch or numpy.
        """
        if isinstance(joints, np.ndarray):
            return joints @ self._matrices[0] + self._matrices[1]
        coupling, offset = self._constants(joints)[:2]
        return joints @ coupling + offset

    def vector(self, values: Mapping[str, Any], source: Any = "joints") -> np.ndarray:
        """Joint vector (J,) in the order of `joints`.

        Values that overstep a limit by rounding (1e-4) are clipped.

        values: name -> value in rad (metres for slides).
        source: what errors name.

        Raises ParameterError for missing or unknown names, for what is not a finite number, and for
        values outside their limits.
        """
        missing, unknown = (
            [j for j in self.joints if j not in values],
            [str(j) for j in values if j not in self.joints],
        )
        if missing or unknown:
            raise ParameterError(
                f"{source}: "
                + "; ".join(
                    f"{word} {', '.join(names)}"
                    for word, names in (("missing joints", missing), ("unknown joints", unknown))
                    if names
                )
                + f"; the {self.name} hand has the joints {', '.join(self.joints)}"
            )
        for joint, (low, high) in zip(self.joints, self.limits, strict=True):
            value = values[joint]
            if not isinstance(value, int | float | np.number) or not np.isfinite(value):
                raise ParameterError(f"{source}: {joint} is {value!r}, expected a finite number")
            if not low - SLACK <= value <= high + SLACK:
                raise ParameterError(
                    f"{source}: {joint} is {value:g}, expected {low:g} to {high:g}"
                )
        return np.clip([float(values[joint]) for joint in self.joints], *self.limits.T)

    def named(self, joints: Any) -> dict[str, float]:
        """The values of a joint vector by name.

        joints: (J,), in the order of `joints`.

        Raises ParameterError for another length.
        """
        if len(joints) != len(self.joints):
            raise ParameterError(
                f"the joint vector has {len(joints)} values, expected {len(self.joints)} for the"
                f" {self.name} hand"
            )
        return {joint: float(value) for joint, value in zip(self.joints, joints, strict=True)}

    @cached_property
    def _matrices(self):
        """Constants of the kinematics.

        Independent to all joints: coupling (J, A), offset (A,). All joints to links: select (L, A).
        Upper rows of a link in its parent: rest + sin q · sine + (1 - cos q) · cosine + q · slide,
        each (3, 4, L, 1): Rodrigues' formula for hinges.
        """
        coupling, offset = (
            np.zeros((len(self.joints), len(self.all_joints))),
            np.zeros(len(self.all_joints)),
        )
        for column, joint in enumerate(self.all_joints):
            source, factor, offset[column] = self.coupling.get(joint, (joint, 1.0, 0.0))
            coupling[self.joints.index(source), column] = factor
        select = np.zeros((len(self.tree), len(self.all_joints)))
        rest, sine, cosine, slide = np.zeros((4, 3, 4, len(self.tree), 1))
        for index, link in enumerate(self.tree):
            rest[..., index, 0] = link.parent_T_link[:3]
            if link.joint:
                select[index, self.all_joints.index(link.joint)] = 1.0
                axis = np.asarray(link.axis, float) / np.linalg.norm(link.axis)
                rotation, cross = link.parent_T_link[:3, :3], np.cross(np.eye(3), axis)
                if link.slides:
                    slide[:, 3, index, 0] = rotation @ axis
                else:
                    sine[:, :3, index, 0] = rotation @ cross
                    cosine[:, :3, index, 0] = rotation @ cross @ cross
        return coupling, offset, select, rest, sine, cosine, slide

    def _constants(self, like):
        """The same as torch tensors of the kind of `like`, and for each level of the tree its
        parents' indices in the last.
        """
        import torch

        key = (like.dtype, like.device)
        if key not in self._by_kind:
            tensors = [
                torch.as_tensor(matrix, dtype=like.dtype, device=like.device)
                for matrix in self._matrices
            ]
            parents = []
            for depth in range(1, self._depths.max() + 1):
                above = np.flatnonzero(self._depths == depth - 1)[0]
                indices = [
                    self.links.index(self.tree[i].parent) - above
                    for i in np.flatnonzero(self._depths == depth)
                ]
                parents.append(torch.as_tensor(indices, device=like.device))
            self._by_kind[key] = (*tensors, parents)
        return self._by_kind[key]


def _rows(poses):
    """Upper rows of poses (..., 4, 4) as (3, 4, all others as one)."""
    return poses.reshape(-1, 4, 4)[:, :3].permute(1, 2, 0)


def carry(poses: Any, points: Any, links: Any) -> Any:
    """Points (..., P, 3) that links carry along, in the frame of the poses.

    This is T(p, x) of the high-DOF paper, section IV-C. Torch, differentiable in the poses.

    poses: (..., L, 4, 4) of all links.
    points: (P, 3) in the frames of their links; may be numpy.
    links: (P,) indices of these; may be numpy.
    """
    return _carry(poses, points, links, 1.0)


def carry_normals(poses: Any, normals: Any, links: Any) -> Any:
    """Directions (..., P, 3): `carry` without the translation.

    poses: (..., L, 4, 4) of all links.
    normals: (P, 3) in the frames of their links.
    links: (P,) indices of these.
    """
    return _carry(poses, normals, links, 0.0)


def _carry(poses, vectors, links, last):
    """One matrix product for all points: a matrix with four entries a point, times the upper rows
    of all poses.
    """
    import torch

    links = torch.as_tensor(links, device=poses.device)
    homogeneous = torch.nn.functional.pad(
        torch.as_tensor(vectors, dtype=poses.dtype, device=poses.device), (0, 1), value=last
    )
    spread = poses.new_zeros(len(links), 4, poses.shape[-3])
    spread[torch.arange(len(links), device=poses.device), :, links] = homogeneous
    rows = poses.reshape(-1, *poses.shape[-3:])[..., :3, :].permute(2, 3, 1, 0)
    carried = spread.flatten(1) @ rows.reshape(3, 4 * poses.shape[-3], rows.shape[-1])
    return carried.permute(2, 1, 0).reshape(*poses.shape[:-3], len(links), 3)


def place(hand: Hand, wrist: Any, joints: Any, points: Any, links: Any) -> Any:
    """Points (..., P, 3) of a posed hand, torch.

    hand: whose points.
    wrist: pose of the palm (..., 4, 4).
    joints: (..., J).
    points: (P, 3) in the frames of their links.
    links: (P,) indices of these.
    """
    return carry(hand.forward(joints, wrist), points, links)
