"""What a depth camera is and gives: two methods, `frame()` and `close()`, and `with`.

Camera frame as in OpenCV (x right, y down, z forward). Nothing needs a screen.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Frame:
    """What a camera saw at one moment.

    depth: (H, W) float32 in metres, NaN where nothing was measured; K: (3, 3) in pixels, no
    distortion; rgb: (H, W, 3) uint8 of the same pixels, or None.
    """

    depth: np.ndarray
    K: np.ndarray
    rgb: np.ndarray | None = None


class DepthCamera:
    """A depth camera; each kind says what it sees."""

    def frame(self) -> Frame:
        """The next frame. Raises RobotError where there is none."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the device, if there is one; a second time does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
