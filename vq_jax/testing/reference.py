"""Metrics and likelihoods as the papers define them, in NumPy float64, for tests."""

import numpy as np
from scipy.special import expit, logit

INTENSITIES = np.arange(256)


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


def discretized_logistic(mean: np.ndarray, log_scale: np.ndarray) -> np.ndarray:
    """P(intensity) of all 256 intensities, on a new last axis (PixelCNN++, eq. 2).

    Mean and scale are those of images in [-1, 1].
    """
    mean = 127.5 * (np.float64(mean)[..., None] + 1)
    scale = 127.5 * np.exp(np.float64(log_scale)[..., None])
    upper = np.where(INTENSITIES == 255, np.inf, (INTENSITIES + 0.5 - mean) / scale)
    lower = np.where(INTENSITIES == 0, -np.inf, (INTENSITIES - 0.5 - mean) / scale)
    # The logistic is symmetric: subtract in the lower tail, where digits remain.
    return np.where(
        mean < INTENSITIES, expit(-lower) - expit(-upper), expit(upper) - expit(lower)
    )


def categorical(logits: np.ndarray) -> np.ndarray:
    """P(intensity), a softmax over the last axis (PixelRNN, sec. 2.3)."""
    logits = logits.astype(np.float64)
    unnormalised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return unnormalised / unnormalised.sum(axis=-1, keepdims=True)


def logit_laplace(x: np.ndarray, mu: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Density of the logit-Laplace at x in (0, 1) (DALL-E, eq. 2)."""
    x, mu, b = np.float64(x), np.float64(mu), np.float64(b)
    return np.exp(-np.abs(logit(x) - mu) / b) / (2 * b * x * (1 - x))


def gaussian_kl(mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """KL(N(mean, variance) ‖ N(0, 1)) of each image (1312.6114, appendix B)."""
    mean, log_variance = np.float64(mean), np.float64(log_variance)
    per_latent = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance))
    return per_latent.reshape(len(mean), -1).sum(axis=1)


def perplexity(indices: np.ndarray) -> float:
    """exp(-Σ p ln p), where p is the share of each code that occurs."""
    _, counts = np.unique(indices, return_counts=True)
    probs = counts / counts.sum()
    return float(np.exp(-np.sum(probs * np.log(probs))))
