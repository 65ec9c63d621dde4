"""6-DOF GraspNet (Mousavian, Eppner, Fox 2019): grasps for an object seen from one side."""
