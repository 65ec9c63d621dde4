"""The trial protocol: objects in stable poses, each method on each, one record a trial; simulated, or on a real arm.

Section 4.2 of Mousavian et al. 2019: 17 objects, three stable poses each, a trial a pose. Simulated, every trial has a controller
of its own; on a real arm somebody places the object.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np
import trimesh
from tqdm import tqdm

from graspbook import pose
from graspbook.errors import RobotError
from graspbook.graspnet.enrichment import propose_antipodal
from graspbook.graspnet.predict import load_networks, weights_files
from graspbook.perception.depth_sensor import d415
from graspbook.robots import fr3
from graspbook.robots.arm import REAL_SPEED, SIMULATED_SPEED, Arm
from graspbook.robots.camera import SimulatedCamera
from graspbook.robots.controller import SimulatedController, World
from graspbook.robots.planning import TURNED
from graspbook.robots.records import TrialRecords
from graspbook.robots.scene import hand_clears_table
from graspbook.robots.trial import CLOSED, attempt, not_begun
from graspbook.simulation.shake import Shaker
from graspbook.simulation.tabletop import stable_poses, tabletop
from graspbook.storage import content_hash, hash_number

PLACE = np.array([0.50, 0.0])  # where objects stand, base frame, metres
SCATTER = 0.03  # how far from there
LIFTED = 0.02  # metres over the table that every point of an object must be
_CANDIDATES, _FEWEST = 1000, 5


@dataclass(frozen=True)
class Subject:
    """An object of the trials: a GraspObject, its mass (kg) and its category in the tables."""

    obj: object
    mass: float
    category: str


def trial_poses(obj, count, seed=0):
    """Poses base_T_object (count or fewer, 4, 4) of an object resting on the table, the likeliest first, about `PLACE`.

    Only poses in which the hand, with its camera, can hold it: of 1000 antipodal grasps of the true shape at least five succeed
    in the shake test and keep clear of the table, whatever any method finds. Raises MeshError where there is none.
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
        return (hand_clears_table(placed, 0.0) | hand_clears_table(placed @ TURNED, 0.0)).sum() >= _FEWEST

    return accept


def setup_hash(settings, files):
    """Hash of what a trial depends on besides its object, pose and seed: settings and the networks' files."""
    return content_hash(asdict(settings), *(np.frombuffer(path.read_bytes(), np.uint8) for path in files))


def run_trials(subjects, methods, poses, seeds, records_path, weights, settings, revision, device=None, progress=True):
    """Do the trials of every Subject in `poses` stable poses by every method and seed that are not recorded yet; all the records.

    device: a `RealSetup` for a real arm, None to simulate. Raises OutputError as `TrialRecords` does, MeshError for an object
    that cannot be held in any pose, WeightsError, and on a real arm RobotError after a trial that ended in a fault.
    """
    files = [path for method in methods for path in weights_files(weights, method)]
    records = TrialRecords(records_path, setup_hash(settings, sorted(set(files))))
    networks = {method: load_networks(weights, method=method) for method in methods}
    tasks = [(subject, index, method, seed) for seed in seeds for subject in subjects for index in range(poses)
             for method in methods]
    left = [task for task in tasks if not records.done(task[0].obj.name, task[1], task[2], task[3])]
    placed = {}
    with tqdm(left, desc="trials", unit="trial", disable=not progress, initial=len(tasks) - len(left), total=len(tasks)) as bar:
        for subject, index, method, seed in bar:
            bar.set_postfix_str(f"{subject.obj.name} {index} {method}")
            own = replace(settings, predict=replace(settings.predict, method=method))
            rng = np.random.default_rng([seed, hash_number(subject.obj.name, index)])
            record = {"object": subject.obj.name, "category": subject.category, "pose": index, "method": method, "seed": seed,
                      "setup": records.setup, "revision": revision}
            try:
                if device is None:
                    if (subject.obj.name, seed) not in placed:
                        placed[subject.obj.name, seed] = trial_poses(subject.obj, poses, seed)
                    among = placed[subject.obj.name, seed]
                    found = simulate(subject, among[index % len(among)], networks[method], own, rng)
                else:
                    found = device.attempt(subject, index, networks[method], own, rng)
            except RobotError as error:  # no controller, or none that answers
                found = not_begun(str(error)) | {"commands": 0, "base_T_object": None}
            found.pop("view")
            records.append(record | found)
            if device is not None and found["fault"]:
                raise RobotError(f"{subject.obj.name}, pose {index}, {method}: {found['fault']}; recorded, trials end here")
    return records.records


def simulate(subject, base_T_object, networks, settings, rng, realtime=True):
    """One simulated trial of an object at a pose (4, 4): what `attempt` tells of it, with `commands` and `base_T_object`."""
    obj, base_T_object = subject.obj, np.asarray(base_T_object, float)
    spec = tabletop([obj], [base_T_object], [subject.mass])
    table = _table()
    with SimulatedController(World(spec.to_xml(), 1), realtime=realtime) as controller:
        with Arm(controller.hostname, execute=True, speed=SIMULATED_SPEED) as arm:
            camera = SimulatedCamera(lambda: [(table, np.eye(4)), (obj.mesh, controller.truth().base_T_objects[0])],
                                     lambda: fr3.forward(controller.truth().q) @ settings.hand_T_camera, d415(), rng)

            def judge():
                truth = controller.truth()
                height = float(pose.transform(truth.base_T_objects[0], obj.mesh.vertices)[:, 2].min())
                return bool(truth.held[0]) and height >= LIFTED, height

            found = attempt(arm, camera, networks, settings, rng, judge)
            return found | {"commands": arm.commands, "base_T_object": base_T_object.tolist()}


def simulated_view(obj, base_T_object, base_T_camera, rng):
    """The camera's Frame of an object at a pose (4, 4) on the table, from `base_T_camera` (4, 4), the arm out of its sight."""
    return SimulatedCamera(lambda: [(_table(), np.eye(4)), (obj.mesh, base_T_object)], lambda: base_T_camera, d415(), rng).frame()


def _table():
    """The mesh of `tabletop`'s table."""
    return trimesh.creation.box((0.9, 1.2, 0.05), pose.from_rt(np.eye(3), [0.5, 0, -0.025]))


@dataclass(frozen=True)
class RealSetup:
    """A real arm and camera, and somebody who places the objects.

    hostname, camera: as for `Arm` and `open_camera`; execute: whether it may move; ask: shows a text and returns the answer.
    """

    hostname: str
    camera: object
    execute: bool
    ask: object = input
    recover: bool = False

    def attempt(self, subject, index, networks, settings, rng):
        """One trial: asks for the object, and judges by the hand's width alone whether it was lifted."""
        self.ask(f"Place {subject.obj.name} in its stable pose {index} in front of the arm, step back, press Enter: ")
        with Arm(self.hostname, self.execute, REAL_SPEED, self.recover) as arm:
            found = attempt(arm, self.camera, networks, settings, rng, lambda: (arm.width > CLOSED, None))
            return found | {"commands": arm.commands, "base_T_object": None}
