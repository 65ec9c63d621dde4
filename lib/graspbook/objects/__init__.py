"""What is grasped: parametric shapes, any mesh, convex parts, object sets."""

from graspbook.objects.grasp_object import GraspObject

__all__ = ["GraspObject"]
