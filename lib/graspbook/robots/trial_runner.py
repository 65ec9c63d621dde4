"""The trial protocol: objects in stable poses, each method on each, one record a trial; simulated,
or on a real arm.

Section 4.2 of Mousavian et al. 2019: 17 objects, three stable poses each, a trial a pose.
Simulated, every trial has a controller of its own; on a real arm somebody places the object as they
are shown.
"""

import time
from dataclasses import asdict, dataclass, replace

import numpy as np
import trimesh
from tqdm import tqdm

from graspbook import pose
from graspbook.errors import OtherTrialsError, RobotError
from graspbook.graspnet.candidates import propose_antipodal
from graspbook.graspnet.views import weights_hashes
from graspbook.perception.depth_sensor import d415
from graspbook.robots import fr3
from graspbook.robots.arm import REAL_SPEED, SIMULATED_SPEED, Arm
from graspbook.robots.camera import SimulatedCamera
from graspbook.robots.controller import SimulatedController, World
from graspbook.robots.planning import TURNED
from graspbook.robots.scene import hand_clears_table
from graspbook.robots.trial import CLOSED, attempt, not_begun
from graspbook.robots.trial_records import TrialRecords, begun, set_aside
from graspbook.simulation.shake import Shaker
from graspbook.simulation.tabletop import TABLE_CENTRE, TABLE_SIZE, stable_poses, tabletop
from graspbook.storage import code_hash, content_hash, hash_number, object_hash

PLACE = np.array([0.50, 0.0])  # where objects stand, base frame, metres
SCATTER = 0.03  # how far from there
LIFTED = 0.02  # metres over the table that every point of an object must be
_CANDIDATES, _FEWEST = 1000, 5
_LOOKS = 20


@dataclass(frozen=True)
class Subject:
    """An object of the trials: a GraspObject, its mass (kg) and its category in the tables."""

    obj: object
    mass: float
    category: str

    def content_hash(self):
        """Hash of its shape and mass."""
        return content_hash(object_hash(self.obj), self.mass)


def trial_poses(obj, count, seed=0):
    """Poses base_T_object (count or fewer, 4, 4) of an object resting on the table, the likeliest
    first, about `PLACE`.

    Only poses in which the hand, with its camera, can hold it: of 1000 antipodal grasps of the true
    shape at least five succeed in the shake test and keep clear of the table, whatever any method
    finds. Raises MeshError where there is none.
    """
    poses = stable_poses(obj, count, seed, _graspable(obj))
    shifts = np.random.default_rng([seed, 7]).uniform(-SCATTER, SCATTER, (len(poses), 2))
    poses[:, :2, 3] += PLACE + shifts
    return poses


def _graspable(obj):
    """A function of world_T_object (4, 4): whether the hand can hold the object there."""
    shaker = Shaker(obj)
    grasps = propose_antipodal(obj.mesh, _CANDIDATES, np.random.default_rng(0))
    holds = grasps[shaker.test(grasps, grade=False).success]

    def accept(world_T_object):
        placed = world_T_object @ holds
        return (
            hand_clears_table(placed, 0.0) | hand_clears_table(placed @ TURNED, 0.0)
        ).sum() >= _FEWEST

    return accept


def setup_hash(settings, weights, real=False):
    """Hash of what trials depend on besides object, pose and seed: settings, the files of their
    method in the folder of weights, the code, and whether the arm is a real one.
    """
    return content_hash(
        asdict(settings),
        weights_hashes(weights, settings.predict.method),
        code_hash(__name__),
        real,
    )


def run_trials(
    subjects,
    networks,
    poses,
    seeds,
    records_path,
    weights,
    settings,
    revision,
    robot=None,
    ended=None,
    progress=True,
):
    """Do the trials of every Subject in `poses` stable poses by every method and seed that are not
    recorded yet; the records of all these, by seed, Subject, pose and method. What else the file
    holds stays there.

    networks: {method: what `load_networks` returns for it}, of the folder `weights`; robot: a
    `RealSetup` for a real arm, None to simulate; ended: function called with each new record.
    Raises OutputError as `TrialRecords` does (simulated trials of another setup or object are set
    aside instead, their file renamed); MeshError, before any trial, for an object that cannot be
    held in any pose; and RobotError after a trial that could not begin or that ended in a fault on
    a real arm.
    """
    own = {
        method: replace(settings, predict=replace(settings.predict, method=method))
        for method in networks
    }
    setups = {method: setup_hash(own[method], weights, robot is not None) for method in networks}
    contents = {subject.obj.name: subject.content_hash() for subject in subjects}
    records = _open(records_path, setups, contents, robot)
    tasks = [
        (subject, index, method, seed)
        for seed in seeds
        for subject in subjects
        for index in range(poses)
        for method in networks
    ]
    left = [task for task in tasks if not records.done(task[0].obj.name, *task[1:])]
    placed = {}
    for subject, _, _, seed in tqdm(left, desc="stable poses", unit="trial", disable=not progress):
        if (subject.obj.name, seed) not in placed:
            placed[subject.obj.name, seed] = trial_poses(subject.obj, poses, seed)
    with tqdm(
        left,
        desc="trials",
        unit="trial",
        disable=not progress,
        initial=len(tasks) - len(left),
        total=len(tasks),
    ) as bar:
        for subject, index, method, seed in bar:
            name = subject.obj.name
            bar.set_postfix_str(f"{name} {index} {method}")
            base_T_object = placed[name, seed][index % len(placed[name, seed])]
            record = {
                "object": name,
                "category": subject.category,
                "pose": index,
                "method": method,
                "seed": seed,
                "network": _conditioning(networks[method]),
                "object_hash": contents[name],
                "setup": setups[method],
                "revision": revision,
            }
            rng = np.random.default_rng([seed, hash_number(name, index)])
            if robot:
                robot.place(subject, index, base_T_object)
            try:
                if robot:
                    found = robot.attempt(networks[method], own[method], rng)
                else:
                    found = simulate(subject, base_T_object, networks[method], own[method], rng)
            except RobotError as error:  # no controller, or none that answers
                found = not_begun(str(error)) | {"commands": 0, "base_T_object": None}
            found.pop("view")
            record |= found
            records.append(record)
            if ended:
                ended(record)
            _go_on(record, robot)
    return [
        records.get(subject.obj.name, index, method, seed) for subject, index, method, seed in tasks
    ]


def _open(path, setups, contents, robot):
    """The TrialRecords in which a run goes on. Trials of another setup or object stay what they
    are: done by a real arm they are in the way, simulated ones are set aside.
    """
    try:
        return TrialRecords(path, setups, contents)
    except OtherTrialsError as error:
        if robot:
            raise OtherTrialsError(f"{error}; write to another folder") from error
        tqdm.write(f"{error}: kept as {set_aside(path)}, and begun anew")
        return TrialRecords(path, setups, contents)


def _conditioning(networks):
    """Where pose and latent enter a method's sampler, "per_point" or "shared"; None for a method
    without one.
    """
    return networks[0].settings.conditioning if networks[0] else None


def _go_on(record, robot):
    """Raise RobotError where no other trial should follow that of a record."""
    told = (
        f"{record['object']}, pose {record['pose']}, {record['method']}: {record['fault']};"
        " recorded, and trials end here:"
    )
    if not begun(record):
        raise RobotError(
            f"{told} this one did not begin; see to that (does the controller run?), then run them"
            " again, it first"
        )
    if robot and record["fault"]:
        raise RobotError(f"{told} see to the arm, then run them again for the rest")


def simulate(subject, base_T_object, networks, settings, rng, realtime=True):
    """One simulated trial of an object at a pose (4, 4): what `attempt` tells of it, with
    `commands` and `base_T_object`.
    """
    obj, base_T_object = subject.obj, np.asarray(base_T_object, float)
    spec = tabletop([obj], [base_T_object], [subject.mass])
    table = _table()
    with SimulatedController(World(spec.to_xml(), 1), realtime=realtime) as controller:
        with Arm(controller.hostname, execute=True, speed=SIMULATED_SPEED) as arm:
            camera = SimulatedCamera(
                lambda: [(table, np.eye(4)), (obj.mesh, controller.truth().base_T_objects[0])],
                lambda: fr3.forward(controller.truth().q) @ settings.hand_T_camera,
                d415(),
                rng,
            )

            def judge():
                for _ in range(_LOOKS):  # pads lose touch for moments
                    truth = controller.truth()
                    if truth.held[0]:
                        break
                    time.sleep(0.005)
                height = float(
                    pose.transform(truth.base_T_objects[0], obj.mesh.vertices)[:, 2].min()
                )
                return bool(truth.held[0]) and height >= LIFTED, height

            found = attempt(arm, camera, networks, settings, rng, judge)
            return found | {"commands": arm.commands, "base_T_object": base_T_object.tolist()}


def simulated_view(obj, base_T_object, base_T_camera, rng):
    """The camera's Frame of an object at a pose (4, 4) on the table, from `base_T_camera` (4, 4),
    the arm out of its sight.
    """
    return SimulatedCamera(
        lambda: [(_table(), np.eye(4)), (obj.mesh, base_T_object)],
        lambda: base_T_camera,
        d415(),
        rng,
    ).frame()


def _table():
    """The mesh of `tabletop`'s table."""
    return trimesh.creation.box(
        TABLE_SIZE, pose.from_rt(np.eye(3), [*TABLE_CENTRE, -TABLE_SIZE[2] / 2])
    )


@dataclass(frozen=True)
class RealSetup:
    """A real arm and camera, and somebody who places the objects.

    hostname, execute, recover: as for `Arm`; camera: of `open_camera`; show: function of a Subject,
    the number of its pose and base_T_object (4, 4) that says where it is to be seen; ask: shows a
    text and returns when it is answered.
    """

    hostname: str
    camera: object
    execute: bool
    show: object
    recover: bool = False
    ask: object = input

    def place(self, subject, index, base_T_object):
        """Have the object placed. Raises RobotError where nobody can be asked."""
        shown, (x, y) = self.show(subject, index, base_T_object), base_T_object[:2, 3]
        try:
            self.ask(
                f"Place {subject.obj.name} as in {shown}, about {x:.2f} m in front of the arm's"
                f" base and {abs(y):.2f} m to its {'left' if y > 0 else 'right'}, step back, press"
                " Enter: "
            )
        except (
            EOFError,
            RuntimeError,
        ) as error:  # no terminal; Jupyter's StdinNotImplementedError is a RuntimeError
            raise RobotError(
                "somebody must place the objects: run it in JupyterLab or a terminal"
            ) from error

    def attempt(self, networks, settings, rng):
        """One trial of what stands there, judged by the hand's width alone."""
        with Arm(self.hostname, self.execute, REAL_SPEED, self.recover) as arm:
            found = attempt(
                arm, self.camera, networks, settings, rng, lambda: (arm.width > CLOSED, None)
            )
            return found | {"commands": arm.commands, "base_T_object": None}
