"""The bodies of a hand as a file describes them, and the links of the hand that they become.

Bodies that are fixed to each other become one link.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from graspbook import pose
from graspbook.errors import HandError
from graspbook.hands.parts import Link, Part

# What is assumed where a file names no effort: N·m, N for slides. And what is no real effort.
EFFORT, PUSH, MOST = 1.0, 20.0, (100.0, 2000.0)


@dataclass(frozen=True)
class Joint:
    """A joint of a file, in the frame of the body that it moves.

    name: of the joint.
    axis: (3,), not zero.
    limits: rad, or metres for a slide.
    effort: N·m or N; 0 where the file has none.
    slides: the joint is no hinge.
    """

    name: str
    axis: tuple[float, float, float]
    limits: tuple[float, float]
    effort: float = 0.0
    slides: bool = False


@dataclass(frozen=True)
class Body:
    """A body of a file.

    name: of the body.
    parent: its name, None for a root.
    parent_T_body: (4, 4) at joint value 0.
    joint: that moves it against its parent, None where it is fixed.
    parts: its collision shapes, in its frame.
    """

    name: str
    parent: str | None
    parent_T_body: np.ndarray
    joint: Joint | None = None
    parts: tuple[Part, ...] = ()


@dataclass
class Read:
    """What a file says about a hand.

    name: of the hand.
    bodies: by name.
    coupling: joint -> (joint, factor, offset).
    may_touch: pairs of bodies whose contact the file excludes.
    notes: what was assumed.
    """

    name: str
    bodies: dict[str, Body]
    coupling: dict[str, tuple[str, float, float]] = field(default_factory=dict)
    may_touch: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tree:
    """The links of a hand.

    links: the palm first, parents before children.
    parts: of the links.
    coupling: of the joints that the hand has.
    frames: body -> (link, link_T_body), for bodies that the hand has.
    """

    links: tuple[Link, ...]
    parts: tuple[Part, ...]
    coupling: dict[str, tuple[str, float, float]]
    frames: dict[str, tuple[str, np.ndarray]]


def build_tree(read: Read, palm: str | None, source: object) -> Tree:
    """The Tree of what was read; what was assumed is added to its notes.

    Bodies beyond a joint that moves the palm, such as a forearm, are left out.

    read: of the file.
    palm: name of the body whose frame is that of the hand; None for the first with a shape.
    source: what errors name.

    Raises HandError where the bodies are no tree, the palm is unknown, or nothing moves.
    """
    bodies = _in_order(read.bodies, source)
    if palm is None:
        palm = next((name for name, body in bodies.items() if body.parts), None)
        if palm is None:
            raise HandError(f"{source}: no link has a collision shape")
        read.notes.append(f"the palm is {palm}, the first link with a shape")
    if palm not in bodies:
        raise HandError(f"{source}: palm {palm!r}, expected one of the links {some(bodies)}")
    frames, links, parts = {palm: (palm, np.eye(4))}, [Link(palm)], []
    up: str | None = palm
    while up is not None and (body := bodies[up]).parent is not None and body.joint is None:
        above_T_link = body.parent_T_body @ pose.inverse(frames[up][1])
        frames[body.parent] = (palm, pose.inverse(above_T_link))
        up = body.parent
    for name, body in bodies.items():
        if name in frames or body.parent not in frames:
            continue
        link, link_T_parent = frames[body.parent]
        link_T_body = link_T_parent @ body.parent_T_body
        if body.joint is None:
            frames[name] = (link, link_T_body)
            continue
        frames[name] = (name, np.eye(4))
        links.append(_link(name, link, link_T_body, body.joint))
    for name, (link, link_T_body) in frames.items():
        for part in bodies[name].parts:
            parts.append(replace(part, link=link, core=pose.transform(link_T_body, part.core)))
    if left := [name for name, body in bodies.items() if name not in frames and body.parts]:
        read.notes.append(
            f"these links are left out, since a joint is between them and the palm: {some(left)}"
        )
    if not any(part.link == palm for part in parts):
        raise HandError(f"{source}: the palm {palm} has no collision shape")
    there = {link.joint for link in links if link.joint}
    if not there:
        raise HandError(f"{source}: the palm {palm} has no moving joint below it, expected fingers")
    coupling = _coupling(read.coupling, there, source)
    if not there - coupling.keys():
        raise HandError(f"{source}: every joint follows another, expected one that does not")
    return Tree(_with_efforts(links, coupling, read.notes), tuple(parts), coupling, frames)


def _link(name, parent, parent_T_link, joint):
    axis = tuple(float(number) for number in np.array(joint.axis) / np.linalg.norm(joint.axis))
    return Link(
        name, parent, parent_T_link, joint.name, axis, joint.limits, joint.effort, joint.slides
    )


def _in_order(bodies: Mapping[str, Body], source) -> dict[str, Body]:
    """The bodies, parents before children."""
    roots = [name for name, body in bodies.items() if body.parent is None]
    if len(roots) != 1:
        found = (
            f"{len(roots)} root links ({some(roots)})"
            if roots
            else "no root link (the links form a circle)"
        )
        raise HandError(f"{source}: it has {found}, expected a single link that holds all others")
    children: dict[str, list[str]] = {}
    for name, body in bodies.items():
        if body.parent is not None:
            children.setdefault(body.parent, []).append(name)
    ordered, waiting = {}, roots
    while waiting:
        name = waiting.pop(0)
        ordered[name] = bodies[name]
        waiting = children.get(name, []) + waiting
    if circle := [name for name in bodies if name not in ordered]:
        raise HandError(f"{source}: the links {some(circle)} form a circle, expected a tree")
    return ordered


def _coupling(given, joints, source):
    """The coupling of joints that are there, each to one that depends on no other."""
    found = {}
    for joint in sorted(joints & given.keys()):
        follows, factor, offset = given[joint]
        seen = {joint}
        while follows in given:
            if follows in seen:
                raise HandError(f"{source}: joint {joint} mimics itself, through {some(seen)}")
            seen.add(follows)
            follows, more, shift = given[follows]
            factor, offset = factor * more, factor * shift + offset
        if follows not in joints:
            raise HandError(
                f"{source}: joint {joint} mimics {follows}, expected one of {some(joints)}"
            )
        found[joint] = (follows, factor, offset)
    return found


def _with_efforts(links: Sequence[Link], coupling, notes):
    """The links with an effort wherever the file has none that can be meant."""
    assumed: dict[float, list[str]] = {}
    found = []
    for link in links:
        if link.joint and not 0 < link.effort <= MOST[link.slides]:
            effort = PUSH if link.slides else EFFORT
            if link.joint not in coupling:
                assumed.setdefault(effort, []).append(link.joint)
            link = replace(link, effort=effort)
        found.append(link)
    for effort, joints in assumed.items():
        unit = "N·m" if effort == EFFORT else "N"
        notes.append(
            f"efforts are missing or unrealistic: {effort:g} {unit} is used for {some(joints)}"
        )
    return tuple(found)


def some(names: Iterable[str], most: int = 8) -> str:
    """The first of some names, in one line.

    names: any.
    most: how many are written.
    """
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" * (len(names) > most))
