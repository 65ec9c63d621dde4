"""How objects are seen: a depth camera by ray casting, real captures, point clouds."""
