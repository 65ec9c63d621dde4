"""How objects are seen: a depth camera by ray casting, real captures, resampling of point clouds."""
