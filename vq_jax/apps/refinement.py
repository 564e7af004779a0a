"""The least likely codes of images drawn anew by a prior."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from vq_jax.apps.redrawing import (
    no_class,
    plan_windows,
    positions_to_codes,
    redraw,
    window_places,
)
from vq_jax.config.checks import check_range
from vq_jax.errors import InputError
from vq_jax.inference.labels import sample_labels
from vq_jax.inference.sampler import Sampler
from vq_jax.ops import frequencies


@dataclasses.dataclass(frozen=True)
class Refiner:
    """Draws those codes anew that surprise a prior the most, given all others.

    Surprise is -log p of a code less the entropy of p, what -log p is in the mean. So
    it is large where a code does not go with the others, and not where anything goes. p
    is that of the prior's coding passes: given the codes of the passes before.

    Attributes:
        sampler: a prior that keeps any codes of a grid.
        share: of the positions that are drawn, in [0, 1].
    """

    sampler: Sampler
    share: float = 0.3

    def __post_init__(self):
        check_range(self.share, 0.0, 1.0, where="refined_share")
        prior = self.sampler.prior
        if prior.keeps != "any" or len(prior.layout.shape) < 2:
            raise InputError(
                "refining draws codes anywhere given all others, and this prior keeps "
                "the first codes only, or has no single grid; take maskgit or "
                "random_order, or the tokenizer without a prior."
            )

    def check_tokens(self, shape: Sequence[int]) -> None:
        """Raises InputError where codes of this shape, of one image, are too few."""
        least = self.sampler.prior.layout.shape
        if any(map(int.__lt__, shape, least)):
            height, width, _ = self.sampler.image_shape
            raise InputError(
                f"codes are {tuple(shape)} and those of the prior {least}: it refines "
                f"images of {height}x{width} and larger ones; enlarge them."
            )

    def refine(
        self, codes: Int[np.ndarray, "n *tokens"], *, seed: int = 0, **settings
    ) -> Int[np.ndarray, "n *tokens"]:
        """The codes, some of them drawn anew; `settings` are `sample_codes`'s.

        Raises:
            InputError: there are fewer rows or columns than the prior has, or a setting
                that it has not.
        """
        self.check_tokens(codes.shape[1:])
        prior = self.sampler.prior
        label = no_class(prior)
        self.sampler.code_batches(len(codes), label, seed, **settings)  # checks alone
        if not len(codes):
            return codes
        windows = plan_windows(self.chosen(codes), prior)
        return redraw(self.sampler, codes, windows, label, seed, **settings)

    def chosen(
        self, codes: Int[np.ndarray, "n *tokens"]
    ) -> Bool[np.ndarray, "n *tokens"]:
        """Which codes are drawn anew: those of the most surprising positions."""
        surprise = self.surprise(codes)
        surprise = surprise.reshape(*codes.shape[:3], -1).sum(axis=-1)
        flat = surprise.reshape(len(codes), -1)
        ranks = np.argsort(np.argsort(-flat, axis=1, kind="stable"), axis=1)
        few = ranks < round(self.share * flat.shape[1])
        return positions_to_codes(few.reshape(surprise.shape), codes.shape[1:])

    def surprise(
        self, codes: Int[np.ndarray, "n *tokens"]
    ) -> Float[np.ndarray, "n *tokens"]:
        """In nats, the mean over windows where the codes are more than the prior's."""
        total, times = np.zeros(codes.shape), np.zeros(codes.shape)
        for place in window_places(codes.shape[1:], self.sampler.prior.layout.shape):
            here = (slice(None), *place)
            total[here] += self._surprise(codes[here])
            times[here] += 1
        return total / times

    def _surprise(self, codes):
        """Of codes of the prior's size."""
        prior, walk = self.sampler.prior, self.sampler.frequencies.walk
        sequence = np.asarray(prior.layout.to_sequence(jnp.asarray(codes)))
        found = np.zeros(sequence.shape)

        def given(table, tokens):
            log_p = np.log(table / frequencies.TOTAL)
            entropy = -(table / frequencies.TOTAL * log_p).sum(axis=-1)
            own = np.take_along_axis(log_p, sequence[:, tokens, None], axis=-1)
            found[:, tokens] = -own[..., 0] - entropy
            return sequence[:, tokens]

        walk(sample_labels(no_class(prior), len(codes), prior, tuple), given)
        return np.asarray(prior.layout.from_sequence(jnp.asarray(found)))
