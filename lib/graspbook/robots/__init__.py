"""Hardware and its stand-ins: the Franka arm and hand, depth cameras, motion planning."""
