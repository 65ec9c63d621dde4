"""Names and signs of the Shadow Hand's joints on the real right hand and in sr_description.

Our joints (`hands.shadow`) are those of the model in gymnasium-robotics, counted from 0. The
hardware and sr_description count from 1, and put a prefix before: our FFJ3 is rh_FFJ4. The axes of
FFJ4, MFJ4, THJ2 and THJ1 point the other way there, so that their values change sign. Zero is the
same pose for all joints. Source: axes and offsets of right_hand.xml in MuJoCo Menagerie, which was
made from sr_description. Fingertips agree to 2 mm: the little finger's base is drawn otherwise.

On the hardware one tendon drives the last two joints of each finger: rh_FFJ0 = rh_FFJ1 + rh_FFJ2,
and so on for MF, RF and LF.
"""

from collections.abc import Mapping

from graspbook.errors import ParameterError
from graspbook.hands.shadow import COUPLING, FINGERS

PREFIX = "rh_"
_COUNT = {"FF": 4, "MF": 4, "RF": 4, "LF": 5, "TH": 5}
_REVERSED = {"FFJ3", "MFJ3", "THJ1", "THJ0"}
# Our joint: (the hardware's without its prefix, sign).
HARDWARE: dict[str, tuple[str, float]] = {
    f"{finger}J{k}": (f"{finger}J{k + 1}", -1.0 if f"{finger}J{k}" in _REVERSED else 1.0)
    for finger, count in _COUNT.items()
    for k in range(count)
}
_OURS = {name: (ours, sign) for ours, (name, sign) in HARDWARE.items()}


def to_hardware(
    joints: Mapping[str, float], *, prefix: str = PREFIX, tendons: bool = False
) -> dict[str, float]:
    """Joint values of our model by the names and with the signs of the right hardware hand.

    joints: values by our names, radians, of all or some joints.
    prefix: put before each name.
    tendons: give J0 = J1 + J2 of each finger in place of J1 and J2.

    Raises ParameterError for a joint that the hand has not, and for a tendon of which only one
    joint is given.
    """
    unknown = sorted(set(joints) - set(HARDWARE))
    if unknown:
        raise ParameterError(f"our Shadow Hand has no joint {unknown[0]!r}, expected FFJ0 to THJ4")
    found = {HARDWARE[name][0]: HARDWARE[name][1] * float(v) for name, v in joints.items()}
    for finger in (name.upper() for name in FINGERS) if tendons else ():
        pair = [found.pop(f"{finger}J{k}", None) for k in (1, 2)]
        given = [value for value in pair if value is not None]
        if len(given) == 1:
            raise ParameterError(f"{finger}J0 or {finger}J1 is missing, expected both")
        found |= {f"{finger}J0": sum(given)} if given else {}
    return {f"{prefix}{name}": value for name, value in found.items()}


def from_hardware(joints: Mapping[str, float], *, prefix: str = PREFIX) -> dict[str, float]:
    """Joint values of the right hardware hand by our names and with our signs.

    A tendon J0, where J1 and J2 are not given, is shared as our coupling has it. The two joints of
    the wrist, WRJ1 and WRJ2, are left out: our hand ends at the palm.

    joints: values by the hardware's names, radians.
    prefix: before each name.

    Raises ParameterError for another prefix, such as the left hand's, and for an unknown joint.
    """
    found = {}
    for name, value in joints.items():
        short = name.removeprefix(prefix)
        finger = short[:2]
        if not name.startswith(prefix):
            raise ParameterError(
                f"joint {name!r}, expected a joint of the right hand, with the prefix {prefix!r}"
            )
        if short in ("WRJ1", "WRJ2"):
            continue
        if short in _OURS:
            ours, sign = _OURS[short]
            found[ours] = sign * float(value)
        elif f"{finger}J0" in COUPLING and short == f"{finger}J0":
            if not {f"{prefix}{finger}J1", f"{prefix}{finger}J2"} & set(joints):
                share = COUPLING[short][1]
                found[f"{finger}J1"] = float(value) / (1 + share)
                found[f"{finger}J0"] = float(value) * share / (1 + share)
        else:
            raise ParameterError(f"unknown joint {name!r}, expected {prefix}FFJ1 to {prefix}THJ5")
    return found
