"""Holes of images filled by a prior that keeps known codes."""

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from vq_jax.config.checks import check_range
from vq_jax.errors import InputError
from vq_jax.inference.known import checked_known
from vq_jax.inference.padding import pad_to_multiple
from vq_jax.inference.sampler import Sampler
from vq_jax.ops import hole_fill


class Window(NamedTuple):
    """A part of the code grid of the prior's size, in which codes are drawn."""

    rows: slice
    columns: slice
    known: np.ndarray  # bool [hq, wq]: when its turn comes


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
        feather: pixels around the hole over which the sample fades into the image;
            farther pixels are those of the image, exactly.
    """

    sampler: Sampler
    dilation: int = 1
    feather: int = 4

    def __post_init__(self):
        check_range(self.dilation, 0, where="dilation")
        check_range(self.feather, 0, where="feather")
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
        self._check(image, hole, count)
        height, width = image.shape[:2]
        filled, open_codes = self._prepared(image, hole)
        windows = self._windows(open_codes)
        codes = self.sampler.tokenizer.encode(filled[None])
        codes = np.repeat(codes, count, axis=0)
        for number, (rows, columns, known) in enumerate(windows):
            # Of its own, so that windows do not repeat each other's draws.
            own = np.random.SeedSequence([seed, number]).generate_state(1)
            part = codes[:, rows, columns]
            codes[:, rows, columns] = self.sampler.sample_codes(
                count,
                self._label,
                int(own[0]),
                known=(part, _as_codes(known, part)),
                **settings,
            )
        # Rounding depends on how many are decoded at once, so each is alone.
        painted = [
            self.sampler.tokenizer.decode(codes[i : i + 1]) for i in range(count)
        ]
        return np.stack(
            [
                hole_fill.pasted(image, part[0, :height, :width], hole, self.feather)
                for part in painted
            ]
        )

    @property
    def _label(self) -> str | None:
        return "none" if self.sampler.prior.num_classes else None

    def _prepared(self, image, hole):
        """The image as it is encoded, and which of its codes are drawn."""
        tokenizer = self.sampler.tokenizer
        filled = hole_fill.pull_push(image, hole)
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

    def _windows(self, open_codes: Bool[np.ndarray, "hq wq"]) -> list[Window]:
        """In the order of drawing; checked, so that none fails when others are done."""
        layout = self.sampler.prior.layout
        left, windows = open_codes.copy(), []
        starts = map(_starts, left.shape, layout.shape[:2])
        for row, column in itertools.product(*starts):
            rows = slice(row, row + layout.shape[0])
            columns = slice(column, column + layout.shape[1])
            known = ~left[rows, columns]
            if known.all():
                continue
            mask = _as_codes(known, np.zeros((1, *layout.shape)))
            checked_known((np.zeros(mask.shape, int), mask), 1, self.sampler.prior)
            windows.append(Window(rows, columns, known))
            left[rows, columns] = False
        return windows

    def _check(self, image, hole, count) -> None:
        check_range(count, 1, where="num")
        if hole.shape != image.shape[:2]:
            raise InputError(
                f"mask is {hole.shape[1]}x{hole.shape[0]} and the image "
                f"{image.shape[1]}x{image.shape[0]}; give one of the same size."
            )
        if not hole.any():
            raise InputError(
                "mask has no hole: no pixel is white, or of the colour that was named."
            )


def _starts(side: int, window: int) -> list[int]:
    """Of windows that overlap by half; the last one ends with the grid."""
    last = side - window
    return [*range(0, last, max(1, window // 2)), last]


def _as_codes(known, codes):
    """[n, *tokens] of a mask of positions: all codes of a position alike."""
    shape = known.shape + (1,) * (codes.ndim - 1 - known.ndim)
    return np.broadcast_to(known.reshape(shape), codes.shape)
