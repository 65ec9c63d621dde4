"""A hand of one's own: a folder with its URDF or MJCF file, and a short `hand.yaml`.

    name: leap                     # default: the name in the file
    file: leap_right.urdf          # default: the only .urdf, .xml or .mjcf in the folder
    palm: palm_lower               # whose frame is the hand's; default: the first with a shape
    closing: {"1": 1, "0": 0}      # signs that close the hand; others are worked out
    effort: 0.95                   # N·m or N, one number or by joint; default: the file's
    mimic: {distal: {joint: middle, factor: 0.8, offset: 0}}   # beside the file's own
    contacts: sample               # or a list of {link, point, normal}, in the link's frame
    skip_missing: true             # go on without meshes that are missing
    notes: text of yours, ignored

Every line is optional, and so is the file. What was assumed is in `Hand.notes`.
"""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from scipy.spatial import QhullError

from graspbook import pose
from graspbook.errors import HandError
from graspbook.hands import own_mjcf, own_urdf, shape
from graspbook.hands.articulated import Hand
from graspbook.hands.own_contacts import closing_signs, resting_pairs, sampled_contacts
from graspbook.hands.own_settings import (
    Settings,
    hand_file,
    hand_name,
    is_number,
    read_settings,
    xml_root,
)
from graspbook.hands.own_tree import Read, Tree, build_tree, some
from graspbook.storage import content_hash

_SIZES = (0.02, 1.0)  # metres, of the longest side of an open hand
_LEAST = 1e-12  # cubic metres of a shape
_OFF = 0.003  # metres of a contact point from the surface of its link


def load_own(folder: Path | str) -> Hand:
    """The Hand that a folder describes.

    folder: with the files that the top of this module describes.

    Raises HandError that names the file, what it has, and what was expected.
    """
    folder = Path(folder)
    settings = read_settings(folder)
    path = hand_file(folder, settings)
    root = xml_root(path)
    if root.tag == "robot":
        skip = settings.values.get("skip_missing", False)
        read = own_urdf.read_urdf(path, root, skip_missing=skip)
    else:
        read = own_mjcf.read_mjcf(path, root)
    read.coupling |= settings.coupling()
    read.name = hand_name(settings, read.name, folder)
    palm = settings.values.get("palm")
    tree = build_tree(read, palm, settings.path if palm else path)
    return _build(settings, read, tree)


def _build(settings: Settings, read: Read, tree: Tree) -> Hand:
    """The Hand of a tree, with what hand.yaml says about it."""

    def made(links, contacts=(), may_touch=(), content=""):
        return Hand(
            read.name,
            links,
            tree.parts,
            {"default": contacts},
            tree.coupling,
            may_touch=may_touch,
            content=content,
            notes=dict.fromkeys(read.notes),
        )

    links = _with_efforts(settings, tree)
    links = _with_signs(settings, read, made(links), links)
    bare = made(links)
    _check_size(settings, bare)
    excluded = {
        frozenset(tree.frames[body][0] for body in pair)
        for pair in read.may_touch
        if set(pair) <= tree.frames.keys()
    }
    may_touch = [tuple(sorted(pair)) for pair in excluded if len(pair) == 2]
    try:
        resting = resting_pairs(made(links, may_touch=may_touch))
    except ValueError as error:  # of MuJoCo's compiler
        reason = " ".join(str(error).split())
        raise HandError(
            f"{settings.path.parent}: MuJoCo does not accept this hand ({reason})"
        ) from error
    if resting:
        pairs = [f"{one} and {other}" for one, other in resting]
        read.notes.append(f"these links overlap, which is allowed: {some(pairs)}")
        may_touch += resting
    listed = settings.values.get("contacts", "sample")
    if listed == "sample":
        contacts = sampled_contacts(bare)
        if len(contacts) < 2:
            raise HandError(
                f"{settings.path}: no surface of the hand faces inward, so contact points cannot be"
                " sampled; list the points as `contacts` in hand.yaml"
            )
        read.notes.append(f"{len(contacts)} contact points are sampled")
    else:
        contacts = _listed(settings, listed, tree)
    content = content_hash(*_values(links, tree, contacts, may_touch))
    hand = made(links, contacts, may_touch, content)
    if listed == "sample":
        hand.surface = bare.surface  # the same, and dear
    return hand


def _values(links, tree, contacts, may_touch):
    """All that the hand is, for its hash."""
    yield from (asdict(link) for link in links)
    for part in tree.parts:
        yield from (part.link, np.asarray(part.core), part.radius)
    for row in contacts:
        yield from row
    yield tree.coupling
    yield sorted(sorted(pair) for pair in may_touch)


def _with_efforts(settings, tree):
    """The links with the efforts of hand.yaml."""
    efforts = settings.efforts([link.joint for link in tree.links if link.joint])
    return [replace(link, effort=efforts.get(link.joint, link.effort)) for link in tree.links]


def _with_signs(settings, read, hand, links):
    """The links of a hand, with their closing signs."""
    given = settings.signs(hand.joints)
    signs = closing_signs(hand, given)
    if guessed := [f"{joint}: {sign}" for joint, sign in signs.items() if joint not in given]:
        read.notes.append(f"these closing signs are estimates, please check: {', '.join(guessed)}")
    if not any(signs.values()):
        raise HandError(
            f"{settings.path}: no joint closes the hand, expected `closing` with 1 or -1 for at"
            " least one joint"
        )
    return [replace(link, closes=signs.get(link.joint, 0)) for link in links]


def _check_size(settings, hand):
    for part in hand.parts:
        try:
            flat = shape.part_mesh(part).volume < _LEAST
        except QhullError:
            flat = True
        if flat:
            raise HandError(f"{settings.path.parent}: a shape of link {part.link} is flat")
    longest = float(shape.mesh(hand, np.eye(4), hand.open).extents.max())
    if not _SIZES[0] <= longest <= _SIZES[1]:
        raise HandError(
            f"{settings.path.parent}: the open hand is {longest:g} m long, expected {_SIZES[0]:g}"
            f' to {_SIZES[1]:g} m. Meshes in millimetres need scale="0.001 0.001 0.001". If the'
            " file also has an arm, name the palm in hand.yaml"
        )


def _listed(settings, contacts, tree):
    """Rows of link, point and normal of hand.yaml."""
    if not isinstance(contacts, list) or len(contacts) < 2:
        raise HandError(
            f"{settings.path}: contacts has the wrong form, expected `sample`, or a list of two or"
            " more contact points"
        )
    rows = []
    for number, row in enumerate(contacts):
        where = f"{settings.path}: contact {number}"
        if not isinstance(row, dict) or row.keys() != {"link", "point", "normal"}:
            raise HandError(f"{where}: {row!r}, expected link, point and normal")
        if (name := str(row["link"])) not in tree.frames:
            raise HandError(f"{where}: link {name!r}, expected one of {some(tree.frames)}")
        for key in ("point", "normal"):
            values = row[key]
            if not isinstance(values, list) or [*map(is_number, values)] != [True] * 3:
                raise HandError(f"{where}: {key} {values!r}, expected three numbers")
        link, link_T_body = tree.frames[name]
        point = pose.transform(link_T_body, np.array([row["point"]], float))
        normal = link_T_body[:3, :3] @ np.array(row["normal"], float)
        parts = [part for part in tree.parts if part.link == link]
        apart = min((shape.part_distance(part, point)[0] for part in parts), default=np.inf)
        if not np.linalg.norm(normal) > 1e-6 or abs(apart) > _OFF:
            raise HandError(
                f"{where}: the point is {1000 * apart:.1f} mm from the surface of {name}, and the"
                f" normal is {normal}; expected a point on the surface and a normal that is not 0"
            )
        rows.append((link, point[0], normal / np.linalg.norm(normal)))
    return rows
