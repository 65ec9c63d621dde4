"""The hold test: does a closed hand of many joints keep an object that is pulled in six directions?

The world is built in the palm's frame. The palm is fixed at the origin, the object floats on a free
joint, and the pull is a force on its centre of mass. The motors press from the closed joints
towards their targets.
"""

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import mujoco
import numpy as np
from mujoco import rollout

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.hands import mjcf
from graspbook.hands.articulated import Hand
from graspbook.objects.grasp_object import GraspObject
from graspbook.simulation.shake_model import GRAVITY, add_object, mass_properties

_BATCH = 64
_STEPS = 10  # of the simulation, for each target of an approach


@dataclass(frozen=True)
class HoldSettings:
    """Parameters of the test; the defaults are those of the preset "strict".

    mass: of every object, kg, with uniform density.
    friction: Coulomb's, as in the ε-metric; the high-DOF paper's plastic on wood.
    torsion: coefficient of the friction against turning about a contact's normal, metres.
    effort: share of each joint's largest torque that presses, where a test gets no targets.
    targets: of the motors from pregrasp to grasp, and as many from grasp to squeeze, for ten steps
        each. With 0 the hand starts in the grasp, and the targets are those of the squeeze at once.
    settle, time: duration of pressing without a pull, then with it in each direction, s.
    acceleration: of the pull, m/s².
    checks: how often a motion is measured in each direction.
    lost, turned: smallest motion (metres) and turn (rad) of the object that count as lost.
    from_start: motions count from the start. If False, they count from the end of the squeeze.
    overlap: largest depth at which the hand may be in the object at the start, metres.
    timestep: of the simulation, s.
    """

    mass: float = 0.3
    friction: float = 0.4
    torsion: float = 0.005
    effort: float = 0.5
    targets: int = 0
    settle: float = 0.3
    time: float = 0.5
    acceleration: float = GRAVITY
    checks: int = 1
    lost: float = 0.02
    turned: float = np.inf
    from_start: bool = False
    overlap: float = np.inf
    timestep: float = 0.002


# "bench" has the numbers of DexGraspBench. Its motors have a gain of 5 N·m/rad. Ours keep the gains
# of the hand's world (Shadow 1.5 to 11, Barrett 6 to 8 N·m/rad) and the hand's largest torques.
HOLD_PRESETS: dict[str, HoldSettings] = {
    "strict": HoldSettings(),
    "bench": HoldSettings(
        mass=0.1,
        friction=0.6,
        torsion=0.02,
        targets=10,
        settle=0.0,
        time=2.0,
        acceleration=10.0,
        checks=10,
        lost=0.05,
        turned=np.radians(15),
        from_start=True,
        overlap=0.01,
        timestep=0.004,
    ),
}


def hold_settings(name: str) -> HoldSettings:
    """The HoldSettings of a preset; ParameterError for a name that is not in HOLD_PRESETS.

    name: "strict", ours, or "bench", as DexGraspBench tests.
    """
    if name not in HOLD_PRESETS:
        raise ParameterError(f"unknown hold test {name!r}, expected {' or '.join(HOLD_PRESETS)}")
    return HOLD_PRESETS[name]


class Held(NamedTuple):
    """Outcomes of N grasps.

    directions: (N, 6) bool, whether they hold against a pull along -x, x, -y, y, -z, z of the palm.
    kept: (N,) bool, whether the object was still there after the squeeze, before any pull.
    """

    directions: np.ndarray
    kept: np.ndarray

    @property
    def held(self) -> np.ndarray:
        """Whether they hold in all six directions (N,) bool."""
        return np.asarray(self.directions.all(axis=1))


class Holder:
    """The test of one GraspObject in one `articulated.Hand`: a compiled world for batches.

    hand: the hand.
    obj: the object.
    settings: of the test; "strict" if None.
    threads: of the simulation.
    """

    def __init__(
        self,
        hand: Hand,
        obj: GraspObject,
        settings: HoldSettings | None = None,
        *,
        threads: int = 2,
    ) -> None:
        self.hand, self.settings = hand, settings or HoldSettings()
        spec = mujoco.MjSpec()
        spec.option.timestep, spec.option.gravity = self.settings.timestep, [0, 0, 0]
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        spec.option.impratio = 10
        mjcf.add_hand(spec, hand, friction=self.settings.friction)
        add_object(spec, obj, self.settings)
        for geom in spec.geoms:
            geom.friction[1] = self.settings.torsion
        self.model = spec.compile()
        self.centre = mass_properties(obj, self.settings)[1]
        # Distance (J,) of the motors' targets beyond the closed joints.
        self.press = self.settings.effort * hand.closing * hand.efforts / mjcf.stiffness(hand)
        # A state is time, qpos, qvel.
        self.joint_columns = [
            1 + self.model.joint(f"hand/{joint}").qposadr[0] for joint in hand.all_joints
        ]
        self.place_columns = 1 + self.model.joint("object").qposadr[0] + np.arange(7)
        self._data = [mujoco.MjData(self.model) for _ in range(threads)]
        self._pool = rollout.Rollout(nthread=threads if threads > 1 else 0)

    def test(
        self,
        object_T_palm: np.ndarray,
        joints: np.ndarray,
        *,
        squeeze: np.ndarray | None = None,
        pregrasp: np.ndarray | None = None,
        every: bool = True,
    ) -> Held:
        """The Held of grasps. The state after the squeeze is the start of each direction.

        object_T_palm: (N, 4, 4) poses of the palm in the object frame.
        joints: (N, J), values of `hand.joints` of the closed hand.
        squeeze: (N, J), the motors' targets. If None, each closing joint presses with the same
            share of its effort.
        pregrasp: (N, J), values before the approach, in tests that have one. The grasp if None.
        every: test each direction. If False, a grasp that fails in one direction is not tested in
            further ones, and counts as failing there too.
        """
        shape = -1, len(self.hand.joints)
        joints = np.asarray(joints, float).reshape(shape)
        squeeze = joints + self.press if squeeze is None else np.asarray(squeeze).reshape(shape)
        first = joints if pregrasp is None else np.asarray(pregrasp, float).reshape(shape)
        places = np.asarray(object_T_palm, float).reshape(-1, 4, 4)
        outcomes = [(np.zeros((0, 6), bool), np.zeros(0, bool))]
        for start in range(0, len(joints), _BATCH):
            some = slice(start, start + _BATCH)
            values = (array[some] for array in (first, joints, squeeze))
            outcomes.append(self._test(places[some], *values, every=every))
        directions, kept = zip(*outcomes, strict=True)
        return Held(np.concatenate(directions), np.concatenate(kept))

    def _test(self, places, first, joints, squeeze, *, every):
        settings, held = self.settings, np.zeros((len(joints), 6), bool)
        states = self._states(places, joints)
        there = self._overlaps(states) <= settings.overlap
        if settings.targets:
            states = self._states(places, first)
        settled = states.copy()
        settled[there] = self._roll(states[there], self._approach(first, joints, squeeze)[there])
        before = states if settings.from_start else settled
        kept = there & self._is_there(settled, states)
        steps = round(settings.time / settings.timestep / settings.checks)
        alive = kept
        for column, (axis, sign) in enumerate(product(np.eye(3), (-1, 1))):
            rows, after = np.flatnonzero(alive), settled[alive]
            pull = sign * axis * settings.mass * settings.acceleration
            for _ in range(settings.checks):
                targets = np.repeat(squeeze[rows, None], steps, axis=1)
                after = self._roll(after, targets, pull)
                still = self._is_there(after, before[rows])
                rows, after = rows[still], after[still]
            held[rows, column] = True
            alive = kept if every else held[:, column]
        return held, kept

    def _states(self, object_T_palm, joints):
        """States at the start (N, S)."""
        palm_T_object = pose.inverse(object_T_palm)
        states = np.zeros((len(joints), 1 + self.model.nq + self.model.nv))
        states[:, self.joint_columns] = self.hand.expand(joints)
        centre = pose.transform(palm_T_object, self.centre[None])[:, 0]
        states[:, self.place_columns] = np.concatenate(
            [centre, pose.matrix_to_quat_wxyz(palm_T_object[:, :3, :3])], axis=1
        )
        return states

    def _overlaps(self, states):
        """How deep the hand is in the object (N,), metres."""
        found = np.zeros(len(states))
        if not np.isfinite(self.settings.overlap):
            return found
        data, body = self._data[0], self.model.body("object").id
        for row, state in enumerate(states):
            data.qpos[:] = state[1 : 1 + self.model.nq]
            mujoco.mj_fwdPosition(self.model, data)
            bodies = self.model.geom_bodyid[data.contact.geom.reshape(-1, 2)]
            found[row] = -data.contact.dist[(bodies == body).any(axis=1)].min(initial=0)
        return found

    def _approach(self, first, joints, squeeze):
        """Targets (N, steps, J) of the motors up to the end of the squeeze."""
        count, settings = self.settings.targets, self.settings
        share = np.repeat(np.arange(1, count + 1) / max(count, 1), _STEPS)[None, :, None]
        stages = [
            start[:, None] + share * (end - start)[:, None]
            for start, end in ((first, joints), (joints, squeeze))
        ]
        settling = np.repeat(squeeze[:, None], round(settings.settle / settings.timestep), axis=1)
        return np.concatenate([*stages, settling], axis=1)

    def _roll(self, states, targets, pull=0.0):
        """States (N, S) after the motors had targets (N, steps, J), while a force (3,) pulls."""
        if not targets.size:
            return states
        control = np.zeros((*targets.shape[:2], self.model.nu + 6 * self.model.nbody))
        control[..., : self.model.nu] = targets
        control[..., self.model.nu + 6 * self.model.body("object").id :][..., :3] = pull
        spec = int(mujoco.mjtState.mjSTATE_CTRL | mujoco.mjtState.mjSTATE_XFRC_APPLIED)
        return self._pool.rollout(self.model, self._data, states, control, control_spec=spec)[0][
            :, -1
        ]

    def _is_there(self, after, before):
        """Whether objects (N,) moved and turned less than the limits."""
        after, before = after[:, self.place_columns], before[:, self.place_columns]
        moved = np.linalg.norm((after - before)[:, :3], axis=1)
        cosine = np.abs((after[:, 3:] * before[:, 3:]).sum(axis=1)).clip(max=1)
        return (moved < self.settings.lost) & (2 * np.arccos(cosine) < self.settings.turned)
