"""The shake test: does a closed Franka Hand keep hold of an object while it is shaken?

Mousavian et al. 2019, section 4: "a free-floating parallel-jaw gripper and the free-floating object
without gravity ... After closing its fingers the gripper executes a predefined shaking motion. A
grasp is labeled successful if the object is kept between both fingers."

The world is built in the grasp frame: the hand stands still at the origin, the object floats on a
free joint, and shaking is the inertial force and torque on the object. So a grasp is only an
initial state, and `mujoco.rollout` runs a batch of them on all cores from one model. What is lost
leaves the batch after each stage. A grasp's outcome does not depend on the others in the batch, on
their order, or on the number of threads.
"""

import copy
from dataclasses import astuple, dataclass

import mujoco
import numpy as np
import trimesh
from mujoco import rollout

from graspbook import pose
from graspbook.hands import franka

GRAVITY = 9.81
GRADE_MASS = 0.3
_BATCH = 256
# Columns of a state: time, qpos (2 fingers, then the object's position and quat_wxyz), qvel (2 +
# 6).
_OBJECT, _FINGER_SPEED = slice(3, 10), slice(10, 12)
_FOUND_AND_DISTANCE = 1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND) | 1 << int(
    mujoco.mjtConDataField.mjCONDATA_DIST
)
# Contacts and limits nearly rigid: with MuJoCo's defaults 40 N push a light object's surface 8 mm
# into a pad.
SOLREF, SOLIMP = [0.004, 1.0], [0.95, 0.99, 0.001, 0.5, 2.0]


@dataclass(frozen=True)
class ShakeSettings:
    """Parameters of the test; the defaults are the frozen ones, by which every label and figure is
    measured.

    mass (kg): of every object, its density uniform; None: `density` (kg/m³) holds for every object
    instead, as in the paper. friction (Coulomb) and force (N, of each finger): a pad pair carries
    2·friction·force. acceleration (m/s²) and angular_acceleration (rad/s²): peaks of the sinusoidal
    shake along and about each axis of the hand, at `frequency` (Hz). penetration (m): overlap of
    open hand and object that is not yet a collision, for convex parts cover a mesh only so well.
    """

    mass: float | None = 0.5
    density: float = 1000.0
    friction: float = 0.45
    force: float = 20.0
    acceleration: float = 16.0
    angular_acceleration: float = 70.0
    frequency: float = 5.0
    closing_speed: float = 0.3
    penetration: float = 0.0015
    timestep: float = 0.002


@dataclass(frozen=True)
class ShakeOutcome:
    """What became of N grasps.

    success (N,) bool: held between both fingers after the shake. collides (N,) bool: the open hand
    was inside the object at the start. closing_width (N,) metres between the pads after closing,
    NaN where they held nothing. gravity_held (N,) bool: an object of 0.3 kg stays held under
    gravity along ±x, ±y, ±z of the hand. max_acceleration (N,) m/s²: largest acceleration that 0.3
    kg survived, 0 for failures; NaN where not graded.
    """

    success: np.ndarray
    collides: np.ndarray
    closing_width: np.ndarray
    gravity_held: np.ndarray
    max_acceleration: np.ndarray


def mass_properties(obj, settings):
    """Mass (kg), centre of mass (3,) and inertia about it (3, 3) in the object frame, of uniform
    density.

    They are those of the mesh if it bounds a volume, else of its convex parts.
    """
    solid = obj.mesh if obj.mesh.is_volume else trimesh.util.concatenate(list(obj.parts))
    density = settings.density if settings.mass is None else settings.mass / solid.volume
    return solid.volume * density, solid.center_mass, solid.moment_inertia * density


def physics(obj, settings):
    """What a grasp file records under `object/` of the test it was labelled by: mass, com, inertia,
    friction.
    """
    mass, centre, inertia = mass_properties(obj, settings)
    return {"mass": mass, "com": centre, "inertia": inertia, "friction": settings.friction}


def build_model(obj, settings):
    """MuJoCo model of the hand at the world's origin (grasp frame) and the object, its centre of
    mass at its body's origin.
    """
    spec = mujoco.MjSpec()
    spec.option.timestep, spec.option.gravity = settings.timestep, [0, 0, 0]
    spec.option.integrator, spec.option.cone = (
        mujoco.mjtIntegrator.mjINT_IMPLICITFAST,
        mujoco.mjtCone.mjCONE_ELLIPTIC,
    )
    spec.option.impratio = 10  # friction as firm as the normal force: a held object must not creep
    world = spec.worldbody
    _add_hull(spec, world, "palm", franka.PALM, settings, hand=True)
    for side, sign in (("right", 1.0), ("left", -1.0)):
        finger = world.add_body(name=side, mass=0.1, inertia=[1e-4] * 3, explicitinertial=True)
        # Joint value: half the distance between the pads. The damping lets a free finger close at
        # closing_speed.
        finger.add_joint(
            name=side,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[sign, 0, 0],
            limited=True,
            range=[0, franka.MAX_OPENING / 2],
            damping=[settings.force / settings.closing_speed, 0, 0],
            solref_limit=SOLREF,
            solimp_limit=SOLIMP,
        )
        for name, vertices in franka.finger_parts(0.0).items():
            if name.startswith(side):
                _add_hull(spec, finger, name, vertices, settings, hand=True)
        spec.add_actuator(name=side, target=side, trntype=mujoco.mjtTrn.mjTRN_JOINT).set_to_motor()
    # The hand's one motor drives both fingers.
    coupling = spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT, name1="right", name2="left", solref=SOLREF, solimp=SOLIMP
    )
    coupling.data[:2] = [0, 1]

    add_object(spec, obj, settings)
    for side in ("right", "left", "palm"):
        kind = mujoco.mjtObj.mjOBJ_GEOM if side == "palm" else mujoco.mjtObj.mjOBJ_BODY
        spec.add_sensor(
            name=side,
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=kind,
            objname=side,
            reftype=mujoco.mjtObj.mjOBJ_BODY,
            refname="object",
            intprm=[_FOUND_AND_DISTANCE, 1, 1],
        )  # of the contact with the least distance
    return spec.compile()


def add_object(spec, obj, settings):
    """Add an object to a mujoco.MjSpec: body and free joint "object", its centre of mass at the
    body's origin, convex parts of contype 2 and conaffinity 1.
    """
    mass, centre, inertia = mass_properties(obj, settings)
    body = spec.worldbody.add_body(name="object", mass=mass, ipos=[0, 0, 0], explicitinertial=True)
    body.fullinertia = [
        inertia[0, 0],
        inertia[1, 1],
        inertia[2, 2],
        inertia[0, 1],
        inertia[0, 2],
        inertia[1, 2],
    ]
    body.add_freejoint(name="object")
    for i, part in enumerate(obj.parts):
        _add_hull(spec, body, f"part_{i}", part.vertices - centre, settings, hand=False)


def _add_hull(spec, body, name, vertices, settings, hand):
    mesh = spec.add_mesh(name=name, uservert=np.asarray(vertices, float).ravel())
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX
    # condim 4 adds the torsion that a pad's area gives: 5 mm is a quarter of its width, rounded.
    body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        condim=4,
        friction=[settings.friction, 0.005, 0.0001],
        solref=SOLREF,
        solimp=SOLIMP,
        contype=1 if hand else 2,
        conaffinity=2 if hand else 1,
    )


class Shaker:
    """The test of one GraspObject: a compiled world, ready for batches of grasps `object_T_hand`
    (N, 4, 4).
    """

    def __init__(self, obj, settings=None, threads=2):
        self.settings = settings or ShakeSettings()
        self.model = build_model(obj, self.settings)
        body = self.model.body("object")
        self.body_id, self.mass, self.inertia = body.id, body.mass[0], body.inertia.copy()
        self.centre = mass_properties(obj, self.settings)[1]
        self.grade_model = _with_mass(self.model, GRADE_MASS)
        # Dense points on the object, from which the fingers' free way is read.
        self.surface = trimesh.sample.sample_surface(obj.mesh, 4096, seed=0)[0]
        self._data = [mujoco.MjData(self.model) for _ in range(threads)]
        self._pool = rollout.Rollout(nthread=threads if threads > 1 else 0)

    def collides(self, object_T_hand):
        """Which grasps (N,) put the open hand into the object, deeper than `settings.penetration`."""
        states = _initial_states(self, object_T_hand)
        if not len(states):
            return np.zeros(0, bool)
        _, touch, distance = self.roll(states, 1)
        return (touch & (distance < -self.settings.penetration)).any(axis=(1, 2))

    def test(self, object_T_hand, grade=True):
        """The ShakeOutcome of the grasps: closed, shaken along and about each axis of the hand, and
        graded if they succeed.
        """
        object_T_hand = np.asarray(object_T_hand, float).reshape(-1, 4, 4)
        outcomes = [
            _test_batch(self, object_T_hand[i : i + _BATCH], grade)
            for i in range(0, max(1, len(object_T_hand)), _BATCH)
        ]
        return ShakeOutcome(
            *(np.concatenate(values) for values in zip(*map(astuple, outcomes), strict=True))
        )

    def grip(self, object_T_hand):
        """States (G, S) of the grasps that close on the object and come to rest, and their indices
        (G,).
        """
        return _close(self, _preshape(self, object_T_hand), np.arange(len(object_T_hand)))

    def roll(self, states, steps, wrench=None, model=None):
        """States (n, steps, S) during a firm grip, and at every step whether right finger, left
        finger and palm touch the object (n, steps, 3) and the least distance there (n, steps, 3),
        metres, negative inside.

        wrench: force and torque on the object's centre of mass, (n or 1, steps, 6), in the hand's
        axes. model: if not the object's own.
        """
        control = np.zeros((len(states), steps, 2 + 6 * self.model.nbody))
        control[..., :2] = -self.settings.force
        if wrench is not None:
            control[..., 2 + 6 * self.body_id :][..., :6] = wrench
        spec = int(mujoco.mjtState.mjSTATE_CTRL | mujoco.mjtState.mjSTATE_XFRC_APPLIED)
        after, sensors = self._pool.rollout(
            model or self.model, self._data, states, control, control_spec=spec
        )
        return after, sensors[..., 0::2] > 0, sensors[..., 1::2]


def shake_test(obj, object_T_hand, settings=None, threads=2, grade=True):
    """The ShakeOutcome of grasps `object_T_hand` (N, 4, 4) of a GraspObject: a Shaker that is used
    once.
    """
    return Shaker(obj, settings, threads).test(object_T_hand, grade)


def _test_batch(shaker, object_T_hand, grade):
    n = len(object_T_hand)
    outcome = ShakeOutcome(
        np.zeros(n, bool),
        shaker.collides(object_T_hand),
        np.full(n, np.nan),
        np.zeros(n, bool),
        np.full(n, 0.0 if grade else np.nan),
    )
    alive = np.flatnonzero(~outcome.collides)
    states, gripping = shaker.grip(object_T_hand[alive])
    alive = alive[gripping]
    outcome.closing_width[alive] = states[:, 1] + states[:, 2]
    gripped = np.zeros((n, states.shape[1]))
    gripped[alive] = states
    for axis in range(3):
        states, alive = _keep(shaker, states, alive, _shake_wrench(shaker, states, axis))
    outcome.success[alive] = True
    if grade:
        outcome.gravity_held[_held_under_gravity(shaker, gripped[alive], alive)] = True
        outcome.max_acceleration[alive] = _largest_acceleration(shaker, gripped[alive])
    return outcome


def _with_mass(model, mass):
    """A copy of the model whose object weighs `mass`, distributed as before."""
    model = copy.copy(model)
    body = model.body("object")
    factor = mass / body.mass[0]
    body.mass[:] *= factor
    body.inertia[:] *= factor
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def _initial_states(shaker, object_T_hand):
    """States (N, S): hand open, object at rest with its centre of mass at its body's origin."""
    hand_T_object = pose.inverse(object_T_hand)
    states = np.zeros((len(object_T_hand), 1 + shaker.model.nq + shaker.model.nv))
    states[:, 1:3] = franka.MAX_OPENING / 2
    states[:, _OBJECT][:, :3] = pose.transform(hand_T_object, shaker.centre[None])[:, 0]
    states[:, _OBJECT][:, 3:] = pose.matrix_to_quat_wxyz(hand_T_object[:, :3, :3])
    return states


def _preshape(shaker, object_T_hand):
    """Initial states with the fingers already closed to 4 mm before the first surface point that
    they can meet.

    Free fingers only pass through air until then, so this saves steps. It can tip a borderline
    label: 2 of 600 on five parametric objects differed from fingers that start fully open.
    """
    states = _initial_states(shaker, object_T_hand)
    for state, hand_T_object in zip(states, pose.inverse(object_T_hand), strict=True):
        x, y, z = np.abs(pose.transform(hand_T_object, shaker.surface)).T
        reach = x[(y < 0.013) & (z > franka.FINGER_MOUNT - 0.002) & (z < franka.TIP_Z + 0.002)]
        if reach.size:
            state[1:3] = min(reach.max() + 0.004, franka.MAX_OPENING / 2)
    return states


def _close(shaker, states, alive):
    """Close until both fingers touch the object and rest, at most 0.6 s; returns what is then held,
    and who.
    """
    step = round(0.1 / shaker.settings.timestep)
    done_states, done = [states[:0]], [alive[:0]]
    for _ in range(6):
        if not len(states):
            break
        after, touch, _ = shaker.roll(states, step)
        states = after[:, -1]
        resting = _in_both_fingers(touch, shaker.settings) & (
            np.abs(states[:, _FINGER_SPEED]) < 0.005
        ).all(axis=1)
        done_states.append(states[resting])
        done.append(alive[resting])
        closing = ~resting & (states[:, 1] + states[:, 2] > 1e-3)
        states, alive = states[closing], alive[closing]
    order = np.argsort(np.concatenate(done), kind="stable")
    return np.concatenate(done_states)[order], np.concatenate(done)[order]


def _keep(shaker, states, alive, wrench, model=None):
    """States and indices of the grasps that still touch the object with both fingers after
    `wrench`.
    """
    if not len(states):
        return states, alive
    after, touch, _ = shaker.roll(states, wrench.shape[1], wrench, model)
    kept = _in_both_fingers(touch, shaker.settings)
    return after[kept, -1], alive[kept]


def _in_both_fingers(touch, settings):
    """Whether both fingers touched the object in the last 10 ms (n,): a contact may miss a single
    step.
    """
    return touch[:, -round(0.01 / settings.timestep) :, :2].any(axis=1).all(axis=1)


def _shake_wrench(shaker, states, axis):
    """Inertial wrenches (n, steps, 6) on the object while the hand moves to and fro once, along and
    about one of its axes.

    Accelerations are cosines, so the hand starts and ends at rest. In the hand's frame, with the
    object's centre of mass at r: force -m (a + α×r + ω×(ω×r)), torque -(I α + ω×I ω); the object's
    own motion in the hand is neglected.
    """
    settings = shaker.settings
    unit, phase = (
        np.eye(3)[axis],
        2
        * np.pi
        * np.arange(round(1 / settings.frequency / settings.timestep))
        * settings.frequency
        * settings.timestep,
    )
    linear = settings.acceleration * np.cos(phase)[:, None] * unit
    angular = settings.angular_acceleration * np.cos(phase)[:, None] * unit
    spin = (
        settings.angular_acceleration
        / (2 * np.pi * settings.frequency)
        * np.sin(phase)[:, None]
        * unit
    )
    centre = states[:, None, _OBJECT][..., :3]
    rotation = pose.quat_wxyz_to_matrix(states[:, _OBJECT][:, 3:]) @ pose.quat_wxyz_to_matrix(
        shaker.model.body("object").iquat
    )
    inertia = (rotation * shaker.inertia) @ rotation.swapaxes(1, 2)
    force = -shaker.mass * (
        linear + np.cross(angular, centre) + np.cross(spin, np.cross(spin, centre))
    )
    torque = -(angular @ inertia + np.cross(spin, spin @ inertia))
    return np.concatenate([force, torque], axis=-1)


def _held_under_gravity(shaker, states, alive):
    """Indices of those that hold 0.3 kg for 0.2 s under gravity along each of the hand's six axis
    directions.

    Each direction starts from the gripped state.
    """
    steps = round(0.2 / shaker.settings.timestep)
    for direction in np.concatenate([np.eye(3), -np.eye(3)]):
        wrench = np.zeros((1, steps, 6))
        wrench[..., :3] = GRADE_MASS * GRAVITY * direction
        _, kept = _keep(shaker, states, np.arange(len(states)), wrench, shaker.grade_model)
        states, alive = states[kept], alive[kept]
    return alive


def _largest_acceleration(shaker, states):
    """Largest acceleration (n,) in m/s² that 0.3 kg survives: both fingers touch it and it has
    moved less than 2 cm in the hand.

    It grows by 80 m/s² a second up to 96 m/s², its direction circling at 5 Hz in the plane that
    friction holds (y, z), with an x part at twice the rate.
    """
    step, survived, alive = shaker.settings.timestep, np.zeros(len(states)), np.arange(len(states))
    start_position = states[:, _OBJECT][:, :3]
    for start in np.arange(0.0, 1.2, 0.2):
        if not len(alive):
            break
        time = start + step * np.arange(round(0.2 / step))
        turn = 2 * np.pi * 5.0 * time
        direction = np.stack([0.5 * np.sin(2 * turn), np.cos(turn), np.sin(turn)], axis=1)
        wrench = np.zeros((1, len(time), 6))
        wrench[0, :, :3] = GRADE_MASS * 80.0 * time[:, None] * direction
        after, touch, _ = shaker.roll(states, len(time), wrench, shaker.grade_model)
        moved = np.linalg.norm(after[..., _OBJECT][..., :3] - start_position[alive, None], axis=2)
        in_place = np.cumprod(moved < 0.02, axis=1).astype(bool)
        firm = touch[..., :2].all(axis=2) & in_place
        last = len(time) - 1 - np.argmax(firm[:, ::-1], axis=1)
        survived[alive] = np.where(firm.any(axis=1), 80.0 * time[last], survived[alive])
        kept = _in_both_fingers(touch, shaker.settings) & in_place[:, -1]
        states, alive = after[kept, -1], alive[kept]
    return survived
