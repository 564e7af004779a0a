"""Holes of images filled, by samples of a prior or by a restorer of holes."""

import dataclasses

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from vq_jax.apps.redrawing import no_class, plan_windows, positions_to_codes, redraw
from vq_jax.apps.restore import ImageRestorer
from vq_jax.config.checks import check_range
from vq_jax.errors import InputError
from vq_jax.inference.padding import pad_to_multiple
from vq_jax.inference.sampler import Sampler
from vq_jax.ops import hole_fill


@dataclasses.dataclass(frozen=True)
class Inpainter:
    """Fills holes with samples of a prior.

    The hole is filled from known pixels before the image is encoded: so no code knows
    anything of what stood there, however far norms or attention of the encoder see,
    and codes near the hole may be kept. A code is drawn anew if its pixels meet the
    hole, or if it lies `dilation` codes or fewer from such a code.

    Images larger than the prior's are filled window by window, row by row, in steps of
    half a window. A window sees all its codes that are known or were drawn in windows
    before, and draws the others, so a large hole grows inwards from the top left.

    Attributes:
        sampler: the prior and its tokenizer.
        dilation: in codes.
        feather: None: every known pixel stays as it is, and the sample is shifted to
            meet them (`ops.hole_fill.seamless`). Or pixels around the hole over which
            the sample fades into the image; farther ones are those of the image.
    """

    sampler: Sampler
    dilation: int = 1
    feather: int | None = None

    def __post_init__(self):
        check_range(self.dilation, 0, where="dilation")
        _check_feather(self.feather)
        if len(self.sampler.prior.layout.shape) < 2:
            raise InputError(
                "the codes of this prior have no grid: its coarse ones are means of "
                "all of an image, the hole included. Take a prior of another "
                "tokenizer: maskgit or random_order, which keep any codes."
            )

    def inpaint(
        self,
        image: UInt8[np.ndarray, "h w c"],
        hole: Bool[np.ndarray, "h w"],
        *,
        count: int = 1,
        seed: int = 0,
        **settings,
    ) -> UInt8[np.ndarray, "n h w c"]:
        """`count` images that are the given one around the hole.

        A function of the pixels outside of the hole, the seed and the settings, those
        of `Sampler.sample_codes`.

        Raises:
            InputError: the hole has another size, nothing is in it, or the prior keeps
                the first codes only and the hole is not all that follows them.
        """
        check_range(count, 1, where="num")
        _check_hole(image, hole)
        height, width = image.shape[:2]
        filled, open_codes = self._prepared(image, hole)
        tokenizer, prior = self.sampler.tokenizer, self.sampler.prior
        shape = tokenizer.model.tokens_shape(*filled.shape[:2])
        open_codes = np.repeat(open_codes[None], count, axis=0)
        windows = plan_windows(positions_to_codes(open_codes, shape), prior)
        codes = np.repeat(tokenizer.encode(filled[None]), count, axis=0)
        label = no_class(prior)
        codes = redraw(self.sampler, codes, windows, label, seed, **settings)
        painted = tokenizer.decode_each(codes)[:, :height, :width]
        return np.stack(
            [composited(image, part, hole, self.feather) for part in painted]
        )

    def _prepared(self, image, hole):
        """The image as it is encoded, and which of its codes are drawn."""
        tokenizer = self.sampler.tokenizer
        filled = hole_fill.harmonic(image, hole)
        size, stride = self.sampler.image_shape[0], tokenizer.stride
        # No smaller than a window; what is added looks like the edge.
        short = [(0, max(0, size - side)) for side in hole.shape]
        filled = np.pad(filled, (*short, (0, 0)), mode="edge")
        hole = np.pad(hole, short, mode="edge")
        filled = pad_to_multiple(filled, stride)
        hole = pad_to_multiple(hole[..., None].astype(np.uint8), stride)[..., 0]
        rows, columns = (side // stride for side in hole.shape)
        meets = hole.reshape(rows, stride, columns, stride).any(axis=(1, 3))
        if self.dilation:
            square = np.ones((3, 3), bool)
            meets = ndimage.binary_dilation(meets, square, self.dilation)
        return filled, meets


@dataclasses.dataclass(frozen=True)
class RestoringInpainter:
    """Fills holes with what a restorer of holes makes of a smooth fill: in one way.

    A restorer has learnt what fills and their surroundings come from, so it needs no
    samples, and follows the surroundings more closely than a small prior does. No pixel
    of the hole is looked at.

    Attributes:
        restorer: of a run of `configs/restore_photos.py:holes,fused`.
        feather: as that of `Inpainter`.
        fidelity: from 0, the likeliest codes, to 1: with fusions nearer to the smooth
            fill. 0 is nearer to photographs in LPIPS, and 1 in PSNR; `ImageRestorer`
            has 1 for other damage, where what is given is worth more.
    """

    restorer: ImageRestorer
    feather: int | None = None
    fidelity: float = 0.0

    def __post_init__(self):
        _check_feather(self.feather)
        check_range(self.fidelity, 0.0, 1.0, where="fidelity")
        learnt = self.restorer.config.degradation.train
        if learnt != "holes":
            raise InputError(
                f"this restorer has learnt config.degradation.train={learnt!r}, and "
                "none of holes; take a run of configs/restore_photos.py:holes,fused, "
                "or a prior."
            )

    def inpaint(
        self, image: UInt8[np.ndarray, "h w c"], hole: Bool[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "h w c"]:
        """The image with its hole filled; a function of the pixels outside of it.

        Raises:
            InputError: the hole has another size, or nothing is in it.
        """
        _check_hole(image, hole)
        filled = hole_fill.harmonic(image, hole)
        restored = self.restorer(filled, fidelity=self.fidelity)
        return composited(image, restored, hole, self.feather)


def _check_feather(feather: int | None) -> None:
    if feather is not None:
        check_range(feather, 0, where="feather")


def composited(
    image: UInt8[np.ndarray, "h w c"],
    painted: UInt8[np.ndarray, "h w c"],
    hole: Bool[np.ndarray, "h w"],
    feather: int | None = None,
) -> UInt8[np.ndarray, "h w c"]:
    """`image` with what was painted in its hole; `feather` as that of `Inpainter`."""
    if feather is None:
        return hole_fill.seamless(image, painted, hole)
    return hole_fill.pasted(image, painted, hole, feather)


def _check_hole(image, hole) -> None:
    if hole.shape != image.shape[:2]:
        raise InputError(
            f"mask is {hole.shape[1]}x{hole.shape[0]} and the image "
            f"{image.shape[1]}x{image.shape[0]}; give one of the same size."
        )
    if not hole.any():
        raise InputError(
            "mask has no hole: no pixel is white, or of the colour that was named."
        )
