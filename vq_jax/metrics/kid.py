"""KID: the unbiased squared maximum mean discrepancy of two sets of features."""

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from vq_jax.errors import InputError

ROWS = 1_000  # of the kernel's matrix at once


def kernel_distance(
    features: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"]
) -> tuple[float, Float[np.ndarray, "n"], Float[np.ndarray, "m"]]:
    """The distance, and how far each image moves it.

    MMD² with k(x, y) = (xᵀy / d + 1)³, as in 1801.01401, sec. 4, of the whole sets and
    not of blocks: mean of k over pairs of different images of each set, minus twice the
    mean over pairs of one image of each. Its expectation is that of the laws, whatever
    the numbers are, so for equal laws it is about 0, and may be below. Products are
    float32, as the features are, and sums float64.

    The influences are those of the sum's projection on single images (Hoeffding), twice
    as large as for a mean; those of a set add up to 0. `bootstrap.interval` takes them.

    Raises:
        InputError: fewer than two images of a set.
    """
    if min(len(features), len(others)) < 2:
        raise InputError(
            "a kernel distance needs two or more images of each set, got "
            f"{len(features)} and {len(others)}; evaluate more images."
        )
    features, others = (np.asarray(x, np.float32) for x in (features, others))
    with threadpool_limits(1, user_api="blas"):  # see frechet.py
        within, within_others = _among(features), _among(others)
        between, between_others = _means(features, others)
    value = within.mean() + within_others.mean() - 2.0 * between.mean()
    first = 2.0 * (within - between)
    second = 2.0 * (within_others - between_others)
    return float(value), first - first.mean(), second - second.mean()


def _among(x) -> np.ndarray:
    """Mean of the kernel of each image with all others of its set, float64."""
    itself = _kernel(np.square(x).sum(axis=1), x.shape[1]).astype(np.float64)
    means, _ = _means(x, x)
    return (means * len(x) - itself) / (len(x) - 1)


def _means(x, y) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the kernel of each row of `x` with all of `y`, and the reverse."""
    of_rows, of_columns = np.zeros(len(x)), np.zeros(len(y))
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        block = _kernel(x[rows] @ y.T, x.shape[1])
        of_rows[rows] = block.mean(axis=1, dtype=np.float64)
        of_columns += block.sum(axis=0, dtype=np.float64)
    return of_rows, of_columns / len(x)


def _kernel(products, dim: int):
    base = products / np.float32(dim) + np.float32(1.0)
    return base * base * base
