"""Arithmetic of the quantizers as the papers define it, in NumPy float64, for tests."""

import numpy as np
from scipy.special import softmax, xlogy


def unit(x: np.ndarray) -> np.ndarray:
    """x / ‖x‖ over the last axis; lengths below 1e-6 count as 1e-6."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-6)


def rotation_gradient(z: np.ndarray, z_q: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Gradient of the rotation trick for the cotangent g (2410.06424, sec. 4.2).

    λ(g - 2w(w·g) + 2ẑ(q̂·g)), w = unit(ẑ + q̂), λ = ‖z_q‖/‖z‖.
    """
    z, z_q, g = np.float64(z), np.float64(z_q), np.float64(g)
    source, target = unit(z), unit(z_q)
    between = unit(source + target)
    lengths = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (z, z_q)]
    scale = lengths[1] / np.maximum(lengths[0], 1e-6)
    between_g = np.sum(between * g, axis=-1, keepdims=True)
    target_g = np.sum(target * g, axis=-1, keepdims=True)
    return scale * (g - 2 * between * between_g + 2 * source * target_g)


def diveq(z: np.ndarray, z_q: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """DiVeQ's value z + ‖z_q - z‖ · direction, for a given direction (2509.26469)."""
    return z + np.linalg.norm(z_q - z, axis=-1, keepdims=True) * direction


def assignment_entropies(logits: np.ndarray) -> tuple[float, float]:
    """Mean of the rows' entropies, and entropy of their mean, of softmax(logits)."""
    probs = softmax(np.float64(logits), axis=1)
    mean = probs.mean(axis=0)
    return -xlogy(probs, probs).sum(axis=1).mean(), -xlogy(mean, mean).sum()


def sign_codes(bits: int, scale: float) -> np.ndarray:
    """All 2^bits codes {-scale, +scale}^bits as rows [k, bits]."""
    return scale * (2.0 * ((np.arange(2**bits)[:, None] >> np.arange(bits)) & 1) - 1)


def orthogonality(codebook: np.ndarray) -> float:
    """‖EEᵀ - I‖² / k² of unit codes, from the k x k matrix (2112.00384, eq. 2)."""
    codes = unit(np.float64(codebook))
    return np.sum((codes @ codes.T - np.eye(len(codes))) ** 2) / len(codes) ** 2


def lloyd(z: np.ndarray, codes: np.ndarray, iterations: int) -> np.ndarray:
    """Lloyd's iterations: each code becomes the mean of the vectors nearest to it.

    A code without vectors keeps its value.
    """
    z, codes = np.float64(z), np.float64(codes)
    for _ in range(iterations):
        squares = ((z[:, None] - codes[None]) ** 2).sum(axis=-1)
        nearest = squares.argmin(axis=1)
        codes = codes.copy()
        for k in np.unique(nearest):
            codes[k] = z[nearest == k].mean(axis=0)
    return codes


def fsq_bound(z: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The function `bound` in the listing of FSQ's appendix (2309.15505)."""
    half = (levels - 1) * (1 - 1e-3) / 2
    offset = np.where(levels % 2 == 1, 0.0, 0.5)
    shift = np.tan(offset / half)
    return np.tanh(np.float64(z) + shift) * half - offset


def fsq_atanh_bound(z: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The bound of PyTorch ports, whose shift maps 0 to 0."""
    half = (levels - 1) * (1 + 1e-3) / 2
    offset = np.where(levels % 2 == 1, 0.0, 0.5)
    return np.tanh(np.float64(z) + np.arctanh(offset / half)) * half - offset


def fsq_quantize(z: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(codes, digits) of the same listing: bounded, rounded and divided by L // 2."""
    codes = np.round(fsq_bound(z, levels)) / (levels // 2)
    return codes, codes * (levels // 2) + levels // 2


def symmetric_quantize(
    z: np.ndarray, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(codes, digits) on the uniform grid over [-1, 1] (2411.19842, sec. 3.2)."""
    digits = np.floor((levels - 1) * (np.tanh(np.float64(z)) + 1) / 2 + 0.5)
    return 2 * digits / (levels - 1) - 1, digits


def area_resample(signal: np.ndarray, out_size: int) -> np.ndarray:
    """Means over [floor(i·in/out), ceil((i+1)·in/out)) of a one-dimensional signal."""
    step = len(signal) / out_size
    edges = [
        (int(np.floor(i * step)), int(np.ceil((i + 1) * step))) for i in range(out_size)
    ]
    return np.asarray([np.mean(np.float64(signal[a:b])) for a, b in edges])
