"""The values of `graspbook.api`: sets of grasps, and grasps of hands, that show themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import trimesh

from graspbook.grasp_set import Grasps
from graspbook.hands.grippers import load_gripper

SHOWN = 25  # grasps in a figure


@dataclass(frozen=True)
class GraspSet:
    """Grasps of one object, best first. In JupyterLab it shows itself as a figure that turns.

    grasps: what a grasp file holds: poses, labels and grades by name.
    points: (M, 3) what was seen of the object, in the frame of the grasps; None where unknown.
    note: what to know about them, "" if there is nothing.
    """

    grasps: Grasps
    points: np.ndarray | None = None
    note: str = ""

    @property
    def poses(self) -> np.ndarray:
        """Poses (N, 4, 4) of the hand, metres: +z approaches, the fingers close along ±x."""
        return self.grasps.transforms

    @property
    def frame(self) -> str:
        """The frame of the poses: "camera" or "object"."""
        return self.grasps.frame

    @property
    def object_T_camera(self) -> np.ndarray | None:
        """Pose (4, 4) of the camera in the object's frame, None where it is not known."""
        found = self.grasps.parameters.get("object_T_camera")
        return None if found is None else np.array(found, float)

    @property
    def file_T_camera(self) -> np.ndarray | None:
        """Pose (4, 4) of the camera in the frame of its file, None where they are the same."""
        found = self.grasps.parameters.get("file_T_camera")
        return None if found is None else np.array(found, float)

    @property
    def scores(self) -> np.ndarray | None:
        """Scores (N,) in 0 … 1, None without scores."""
        return self.grasps.grades.get("score")

    @property
    def success(self) -> np.ndarray | None:
        """Whether each grasp (N,) held the object, None where that was not tested."""
        return self.grasps.success

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, which: slice | np.ndarray) -> GraspSet:
        """Some of the grasps: a slice, or (N,) bool or indices."""
        if isinstance(which, int):
            raise TypeError(
                f"index {which}: expected a slice or an array; for a single pose use poses[i]"
            )
        grades = {name: values[which] for name, values in self.grasps.grades.items()}
        success = None if self.success is None else self.success[which]
        grasps = replace(self.grasps, transforms=self.poses[which], success=success, grades=grades)
        return replace(self, grasps=grasps)

    def __repr__(self) -> str:
        told = [f"{len(self)} grasps of the gripper {self.grasps.gripper}, {self.frame} frame"]
        if self.scores is not None and len(self):
            told.append(f"best score {self.scores[0]:.2f}")
        if self.success is not None:
            told.append(f"{int(np.sum(self.success))} held")
        return f"<GraspSet: {', '.join([*told, *filter(None, [self.note])])}>"

    def figure(self, top: int = SHOWN) -> Any:
        """The first grasps and the points, as a plotly figure.

        top: how many.
        """
        from graspbook.figures import cloud_and_grasps

        few = self[:top]
        points = self.points
        if points is not None and len(points) > 5000:
            points = points[:: len(points) // 5000]
        return cloud_and_grasps(
            points,
            few.poses,
            few.scores if few.success is None else few.success,
            camera_frame=self.frame == "camera",
            marked=few.grasps.grades.get("collides") if few.success is None else None,
            gripper=load_gripper(self.grasps.gripper),
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return _bundle(self, self.figure)


@dataclass(frozen=True)
class HandGrasp:
    """A grasp of a hand of many joints. In JupyterLab it shows itself as a figure that turns.

    report: what `graspbook hand-grasp` writes, by name.
    mesh: the object, metres.
    hand_mesh: the hand in its pose, in the object's frame.
    """

    report: dict[str, Any]
    mesh: trimesh.Trimesh
    hand_mesh: trimesh.Trimesh

    @property
    def joints(self) -> dict[str, float]:
        """Values of all joints by name, rad, or metres of slides."""
        return dict(self.report["all_joints"])

    @property
    def wrist(self) -> np.ndarray:
        """`object_T_palm` (4, 4), metres."""
        return np.asarray(self.report["wrist"])

    @property
    def epsilon(self) -> float:
        """The ε-metric; 0 or less without force closure."""
        return float(self.report["epsilon"])

    @property
    def held(self) -> bool:
        """Whether the hand held the object against a pull from six directions."""
        return bool(self.report["held"])

    def __repr__(self) -> str:
        held = f"held in {self.report['held_directions']} of 6 directions"
        closure = f"ε {self.epsilon:.3f}" if self.epsilon > 0 else "not in force closure (ε −1)"
        return f"<HandGrasp: {self.report['hand']} hand, {closure}, {held}>"

    def figure(self) -> Any:
        """The object, the hand and their contacts, as a plotly figure."""
        from graspbook.figures import hand_figure

        contacts = [one["point"] for one in self.report["contacts"]]
        return hand_figure(self.mesh, [self.hand_mesh], contacts)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return _bundle(self, self.figure)


def _bundle(value, figure):
    """A figure in the form that JupyterLab shows, with the text of the value."""
    return {**figure()._repr_mimebundle_(), "text/plain": repr(value)}
