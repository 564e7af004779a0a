"""What the papers define, in NumPy float64, for several tests."""

import numpy as np


def psnr(recon: np.ndarray, images: np.ndarray) -> np.ndarray:
    """PSNR of each image in dB, 10 log10(255² / mse); infinite for identical images."""
    error = recon.astype(np.float64) - images.astype(np.float64)
    mse = np.mean(error**2, axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(255.0**2 / mse)


def ssim(recon: np.ndarray, images: np.ndarray) -> np.ndarray:
    """SSIM of each image: the mean over all 11 x 11 windows of all channels.

    Wang et al. 2004, eq. 13-16.
    """
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2.0 * 1.5**2))
    window /= window.sum()

    x, y = (
        np.lib.stride_tricks.sliding_window_view(a.astype(np.float64), (11, 11), (1, 2))
        for a in (recon, images)
    )
    mean_x, mean_y = (np.sum(window * a, (-2, -1), keepdims=True) for a in (x, y))
    var_x = np.sum(window * (x - mean_x) ** 2, (-2, -1))
    var_y = np.sum(window * (y - mean_y) ** 2, (-2, -1))
    cov = np.sum(window * (x - mean_x) * (y - mean_y), (-2, -1))
    mean_x, mean_y = mean_x[..., 0, 0], mean_y[..., 0, 0]

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    denominator = (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return np.mean(numerator / denominator, axis=(1, 2, 3))


def perplexity(indices: np.ndarray) -> float:
    """exp(-Σ p ln p), where p is the share of each code that occurs."""
    _, counts = np.unique(indices, return_counts=True)
    probs = counts / counts.sum()
    return float(np.exp(-np.sum(probs * np.log(probs))))


def nearest_code(z: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Index of the nearest code, argmin_k ‖z - e_k‖², the lowest one of equals."""
    difference = z[:, None].astype(np.float64) - codebook[None].astype(np.float64)
    return np.argmin((difference**2).sum(-1), axis=-1)
