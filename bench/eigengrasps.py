"""Make the eigengrasps that come with the package: principal components of grasps that hold.

    python bench/eigengrasps.py

One object of every family, of another seed than the notebooks' objects, is grasped by the search
for balance. The joints of the closed grasps that hold by "bench" are decomposed. The same machine
makes the same file. It takes some minutes on one core.
"""

import json
import tempfile
from pathlib import Path

import numpy as np

from graspbook.hands.library import load_hand
from graspbook.highdof import eigengrasps
from graspbook.highdof.balance import BalanceSettings
from graspbook.highdof.held import tell_held
from graspbook.highdof.planner import PlannerSettings
from graspbook.highdof.plans import plan_files, read_plan
from graspbook.objects.sets import FamilySet
from graspbook.storage import write_json

SEED, GRASPS, KEPT = 7, 100, 6


def held_joints(name):
    """Joint values (N, J) of a hand's closed grasps that hold, over all objects."""
    hand, objects, found = load_hand(name), FamilySet(1, SEED, 0.0), []
    with tempfile.TemporaryDirectory() as folder:
        for title in objects.names():
            obj, path = objects.load(title), Path(folder) / f"{title}.h5"
            settings = PlannerSettings(GRASPS, search=BalanceSettings())
            plan_files({title: obj.mesh}, {title: path}, name, settings, seed=SEED, workers=1)
            plan = tell_held(hand, obj, read_plan(path, hand))
            found.append(plan.closed[plan.held])
    return hand, np.concatenate(found)


def entry(name):
    """What the file has of one hand."""
    hand, joints = held_joints(name)
    mean, rows, variances = eigengrasps.fit(joints)
    kept = min(KEPT, len(rows))
    basis = (rows * np.sqrt(variances)[:, None])[:kept]
    shares = np.cumsum(variances / variances.sum())[:kept]
    made = (
        f"bench/eigengrasps.py: {len(joints)} grasps that hold by bench, search balance,"
        f" {GRASPS} grasps per object, FamilySet(1, {SEED})"
    )
    return {
        "made": made,
        "joints": list(hand.joints),
        "mean": mean.astype(float).round(5).tolist(),
        "basis": basis.round(5).tolist(),
        "explained": shares.round(3).tolist(),
    }


if __name__ == "__main__":
    write_json(eigengrasps.FILE, {name: entry(name) for name in ("shadow", "barrett")})
    for name, found in json.loads(eigengrasps.FILE.read_text(encoding="utf-8")).items():
        print(name, found["made"], found["explained"])
