"""Filling holes of images from known pixels, and pasting what was painted there."""

import itertools

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage, sparse


def pull_push(
    image: UInt8[np.ndarray, "h w c"], hole: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w c"]:
    """The image with its hole filled smoothly; a function of the known pixels alone.

    Known pixels are averaged over 2x2, those averages again, until none is unknown; and
    back down each unknown one takes the bilinear value of the level above (pull-push,
    Gortler et al. 1996, section 3.4). Known pixels stay as they are. A hole that is all
    of the image becomes grey.
    """
    known = ~hole
    if not known.any():
        return np.full_like(image, 128)
    # What stood in the hole goes first, so that nothing below can see it.
    values = np.where(known[..., None], image, 0).astype(np.float64)
    filled = _filled(values, known.astype(np.float64))
    return np.where(known[..., None], image, _to_uint8(filled))


def harmonic(
    image: UInt8[np.ndarray, "h w c"], hole: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w c"]:
    """The image with its hole filled by a membrane; a function of the known pixels.

    Each unknown pixel is the mean of its neighbours above, below, left and right, those
    that there are (Laplace's equation). So the fill meets the border of the hole
    without a step, which `pull_push` does not: from that it is found by conjugate
    gradients. Known pixels stay as they are.
    """
    if not hole.any() or hole.all():
        return pull_push(image, hole)
    filled = _membrane(pull_push(image, hole).astype(np.float64), hole)
    return _to_uint8(filled)


def seamless(
    image: UInt8[np.ndarray, "h w c"],
    painted: UInt8[np.ndarray, "h w c"],
    hole: Bool[np.ndarray, "h w"],
) -> UInt8[np.ndarray, "h w c"]:
    """`image` around the hole, exactly, and in it the gradients of `painted`.

    What lies in the hole is `painted` and a membrane over its difference from `image`
    at the known pixels around (Poisson image editing, Pérez et al. 2003, eqs. 3 to 5):
    a colour that is off fades away, edges and texture stay. A function of `painted` and
    of the known pixels of `image`. A hole that is all of the image takes `painted` as
    it is.
    """
    if not hole.any():
        return image
    if hole.all():
        return painted
    apart = np.where(hole[..., None], 0.0, image.astype(np.float64) - painted)
    apart = _membrane(_filled(apart, (~hole).astype(np.float64)), hole)
    return np.where(hole[..., None], _to_uint8(painted + apart), image)


def pasted(
    image: UInt8[np.ndarray, "h w c"],
    painted: UInt8[np.ndarray, "h w c"],
    hole: Bool[np.ndarray, "h w"],
    feather: int,
) -> UInt8[np.ndarray, "h w c"]:
    """`painted` in the hole, `image` farther than `feather` pixels from it.

    Between, at a distance of d pixels, both are mixed with weight 1 - d / (feather + 1)
    of `painted`: within the hole nothing of `image` is left, and with a feather of 0 no
    pixel outside of it changes.
    """
    if not hole.any():
        return image
    weight = 1 - ndimage.distance_transform_edt(~hole) / (feather + 1)
    weight = np.clip(weight, 0, 1)[..., None]
    mixed = np.rint(weight * painted + (1 - weight) * image).astype(np.uint8)
    mixed = np.where(weight == 0, image, mixed)
    return np.where(weight == 1, painted, mixed)


def _membrane(
    start: Float[np.ndarray, "h w c"], hole: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w c"]:
    """`start` outside of the hole, and the membrane over it; found from `start`."""
    laplacian, of_known = _laplacian(hole)
    filled = start.copy()
    for channel in range(start.shape[-1]):
        values = start[..., channel]
        filled[hole, channel], _ = sparse.linalg.cg(
            laplacian, of_known @ values[~hole], x0=values[hole], rtol=1e-4
        )
    return filled


def _filled(
    values: Float[np.ndarray, "h w c"], known: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w c"]:
    if known.all():
        return values
    height, width = known.shape
    padding = (0, height % 2), (0, width % 2)
    sums = _quarters(np.pad(values * known[..., None], (*padding, (0, 0))))
    counts = _quarters(np.pad(known, padding))
    coarse = sums / np.maximum(counts, 1)[..., None]
    coarse = _filled(coarse, (counts > 0).astype(np.float64))
    rows, columns = (
        np.clip((np.arange(side) - 0.5) / 2, 0, (side - 1) // 2)
        for side in (height, width)
    )
    places = np.meshgrid(rows, columns, indexing="ij")
    fine = np.stack(
        [
            ndimage.map_coordinates(channel, places, order=1, mode="nearest")
            for channel in np.moveaxis(coarse, -1, 0)
        ],
        axis=-1,
    )
    return np.where(known[..., None] > 0, values, fine)


def _laplacian(hole) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Matrices of Laplace's equation, of unknown pixels and of known ones."""
    number = np.where(hole, np.cumsum(hole).reshape(hole.shape) - 1, -1)
    known = np.where(hole, -1, np.cumsum(~hole).reshape(hole.shape) - 1)
    unknowns, knowns = int(hole.sum()), int((~hole).sum())
    degree = np.zeros(unknowns)
    inner, outer = [], []
    for axis, step in itertools.product((0, 1), (1, -1)):
        here = _shifted(number, axis, step)
        for to, found in ((number, inner), (known, outer)):
            there = _shifted(to, axis, -step)
            both = (here >= 0) & (there >= 0)
            found.append(np.stack([here[both], there[both]]))
            np.add.at(degree, here[both], 1)
    inner, outer = np.concatenate(inner, axis=1), np.concatenate(outer, axis=1)
    shape = (unknowns, unknowns)
    apart = sparse.csr_array((np.ones(inner.shape[1]), inner), shape=shape)
    to_known = sparse.csr_array(
        (np.ones(outer.shape[1]), outer), shape=(unknowns, knowns)
    )
    return sparse.csr_array(sparse.diags_array(degree) - apart), to_known


def _shifted(array, axis: int, step: int):
    """Without its last entry along the axis, or, of step -1, without its first."""
    return np.take(
        array, np.arange(array.shape[axis] - 1) + (0 if step > 0 else 1), axis
    )


def _quarters(array):
    return sum(array[row::2, column::2] for row in (0, 1) for column in (0, 1))


def _to_uint8(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
