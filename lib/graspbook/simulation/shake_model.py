"""The world of the shake test: a fixed parallel-jaw hand and a floating object.

It is built in the grasp frame. Shaking is a force and torque on the object. A grasp is therefore
only an initial state, and `mujoco.rollout` runs a batch of grasps on all cores from one model.
"""

import copy
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import trimesh
from mujoco import rollout

from graspbook import pose
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.objects.grasp_object import GraspObject

GRAVITY = 9.81
# Columns of a state: time, qpos (2 fingers, then the object's position and quat_wxyz), qvel (2 +
# 6).
FINGERS, OBJECT, FINGER_SPEED = slice(1, 3), slice(3, 10), slice(10, 12)
_FOUND_AND_DISTANCE = 1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND) | 1 << int(
    mujoco.mjtConDataField.mjCONDATA_DIST
)
# Contacts and limits are nearly rigid: with MuJoCo's defaults 40 N push a light object's surface 8
# mm into a pad.
SOLREF, SOLIMP = [0.004, 1.0], [0.95, 0.99, 0.001, 0.5, 2.0]


@dataclass(frozen=True)
class ShakeSettings:
    """Parameters of the test; the defaults are the frozen ones of every label and figure.

    mass: of every object, kg, with uniform density; None: `density` applies instead, as in the
        paper.
    density: of the object, kg/m³.
    friction: Coulomb's; a pad pair carries 2·friction·force.
    force: N, of each finger.
    acceleration, angular_acceleration: m/s² and rad/s², peaks of the sinusoidal shake along and
        about each axis of the hand.
    frequency: of the shake, Hz.
    closing_speed: of a free finger, m/s.
    penetration: overlap of open hand and object that is not yet a collision, metres, because convex
        parts approximate a mesh.
    timestep: of the simulation, s.
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


def mass_properties(obj: GraspObject, settings: Any) -> tuple[float, np.ndarray, np.ndarray]:
    """Mass, centre of mass (3,) and inertia about it (3, 3), in the object frame.

    They are the mesh's if it bounds a volume, else its convex parts'.

    obj: of uniform density.
    settings: anything with a `mass`, kg; None: with a `density`, kg/m³.
    """
    solid: Any = obj.mesh if obj.mesh.is_volume else trimesh.util.concatenate(list(obj.parts))
    density = settings.density if settings.mass is None else settings.mass / solid.volume
    return solid.volume * density, solid.center_mass, solid.moment_inertia * density


def physics(obj: GraspObject, settings: ShakeSettings) -> dict[str, Any]:
    """The entries of a grasp file's `object/` about its test: mass, com, inertia, friction.

    obj: `GraspObject` that is tested, metres.
    settings: friction, forces and times of the shake test.
    """
    mass, centre, inertia = mass_properties(obj, settings)
    return {"mass": mass, "com": centre, "inertia": inertia, "friction": settings.friction}


class ShakeWorld:
    """One GraspObject and a hand in a compiled world, with rollouts of its states (N, S)."""

    def __init__(self, obj, settings=None, *, threads=2, gripper=FRANKA):
        self.settings, self.gripper = settings or ShakeSettings(), gripper
        self.model = build_model(obj, self.settings, gripper=gripper)
        body = self.model.body("object")
        self.body_id, self.mass, self.inertia = body.id, body.mass[0], body.inertia.copy()
        self.centre = mass_properties(obj, self.settings)[1]
        self._data = [mujoco.MjData(self.model) for _ in range(threads)]
        self._pool = rollout.Rollout(nthread=threads if threads > 1 else 0)

    def initial_states(self, object_T_hand: np.ndarray) -> np.ndarray:
        """States (N, S): hand open, object at rest with its centre of mass at its body's origin.

        object_T_hand: (N, 4, 4) poses of the hand in the object frame.
        """
        hand_T_object = pose.inverse(object_T_hand)
        states = np.zeros((len(object_T_hand), 1 + self.model.nq + self.model.nv))
        states[:, FINGERS] = self.gripper.opening / 2
        states[:, OBJECT][:, :3] = pose.transform(hand_T_object, self.centre[None])[:, 0]
        states[:, OBJECT][:, 3:] = pose.matrix_to_quat_wxyz(hand_T_object[:, :3, :3])
        return states

    def roll(
        self,
        states: np.ndarray,
        steps: int,
        wrench: np.ndarray | None = None,
        *,
        model: mujoco.MjModel | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """States (n, steps, S) during a firm grip, and contacts with the object.

        The contacts are, at every step, whether right finger, left finger and palm touch it (n,
        steps, 3), and the least distance there (n, steps, 3), metres, negative inside.

        states: (n, S) MuJoCo states at the start.
        steps: number of simulation steps.
        wrench: force and torque on the object's centre of mass, (n or 1, steps, 6), in the hand's
            axes.
        model: MuJoCo's model; that of the object if None.
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

    def in_both_fingers(self, touch: np.ndarray) -> np.ndarray:
        """Whether both fingers touched the object in the last 10 ms (n,).

        A contact may miss a single step.

        touch: (n, steps, 3) of `roll`.
        """
        last = -round(0.01 / self.settings.timestep)
        return np.all(touch[:, last:, :2].any(axis=1), axis=1)

    def keep(
        self,
        states: np.ndarray,
        alive: np.ndarray,
        wrench: np.ndarray,
        *,
        model: mujoco.MjModel | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """States and indices of the grasps whose fingers both still hold the object.

        states, alive: (n, S) before the `wrench`, and their indices (n,).
        wrench, model: see `roll`.
        """
        if not len(states):
            return states, alive
        after, touch, _ = self.roll(states, wrench.shape[1], wrench, model=model)
        kept = self.in_both_fingers(touch)
        return after[kept, -1], alive[kept]


def build_model(
    obj: GraspObject, settings: ShakeSettings, *, gripper: ParallelJaw = FRANKA
) -> mujoco.MjModel:
    """MuJoCo model of the hand at the world's origin (grasp frame) and of the object.

    qpos has both fingers' joint values, then the object's position and quat_wxyz.

    obj: its centre of mass is its body's origin.
    settings: friction, forces and times of the shake test.
    gripper: the parallel-jaw hand that grasps.
    """
    spec = mujoco.MjSpec()
    spec.option.timestep, spec.option.gravity = settings.timestep, [0, 0, 0]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10  # friction as stiff as the normal force: a held object must not creep
    world = spec.worldbody
    _add_hull(spec, world, "palm", gripper.palm, settings, hand=True)
    for side, sign in (("right", 1.0), ("left", -1.0)):
        finger = world.add_body(name=side, mass=0.1, inertia=[1e-4] * 3, explicitinertial=True)
        # Joint value: half the distance between the pads. The damping lets a free finger close at
        # closing_speed.
        finger.add_joint(
            name=side,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[sign, 0, 0],
            limited=True,
            range=[0, gripper.opening / 2],
            damping=[settings.force / settings.closing_speed, 0, 0],
            solref_limit=SOLREF,
            solimp_limit=SOLIMP,
        )
        for name, vertices in gripper.finger_parts(0.0).items():
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


def add_object(spec: mujoco.MjSpec, obj: GraspObject, settings: Any) -> None:
    """Add an object to a world: body and free joint "object".

    Its centre of mass is the body's origin. Its convex parts have contype 2 and conaffinity 1.

    spec: MuJoCo's specification of the world.
    obj: the `GraspObject`, metres.
    settings: anything with a `mass` and a `friction`.
    """
    mass, centre, inertia = mass_properties(obj, settings)
    body = spec.worldbody.add_body(name="object", mass=mass, ipos=[0, 0, 0], explicitinertial=True)
    body.fullinertia = inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    body.add_freejoint(name="object")
    for i, part in enumerate(obj.parts):
        _add_hull(spec, body, f"part_{i}", part.vertices - centre, settings, hand=False)


def with_mass(model: mujoco.MjModel, mass: float) -> mujoco.MjModel:
    """A copy of a model whose object has another mass, distributed as before.

    model: MuJoCo's model, from `build_model`.
    mass: of the object, kg.
    """
    model = copy.copy(model)
    body = model.body("object")
    factor = mass / body.mass[0]
    body.mass[:] *= factor
    body.inertia[:] *= factor
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def _add_hull(spec, body, name, vertices, settings, *, hand):
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
