"""What grasps: geometry and kinematics of robot hands."""
