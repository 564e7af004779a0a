"""Resampling of one axis of a grid, as PyTorch's `interpolate` defines it."""

import numpy as np


def nearest(out_size: int, in_size: int) -> np.ndarray:
    """Which entry of an axis each of `out_size` takes, mode "nearest"; int [out]."""
    return np.arange(out_size) * in_size // out_size


def area_matrix(out_size: int, in_size: int) -> np.ndarray:
    """Matrix of PyTorch's mode "area": means over intervals of an axis.

    Row i of the float32 [out, in] averages [floor(i·in/out), ceil((i+1)·in/out)).
    """
    matrix = np.zeros((out_size, in_size))
    for i in range(out_size):
        first = i * in_size // out_size
        last = -(-(i + 1) * in_size // out_size)
        matrix[i, first:last] = 1.0 / (last - first)
    return matrix.astype(np.float32)


def bicubic_matrix(out_size: int, in_size: int) -> np.ndarray:
    """Matrix of bicubic interpolation, to enlarge an axis; float32 [out, in].

    Keys' kernel with a = -0.75, positions as with `align_corners=False`, edges
    repeated. There is no antialiasing, so it is not meant for shrinking.
    """
    matrix = np.zeros((out_size, in_size))
    for i in range(out_size):
        centre = (i + 0.5) * in_size / out_size - 0.5
        first = int(np.floor(centre))
        for j in range(first - 1, first + 3):
            weight = _keys(abs(centre - j))
            matrix[i, min(max(j, 0), in_size - 1)] += weight
    return matrix.astype(np.float32)


def _keys(distance: float, a: float = -0.75) -> float:
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    if distance < 2:
        return a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return 0.0
