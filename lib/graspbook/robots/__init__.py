"""Hardware and its stand-ins: the Franka arm and hand, depth cameras, motion planning."""

from graspbook.extras import require

require("robot", "franky", "franky_sim", "pinocchio", "ompl", "ruckig")
