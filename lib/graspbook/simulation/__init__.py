"""MuJoCo worlds: the shake test that labels grasps."""
