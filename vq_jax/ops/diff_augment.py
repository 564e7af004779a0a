"""Differentiable augmentation of what a discriminator sees (DiffAugment 2006.10738)."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

Images = Float[Array, "b h w c"]


def color(key: Key[Array, ""], images: Images) -> Images:
    """Changes brightness, then saturation, then contrast, at random for each image.

    Brightness is an offset in [-0.5, 0.5]; saturation a factor in [0, 2] of the
    difference from the mean over channels; contrast a factor in [0.5, 1.5] of the
    difference from the mean over the image.
    """
    keys = jax.random.split(key, 3)
    offset, saturation, contrast = (
        jax.random.uniform(k, (len(images), 1, 1, 1), images.dtype) for k in keys
    )
    images = images + (offset - 0.5)
    mean = jnp.mean(images, axis=3, keepdims=True)
    images = (images - mean) * (2.0 * saturation) + mean
    mean = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
    return (images - mean) * (contrast + 0.5) + mean


def translation(key: Key[Array, ""], images: Images) -> Images:
    """Shifts each image by at most an eighth of its sides, filling up with zeros."""
    count, height, width, _ = images.shape
    row_key, column_key = jax.random.split(key)
    rows = _shifted(row_key, count, height)
    columns = _shifted(column_key, count, width)
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    number = jnp.arange(count)[:, None, None]
    return padded[number, rows[:, :, None], columns[:, None, :]]


def cutout(key: Key[Array, ""], images: Images) -> Images:
    """Sets a random rectangle of half the sides to 0; its centre is in the image."""
    count, height, width, _ = images.shape
    row_key, column_key = jax.random.split(key)
    rows = _covered(row_key, count, height)
    columns = _covered(column_key, count, width)
    hole = rows[:, :, None, None] & columns[:, None, :, None]
    return jnp.where(hole, 0.0, images)


AUGMENTATIONS = {"color": color, "cutout": cutout, "translation": translation}


def augment(key: Key[Array, ""], images: Images, names: Sequence[str]) -> Images:
    """Applies the named augmentations in turn; gradients reach the images.

    `names` are keys of AUGMENTATIONS. Each draws from a key of its own.
    """
    for i, name in enumerate(names):
        images = AUGMENTATIONS[name](jax.random.fold_in(key, i), images)
    return images


def _shifted(key, count, side):
    """Row numbers [count, side] in an image padded by one pixel on each side."""
    most = (side + 4) // 8  # rounded, not truncated
    shift = jax.random.randint(key, (count, 1), -most, most + 1)
    return jnp.clip(jnp.arange(side)[None] + shift + 1, 0, side + 1)


def _covered(key, count, side):
    """Which rows [count, side] a window of half the side covers."""
    length = (side + 1) // 2
    centre = jax.random.randint(key, (count, 1), 0, side + (1 - length % 2))
    first = centre - length // 2
    rows = jnp.arange(side)[None]
    return (rows >= first) & (rows < first + length)
