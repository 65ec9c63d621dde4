"""Which options of a real arm go together. Checked before anything is loaded."""

from pathlib import Path

from graspbook.errors import ParameterError


def check_real(
    robot: str | None,
    source: Path | str,
    *,
    execute: bool,
    hand_eye: Path | str | None,
    recover: bool,
) -> None:
    """Refuse options of a real arm that do not go together.

    robot: network address of the arm; None for the simulated one.
    source: of `robots.camera.open_camera`; an arm moves only by what a camera sees now.
    execute: whether the arm may move.
    hand_eye: the file of `hand_T_camera`, needed to move.
    recover: whether it is recovered from an error.

    Raises ParameterError.
    """
    if not robot and (execute or hand_eye or recover):
        raise ParameterError(
            "--execute, --hand-eye and --recover are for a real arm; expected --robot with its"
            " address"
        )
    if execute and str(source).partition(":")[0] != "realsense":
        raise ParameterError(
            f"{source}: with --execute the real arm needs a live view from the camera on its hand;"
            " expected realsense or realsense:SERIAL"
        )
    if execute and not hand_eye:
        raise ParameterError(
            f"--robot {robot} --execute without --hand-eye: expected --hand-eye FILE, which says"
            " where the camera is on the hand"
        )
