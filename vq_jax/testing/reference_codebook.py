"""Nearest code and EMA codebook as the papers define them, in NumPy float64."""

import numpy as np


def nearest_code(z: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Index of the nearest code, argmin_k ‖z - e_k‖², the lowest one of equals."""
    difference = z[:, None].astype(np.float64) - codebook[None].astype(np.float64)
    return np.argmin((difference**2).sum(-1), axis=-1)


def ema_codebook(batches, codes, decay):
    """(codes, counts, sums) after EMA updates with `batches` of (vectors, indices).

    N ← γN + (1-γ)n and m ← γm + (1-γ)Σz for each code, then e = m/N. At first N is 1
    and m is e.
    """
    codes = codes.astype(np.float64).copy()
    counts, sums = np.ones(len(codes)), codes.copy()
    for vectors, indices in batches:
        for k in range(len(codes)):
            mine = vectors[indices == k].astype(np.float64)
            counts[k] = decay * counts[k] + (1 - decay) * len(mine)
            sums[k] = decay * sums[k] + (1 - decay) * mine.sum(axis=0)
            codes[k] = sums[k] / counts[k]
    return codes, counts, sums
