"""Variations of images: a share of the codes drawn anew by a prior."""

import dataclasses
import typing

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Int, UInt8

from vq_jax.apps.redrawing import no_class, plan_windows, positions_to_codes, redraw
from vq_jax.config.checks import check_choice, check_range
from vq_jax.errors import InputError
from vq_jax.inference.padding import pad_to_few
from vq_jax.inference.sampler import Sampler
from vq_jax.ops import code_choice, row_keys, streams

Image = UInt8[np.ndarray, "h w c"]


@dataclasses.dataclass(frozen=True)
class Varier:
    """Draws a share of an image's codes anew, given the others.

    The codes that a seed chooses at a share are among those that it chooses at a larger
    one. Share 0 is the tokenizer's round trip, bit for bit, and share 1 a sample that
    owes nothing to the image, but its size.

    An image that does not fit the stride is padded as `vq-jax reconstruct` does. Images
    larger than the prior's are drawn in windows (`redrawing.plan_windows`); of smaller
    ones the prior draws what lies beyond their edge, too, which is cut off.

    Attributes:
        sampler: the prior and its tokenizer.
        choice: which codes are drawn. "random": any positions, others for each
            variation. "blocks": squares of 4 x 4 positions at random. "last": the last
            of the sequence, the same for all: those of the lower rows; or of the finer
            levels and scales, where a tokenizer has several. None: see `chosen_by`.
    """

    sampler: Sampler
    choice: str | None = None

    def __post_init__(self):
        if self.choice is None:
            return
        check_choice(self.choice, typing.get_args(code_choice.Choice), "choice")
        if self.choice != "last" and not self._keeps_any_codes:
            has_grid = len(self.sampler.prior.layout.shape) > 1
            why = "draws one code after the other" if has_grid else "has no single grid"
            raise InputError(
                f"choice={self.choice!r} draws codes anywhere, and this prior {why}; "
                "give 'last', or take a prior that keeps any codes of a grid: maskgit "
                "or random_order."
            )

    @property
    def chosen_by(self) -> str:
        """`choice`; by default "random" where the prior keeps any codes of a grid, and
        "last" elsewhere."""
        default = "random" if self._keeps_any_codes else "last"
        return default if self.choice is None else self.choice

    @property
    def _keeps_any_codes(self) -> bool:
        prior = self.sampler.prior
        return prior.keeps == "any" and len(prior.layout.shape) > 1

    def vary(
        self,
        image: Image,
        share: float = 0.5,
        *,
        count: int = 1,
        seed: int = 0,
        label: int | str | None = None,
        **settings,
    ) -> UInt8[np.ndarray, "n h w c"]:
        """`count` variations of the image, of its size; see `codes`."""
        codes = self.codes(
            image, share, count=count, seed=seed, label=label, **settings
        )
        drawn = self.sampler.tokenizer.decode_each(codes)
        return drawn[:, : image.shape[0], : image.shape[1]]

    def codes(
        self,
        image: Image,
        share: float = 0.5,
        *,
        count: int = 1,
        seed: int = 0,
        label: int | str | None = None,
        **settings,
    ) -> Int[np.ndarray, "n *tokens"]:
        """The codes of the variations, those that are kept as the image has them.

        Args:
            image: uint8, of any size that the tokenizer takes.
            share: of the codes that are drawn, in [0, 1].
            count: variations; number i is a function of all but `count`.
            seed: of the choice and of the draws.
            label: a class of the prior, by number or name, that is drawn; by default
                none.
            settings: those of `Sampler.sample_codes`.

        Raises:
            InputError: an argument out of range, or an image of a size that the
                tokenizer or a prior that keeps no codes but the first cannot take.
        """
        self.check(share, count=count, seed=seed, label=label, **settings)
        label = no_class(self.sampler.prior) if label is None else label
        tokenizer = self.sampler.tokenizer
        padded = pad_to_few(image, tokenizer.stride)
        opened = self.chosen(padded.shape[:2], share, count=count, seed=seed)
        windows, (missing, whole) = self._windows(opened)
        codes = np.repeat(tokenizer.encode(padded[None]), count, axis=0)
        codes = np.pad(codes, missing)
        return redraw(self.sampler, codes, windows, label, seed, **settings)[whole]

    def chosen(
        self, size: tuple[int, int], share: float, *, count: int = 1, seed: int = 0
    ) -> Bool[np.ndarray, "n *tokens"]:
        """Which codes of an image of this height and width are drawn anew."""
        layout = self.sampler.tokenizer.model.token_layout(*size)
        if self.chosen_by == "last":
            kept = layout.num_tokens - round(share * layout.num_tokens)
            last = layout.from_sequence(jnp.arange(layout.num_tokens)[None] >= kept)
            return np.repeat(np.asarray(last), count, axis=0)
        key = streams.stream(jax.random.key(seed), "choice")
        grid = layout.shape[:2]
        keys = row_keys.numbered(key, jnp.arange(count))
        ranks = [code_choice.position_ranks(own, grid, self.chosen_by) for own in keys]
        few = np.stack(ranks) < round(share * grid[0] * grid[1])
        return positions_to_codes(few, layout.shape)

    def check(
        self,
        share: float = 0.5,
        *,
        count: int = 1,
        seed: int = 0,
        label: int | str | None = None,
        **settings,
    ) -> None:
        """Raises InputError where `codes` would, of whatever image."""
        check_range(share, 0.0, 1.0, where="share")
        check_range(count, 1, where="num")
        label = no_class(self.sampler.prior) if label is None else label
        self.sampler.code_batches(count, label, seed, **settings)  # draws nothing yet

    def _windows(self, opened):
        """Windows over the codes, or over more where they are less than the prior's.

        With them the padding and the slices that lead there and back.
        """
        prior, shape = self.sampler.prior, opened.shape[1:]
        if prior.keeps == "prefix" and shape != prior.layout.shape:
            height, width, _ = self.sampler.image_shape
            raise InputError(
                f"this prior draws one code after the other, so it varies images of "
                f"its own size only, {height}x{width} after padding; crop or resize, "
                "or take a prior that keeps any codes: maskgit or random_order."
            )
        ends = [max(pair) for pair in zip(shape, prior.layout.shape, strict=True)]
        missing = [(0, end - side) for end, side in zip(ends, shape, strict=True)]
        whole = (slice(None), *(slice(side) for side in shape))
        everything = np.pad(opened, ((0, 0), *missing), constant_values=True)
        windows = plan_windows(everything, prior) if opened.any() else []
        return windows, (((0, 0), *missing), whole)
