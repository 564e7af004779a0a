"""Convolutions of which a position sees nothing that comes after it."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def convolve_windows(
    x: Float[Array, "b _ _ c"], kernel: Float[Array, "kh kw _ f"]
) -> Float[Array, "b h2 w2 f"]:
    """The convolution without padding: every window that lies in x, times the kernel.

    A single row of windows is one product of matrices, because XLA's convolutions are
    up to 60 times slower within loops on CPUs, and sampling is a loop over such rows.
    """
    rows, columns = kernel.shape[:2]
    if x.shape[1] > rows:
        layout = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=layout
        )
    width = x.shape[2] - columns + 1
    taps = [x[:, i, j : j + width] for i in range(rows) for j in range(columns)]
    windows = jnp.concatenate(taps, axis=-1)
    return (windows @ kernel.reshape(-1, kernel.shape[-1]))[:, None]


def shift_down(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Row i gets the values of row i - 1, the first row zeros."""
    return jnp.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]


def shift_right(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Column j gets the values of column j - 1, the first column zeros."""
    return jnp.pad(x, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1]
