"""Cases of hands of many joints; see `cases` for what a case is and how two sides are compared."""

import mujoco
import numpy as np
import torch
import trimesh
from scipy.spatial import ConvexHull

from graspbook.hands import mjcf, pose_vector
from graspbook.hands.library import load_hand
from graspbook.highdof import losses
from graspbook.highdof.annealing import AnnealingSettings
from graspbook.highdof.network import GraspNetwork, NetworkSettings
from graspbook.highdof.planner import PlannerSettings, plan
from graspbook.highdof.refinement import adjust
from graspbook.objects import distance
from graspbook.objects.families import make_shape
from graspbook.pose import quat_wxyz_to_matrix
from graspbook.quality import contact_wrenches, epsilon


def plan_grasps(tiny, measure):
    """Evaluations of the planner's energy, of 160 chains at once; the baseline runs the same chains one after another."""
    torch.set_num_threads(1)
    hand, mesh = load_hand("shadow"), make_shape("bottle", np.random.default_rng(0)).mesh
    fields = distance.stack([distance.signed_distance_grid(mesh, 48 if tiny else 96)])
    chains, few, iterations = (4, 1, 5) if tiny else (160, 2, 200)

    def run(count):
        settings = PlannerSettings(grasps=count, search=AnnealingSettings(iterations=iterations))
        return plan(hand, fields, settings, torch.Generator().manual_seed(0))[0].evaluations

    return measure(lambda: run(chains), lambda: [run(1) for _ in range(few)], "evals/s", run(chains), few * run(1),
                   1 if tiny else 3, lambda *_: "-")


def distance_field(tiny, measure):
    """Nodes of a 128³ signed distance field of 10 000 faces; the baseline asks trimesh for the distances of random nodes."""
    mesh = trimesh.creation.icosphere(subdivisions=2 if tiny else 5, radius=0.05)  # 20 480 faces
    mesh = mesh if tiny else mesh.simplify_quadric_decimation(face_count=10000)
    size, few = (16, 20) if tiny else (128, 2000)
    triangles = np.asarray(mesh.triangles, float)
    field = distance.signed_distance_grid(mesh, size)
    nodes = np.random.default_rng(0).integers(size, size=(few, 3))

    def ours():
        scaled = distance.split((triangles - field.origin) / field.spacing)
        winding = np.abs(distance.winding_numbers(scaled, size))
        return np.where(winding > 0.5, -1, 1) * distance.distances(scaled, winding > 0.5, overlapping=False) * field.spacing

    def baseline():
        return -trimesh.proximity.signed_distance(mesh, field.origin + field.spacing * nodes)

    def same(values, theirs):
        return f"within {np.abs(values[tuple(nodes.T)] - theirs).max() / field.spacing:.2f} voxels"

    return measure(ours, baseline, "nodes/s", size**3, few, 1 if tiny else 3, same)


def kinematics(tiny, measure):
    """Postures of the Shadow Hand; the baseline is MuJoCo's kinematics, one posture at a time."""
    torch.set_num_threads(1)
    hand, count = load_hand("shadow"), 10 if tiny else 4096
    joints = np.random.default_rng(0).uniform(*hand.limits.T, (count, len(hand.joints)))
    spec = mujoco.MjSpec()
    mjcf.add_hand(spec, hand)
    model = spec.compile()
    data, address = mujoco.MjData(model), [model.joint(f"hand/{joint}").qposadr[0] for joint in hand.all_joints]
    bodies = [model.body(f"hand/{name}").id for name in hand.links]
    given = torch.as_tensor(joints, dtype=torch.float32)

    def baseline():
        found = np.empty((count, len(bodies), 3))
        for values, places in zip(hand.expand(joints), found, strict=True):
            data.qpos[address] = values
            mujoco.mj_kinematics(model, data)
            places[:] = data.xpos[bodies]
        return found

    def same(ours, theirs):
        return f"within {np.abs(ours[..., :3, 3].numpy() - theirs).max():.0e} m"

    return measure(lambda: hand.forward(given), baseline, "poses/s", count, count, 1 if tiny else 5, same)


def quality(tiny, measure):
    """ε of grasps with 12 contacts; the baseline takes the hull of all wrenches."""
    rng, count = np.random.default_rng(0), 2 if tiny else 50
    normals = rng.normal(size=(count, 12, 3))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)

    def baseline():
        found = []
        for own in normals:
            hull = ConvexHull(contact_wrenches(-own, own, np.zeros(3), 1.0, 0.4, 8), qhull_options="QJ")
            found.append(float((-hull.equations[:, 6]).min()))
        return found

    return measure(lambda: [epsilon(-own, own, np.zeros(3), 1.0) for own in normals], baseline, "grasps/s", count, count,
                   1 if tiny else 3, lambda ours, theirs: f"within {np.abs(np.subtract(ours, theirs)).max():.0e}")


def adjust_poses(tiny, measure):
    """Hands freed of penetration, 5 at a time; the baseline frees one at a time."""
    torch.set_num_threads(2)
    hand, mesh = load_hand("shadow"), make_shape("bottle", np.random.default_rng(0)).mesh
    fields, rng = distance.stack([distance.signed_distance_grid(mesh, 48 if tiny else 128)]), np.random.default_rng(0)
    rotation = quat_wxyz_to_matrix(rng.normal(size=(5, 4)))
    wrist = np.concatenate([rotation, -rotation @ [[0.0], [-0.03], [0.08]]], axis=2)
    wrist = np.concatenate([wrist, np.tile([0.0, 0, 0, 1], (5, 1, 1))], axis=1)
    x, which = torch.as_tensor(pose_vector.join(wrist, hand.open), dtype=torch.float32), torch.zeros(5, dtype=torch.long)
    return measure(lambda: adjust(hand, fields, which, x)[1].float().mean(),
                   lambda: [adjust(hand, fields, which[:1], x[i : i + 1])[1] for i in range(5)], "grasps/s", 5, 5,
                   1 if tiny else 5, lambda ours, _: f"{float(ours):.0%} freed")


def network(size, training, tiny, measure):
    """Grids through a network of the "desk" or the "paper" size, in training or not, 16 at a time; the baseline takes two."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    sizes = {"tiny": NetworkSettings(16, 2, (8,)), "desk": NetworkSettings(32, 16, (1024, 256)), "paper": NetworkSettings()}
    settings = sizes["tiny" if tiny else size]
    model = GraspNetwork(18, settings)
    grids = torch.rand(16, *[settings.grid] * 3) > 0.8
    grasps = torch.rand(16, 20, 25)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)

    def step(rows):
        loss = losses.consistency(model(grids[rows]), grasps[rows]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def forward(rows):
        with torch.no_grad():
            return model(grids[rows])

    run = step if training else forward
    model.train(training)
    pairs = [slice(i, i + 2) for i in range(0, 16, 2)]  # batch normalisation needs two
    return measure(lambda: run(slice(None)), lambda: [run(pair) for pair in pairs], "grids/s", 16, 16, 1 if tiny else 3,
                   lambda *_: "-")
