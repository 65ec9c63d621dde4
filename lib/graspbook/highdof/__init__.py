"""Paper 2: Generating Grasp Poses for a High-DOF Gripper Using Neural Networks (Liu, Pan, Xu,
Ganguly and Manocha, 2019).
"""
