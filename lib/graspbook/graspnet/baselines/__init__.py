"""What 6-DOF GraspNet is compared with: GPD (ten Pas et al. 2017) and geometric sampling."""
