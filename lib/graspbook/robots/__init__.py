"""Hardware and its stand-ins: the Franka arm and hand, the Shadow Hand, depth cameras, motion
planning.
"""

from graspbook.extras import require

require("robot", "franky", "franky_sim", "pinocchio", "ompl", "ruckig")
