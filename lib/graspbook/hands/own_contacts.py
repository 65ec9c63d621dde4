"""What a hand's file does not say: how its joints close it, where it grips, what may touch."""

from collections import Counter
from collections.abc import Mapping

import mujoco
import numpy as np
import torch

from graspbook import pose
from graspbook.hands import mjcf
from graspbook.hands.articulated import Hand, carry
from graspbook.hands.parts import Points
from graspbook.hands.self_collision import ALLOWED
from graspbook.hands.shape import farthest_first, link_poses, part_distance

_LEAN = 0.1  # of a range about 0: a joint that turns as far to both sides shapes the hand
_CLEAR = 0.4  # of a range: a hinge that turns so much further to one side closes to that side
_SURE = 0.25  # cosine between a fingertip's motion and the way to the others
_FACES = 0.6  # cosine between a surface and the way in which it closes
_TIP, _LINK, _PALM = 5, 2, 8  # contact points that are sampled, per link
_POSES, _MOSTLY = 200, 0.9  # of these, links that overlap in so many do by construction


def closing_signs(hand: Hand, given: Mapping[str, int]) -> dict[str, int]:
    """The sign in which each joint closes a hand, by joint: as given, or worked out.

    A hinge closes in the direction in which it turns clearly further from 0. One that turns as far
    to both sides only shapes the hand. All others close in the direction that carries fingertips
    towards those of other fingers.

    hand: without signs.
    given: the signs that are known, by joint.
    """
    known = np.array([joint in given for joint in hand.joints])
    low, high = hand.limits.T
    slides = {link.joint for link in hand.tree if link.slides}
    hinges = np.array([joint not in slides for joint in hand.joints])
    lean = np.where(hinges, (low + high) / (high - low), 0.0)
    shapes = hinges & (abs(lean) < _LEAN)
    signs = np.where(shapes, 0, np.sign(lean))
    signs = np.where(known, [given.get(joint, 0) for joint in hand.joints], signs)
    towards = _towards(hand, _half_closed(hand, signs))
    sure = (abs(towards) > _SURE) & (abs(lean) < _CLEAR) & ~shapes & ~known
    signs = np.where(sure, np.sign(towards), signs)
    return dict(zip(hand.joints, signs.astype(int).tolist(), strict=True))


def _half_closed(hand, signs):
    """Joint values (J,): between 0 and the limit towards which each closes."""
    low, high = hand.limits.T
    rest = np.clip(0.0, low, high)
    slides = {link.joint for link in hand.tree if link.slides}
    middle = np.where([joint in slides for joint in hand.joints], hand.limits.mean(axis=1), rest)
    return np.select([signs > 0, signs < 0], [(rest + high) / 2, (rest + low) / 2], middle)


def _tips(hand):
    """Middles (T, 3) of the last links that have a shape, and their indices (T,)."""
    shaped = {part.link for part in hand.parts}
    parents = {link.name: link.parent for link in hand.tree}
    above: set = set()
    for name in shaped:
        while (name := parents[name]) is not None:
            above.add(name)
    last = [name for name in hand.links if name in shaped - above]
    middles = [
        np.concatenate([part.core for part in hand.parts if part.link == name]).mean(axis=0)
        for name in last
    ]
    return np.array(middles), np.array([hand.links.index(name) for name in last])


def _towards(hand, joints):
    """Mean cosine (J,) between the motion of fingertips by each joint and the way to others."""
    middles, links = _tips(hand)
    values = torch.as_tensor(joints, dtype=torch.float64)

    def place(values):
        return carry(hand.forward(values), middles, links)

    points = place(values).numpy()
    if len(points) == 1:  # one finger, and the palm
        palm = [part.core for part in hand.parts if part.link == hand.links[0]]
        points = np.concatenate([points, np.concatenate(palm).mean(axis=0)[None]])
    motion = torch.autograd.functional.jacobian(place, values).numpy()  # (T, 3, J)
    motion = np.concatenate([motion, np.zeros((len(points) - len(links), 3, motion.shape[2]))])
    way = points[None] - points[:, None]  # from i to k
    way = way / np.linalg.norm(way, axis=2, keepdims=True).clip(1e-9)
    relative = motion[:, None] - motion[None]
    speeds = np.linalg.norm(relative, axis=2)  # (T, T, J)
    along = np.einsum("ikd,ikdj->ikj", way, relative)
    return along.sum(axis=(0, 1)) / speeds.sum(axis=(0, 1)).clip(1e-9)


def sampled_contacts(hand: Hand) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Rows of link, point and outward normal on the surfaces that grip.

    On fingers these are the ones that go ahead when the hand closes, on the palm those that face
    the middle of the closing fingertips. Up to 5 are on each fingertip, 2 on every other link, 8 on
    the palm, as far apart as they can be.

    hand: with its closing signs.
    """
    surface, half = hand.surface, _half_closed(hand, hand.closing)
    inner = ~_buried(hand)
    middles, tips = _tips(hand)
    links = hand.forward(torch.as_tensor(half))
    place = carry(links, surface.points, surface.links).numpy()
    turned = pose.transform(links.numpy()[surface.links], surface.normals[:, None])[:, 0]
    normals = turned - links.numpy()[surface.links][:, :3, 3]
    before = carry(
        hand.forward(torch.as_tensor(half - 1e-3 * hand.closing)), surface.points, surface.links
    ).numpy()
    motion = place - before
    speed = np.linalg.norm(motion, axis=1)
    ahead = (normals * motion).sum(axis=1) / speed.clip(1e-12)
    goal = carry(links, middles, tips).numpy().mean(axis=0) - place
    facing = (normals * goal).sum(axis=1) / np.linalg.norm(goal, axis=1).clip(1e-9)
    score = np.where(speed > 1e-9, ahead, facing)
    rows = []
    for index, name in enumerate(hand.links):
        most = _PALM if index == 0 else _TIP if index in tips else _LINK
        found = np.flatnonzero((surface.links == index) & (score > _FACES) & inner)
        if len(found):
            for row in found[farthest_first(surface.points[found])[:most]]:
                rows.append((name, surface.points[row], surface.normals[row]))
    return rows


def _buried(hand):
    """Which of the surface's points are inside another link of the open hand, (N,) bool."""
    poses = link_poses(hand, np.eye(4), hand.open)
    surface: Points = hand.surface
    place = pose.transform(poses[surface.links], surface.points[:, None])[:, 0]
    inside = np.zeros(len(place), bool)
    for part in hand.parts:
        link = hand.links.index(part.link)
        other = np.flatnonzero(surface.links != link)
        local = pose.transform(pose.inverse(poses[link]), place[other])
        inside[other] |= part_distance(part, local) < 0.002
    return inside


def resting_pairs(hand: Hand) -> list[tuple[str, str]]:
    """Pairs of links that overlap in the open hand, or in nearly all poses: by construction.

    hand: with its closing signs.
    """
    spec = mujoco.MjSpec()
    mjcf.add_hand(spec, hand, prefix="")
    model = spec.compile()
    data = mujoco.MjData(model)
    columns = [model.joint(joint).qposadr[0] for joint in hand.all_joints]
    low, high = hand.limits.T
    share = np.random.default_rng(0).uniform(size=(_POSES, len(low)))
    found: list[set[tuple[int, int]]] = []
    for joints in (hand.open, *(low + share * (high - low))):
        data.qpos[columns] = hand.expand(joints)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        deep = data.contact.geom[data.contact.dist < -ALLOWED]
        found.append({tuple(sorted(model.geom_bodyid[pair])) for pair in deep})
    counts = Counter(pair for pairs in found for pair in pairs)
    names = [model.body(body).name for body in range(model.nbody)]
    return [
        (names[one], names[other])
        for (one, other), count in sorted(counts.items())
        if (one, other) in found[0] or count > _MOSTLY * _POSES
    ]
