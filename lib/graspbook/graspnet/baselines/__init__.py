"""The baselines of 6-DOF GraspNet: GPD (ten Pas et al. 2017) and geometric sampling."""
