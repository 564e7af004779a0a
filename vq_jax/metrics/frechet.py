"""The Fréchet distance of two sets of features, exact for any number of them."""

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from vq_jax.errors import InputError

Features = Float[np.ndarray, "n d"]


def frechet_distance(
    features: Features, others: Float[np.ndarray, "m d"]
) -> tuple[float, Float[np.ndarray, "n"], Float[np.ndarray, "m"]]:
    """The distance, and how far each image moves it; float64.

    |μ1 - μ2|² + Tr(Σ1 + Σ2 - 2 (Σ1 Σ2)^½), with unbiased covariances (n - 1): that of
    two normal laws (1706.08500, eq. 6; there of features of the Inception network, and
    called FID, which this is not for any other network). It has a bias of about c/n,
    and c depends on the features: compare at equal n only.

    With centred features A1 and A2, and Σi = Riᵀ Ri, the trace of the root is the
    nuclear norm of R1 R2ᵀ: no square root of a matrix, no complex numbers, and for few
    images a matrix of their number.

    The influence of an image is the derivative of the distance with respect to its
    weight among n. Those of a set add up to 0; `bootstrap.interval` takes them.

    Raises:
        InputError: fewer than two images, or features that are not finite.
    """
    # Threads that wait for each other on busy processors take twenty times as long.
    with threadpool_limits(1, user_api="blas"):
        first, second = _Moments.of(features), _Moments.of(others)
        product = first.factor @ second.factor.T
        u, roots, v = np.linalg.svd(product, full_matrices=False)
        step = first.mean - second.mean
        value = step @ step + first.trace + second.trace - 2.0 * roots.sum()
        return (
            float(value),
            _influence(first, step, u * np.sqrt(roots)),
            _influence(second, -step, v.T * np.sqrt(roots)),
        )


class _Moments:
    """Mean and covariance of features, the latter as RᵀR.

    Attributes:
        mean: [d].
        centred: features without their mean, [n, d].
        factor: R; of n rows for n <= d, else of at most d.
        coordinates: C with C R = centred / √(n - 1): [n, rows of R].
        trace: of the covariance.
    """

    def __init__(self, mean, centred, factor, coordinates):
        self.mean, self.centred = mean, centred
        self.factor, self.coordinates = factor, coordinates
        self.trace = float(np.square(factor).sum())

    @classmethod
    def of(cls, features: Features) -> "_Moments":
        features = np.asarray(features, np.float64)
        count, dim = features.shape
        if count < 2 or not np.isfinite(features).all():
            raise InputError(
                f"a Fréchet distance needs two or more images with finite features, "
                f"got {count}; evaluate more images, or look at what the model draws."
            )
        mean = features.mean(axis=0)
        centred = features - mean
        scaled = centred / np.sqrt(count - 1)
        if count <= dim:
            return cls(mean, centred, scaled, np.eye(count))
        variances, axes = np.linalg.eigh(scaled.T @ scaled)
        kept = variances > variances[-1] * 1e-12  # others are rounding
        deviations, axes = np.sqrt(variances[kept]), axes[:, kept]
        factor = (axes * deviations).T
        return cls(mean, centred, factor, scaled @ (axes / deviations))


def _influence(moments: _Moments, step, root) -> np.ndarray:
    """Derivatives with respect to the weights of a set's images, times their number.

    Of the mean's distance 2 (x - μ)·step; of the trace |x - μ|²; of the nuclear norm
    (x - μ)ᵀ T (x - μ), where T carries Σ1 into Σ2. In coordinates of R it is the
    squared length of the image's row in U √D, as T = R⁺ U D Uᵀ R⁺ᵀ.
    """
    count = len(moments.centred)
    squares = np.square(moments.centred).sum(axis=1)
    carried = (count - 1) * np.square(moments.coordinates @ root).sum(axis=1)
    found = 2.0 * moments.centred @ step + squares - carried
    return found - found.mean()
