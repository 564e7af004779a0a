"""New images, and probabilities of images, from a trained prior."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Literal

import jax
import numpy as np
from etils import epath
from jaxtyping import Float, Int, Integer, UInt8
from ml_collections import ConfigDict

from vq_jax import compiler
from vq_jax.config.checks import check_range
from vq_jax.config.tables import from_section
from vq_jax.errors import InputError
from vq_jax.inference import known as known_codes
from vq_jax.inference.code_frequencies import CodeFrequencies
from vq_jax.inference.labels import NONE, Wanted, each_label, sample_labels
from vq_jax.inference.load_prior import SavedPrior, open_prior
from vq_jax.inference.tokenizer import Tokenizer
from vq_jax.models.priors.base import NO_CLASS, TOKENIZER, Known, Prior
from vq_jax.ops import row_keys
from vq_jax.ops.sampling import Sampling

DECODED_AT_ONCE = 8
"""Images; one number for all sizes of batches, so that equal codes give equal images:
programs for another number may round differently."""


class Sampler:
    """A trained prior and its tokenizer: images and codes, drawn and judged.

    Images are a function of the checkpoint, of the seed, of their number in the sample,
    of their label and of the settings: image i has the random key
    `fold_in(key(seed), i)`, so neither `batch_size` nor the number of samples decides
    what it is. (Sums in floating point depend on the shapes of a program in their last
    bits. With another batch size a code whose draw is that close may come out
    different, which is rare in float32, and less so where the prior computes in
    bfloat16.)

    A batch size and its settings are compiled once; a last batch is padded.

    Attributes:
        prior: the prior.
        tokenizer: its tokenizer, which encodes and decodes.
        sampling: how codes are drawn where `sample` is not told otherwise.
        batch_size: images that are drawn at once.
        step: that of the prior's checkpoint.
        likelihood: "exact" where `log_prob` is the log-probability, "bound" where it is
            a lower bound on it.
    """

    def __init__(self, saved: SavedPrior, *, batch_size: int = 64):
        if not isinstance(batch_size, int):
            raise InputError(f"batch_size={batch_size!r} must be an int, 1 or more.")
        check_range(batch_size, 1, where="batch_size")
        self.prior, self.sampling, self.step = saved.prior, saved.sampling, saved.step
        self.batch_size = batch_size
        model, variables = saved.tokenizer.model, saved.tokenizer.load()
        self.tokenizer = Tokenizer(model, variables, chunk_size=DECODED_AT_ONCE)
        self._variables = {"params": saved.params, TOKENIZER: variables}
        self._classes = saved.classes
        self._size = saved.config.data.image_size

    @classmethod
    def load(
        cls,
        workdir: epath.PathLike,
        *,
        tokenizer: epath.PathLike | None = None,
        batch_size: int = 64,
    ) -> "Sampler":
        """The prior that a run trained, from its latest checkpoint.

        `tokenizer` is the workdir of its tokenizer, where that has moved.

        Raises:
            InputError: there is no checkpoint, it holds no prior, or the tokenizer is
                not there, or another one than that of the training.
        """
        return cls(open_prior(workdir, tokenizer), batch_size=batch_size)

    @property
    def likelihood(self) -> Literal["exact", "bound"]:
        return self.prior.likelihood

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return (self._size, self._size, self.tokenizer.channels)

    def sample(
        self,
        count: int,
        labels: Wanted = None,
        seed: int = 0,
        known: known_codes.KnownCodes | None = None,
        **settings,
    ) -> UInt8[np.ndarray, "n h w c"]:
        """uint8 images; the arguments are those of `sample_codes`."""
        return self.decode(self.sample_codes(count, labels, seed, known, **settings))

    def sample_codes(
        self,
        count: int,
        labels: Wanted = None,
        seed: int = 0,
        known: known_codes.KnownCodes | None = None,
        **settings,
    ) -> Int[np.ndarray, "n *tokens"]:
        """Codes, int32, as `tokenizer.decode` takes them.

        Args:
            count: number of samples.
            labels: a class, by number or by name; "all", in turn, so that there are
                equally many of each (a multiple of their number is); "none"; or a class
                for each sample. By default "all" where the prior has classes.
            seed: of the draws, in [0, 2**32).
            known: `(codes, mask)`, of one image or of each: samples keep the codes
                where the mask is True. For a prior whose `keeps` is "prefix" these have
                to be the first ones.
            settings: fields of `ops.sampling.Sampling` that differ from those of the
                run: temperature, top_k, top_p, guidance, guidance_schedule,
                guidance_power; and of the prior those in its `sampling_fields`, as
                num_steps of MaskGIT.

        Raises:
            InputError: a label or a setting that the prior does not have, or known
                codes that it cannot keep.
        """
        batches = self.code_batches(count, labels, seed, known, **settings)
        empty = np.zeros((0, *self.prior.layout.shape), np.int32)
        return np.concatenate([empty, *(codes for codes, _ in batches)])

    def code_batches(
        self,
        count: int,
        labels: Wanted = None,
        seed: int = 0,
        known: known_codes.KnownCodes | None = None,
        **settings,
    ) -> Iterator[tuple[Int[np.ndarray, "b *tokens"], Int[np.ndarray, "b"]]]:
        """The same, batch by batch, with the label of each sample, -1 for none.

        All arguments are checked before this returns, and nothing is drawn yet.
        """
        check_range(count, 0, where="num")
        check_range(seed, 0, 2**32 - 1, where="seed")
        prior, sampling = self.settings(**settings)
        found = sample_labels(labels, count, self.prior, self._classes)
        kept = None
        if known is not None:
            codes, mask = known_codes.checked_known(known, count, self.prior)
            kept = codes, mask, known_codes.num_first(mask, self.prior.layout)
        draw = functools.partial(self._draw, prior=prior, sampling=sampling)
        numbers = np.arange(count, dtype=np.uint32)
        return self._batches(draw, numbers, found, jax.random.key(seed), kept)

    def settings(self, **changes) -> tuple[Prior, Sampling]:
        """The prior and how codes are drawn from it, with these changes.

        Raises:
            InputError: a setting that there is not, or that the prior cannot be drawn
                with.
        """
        own = {k: v for k, v in changes.items() if k in self.prior.sampling_fields}
        prior = self.prior.with_sampling_fields(**own)
        given = dataclasses.asdict(self.sampling)
        for name in changes.keys() - own.keys():
            value = changes[name]
            whole = type(value) is int and isinstance(given.get(name), float)
            given[name] = float(value) if whole else value
        sampling = from_section(Sampling, ConfigDict(given), "sampling")
        prior.check_sampling(sampling)
        return prior, sampling

    def decode(
        self, codes: Integer[np.ndarray, "n *tokens"]
    ) -> UInt8[np.ndarray, "n h w c"]:
        """uint8 images of codes; those of an image do not depend on the others."""
        at_once = self.tokenizer.most_at_once(self._size, self._size)
        padded = _padded(codes, -len(codes) % at_once)
        return self.tokenizer.decode(padded)[: len(codes)]

    def log_prob(
        self,
        images: np.ndarray,
        labels: Wanted = None,
    ) -> Float[np.ndarray, "n"]:
        """log p(codes), of all codes of an image together, in nats, float64.

        It is that of the codes, not of the pixels: two images with the same codes have
        the same. See `likelihood` for whether it is exact.

        Args:
            images: uint8 [n, h, w, c], which are encoded; or codes [n, *tokens] of
                another type of integer.
            labels: of each image, or one for all; p is that given the class then. By
                default "none".

        Raises:
            InputError: images or codes of another size, or a label that the prior does
                not have.
        """
        return self._judged(self._log_prob, images, labels).astype(np.float64)

    def token_nats(
        self,
        images: np.ndarray,
        labels: Wanted = None,
    ) -> Float[np.ndarray, "n *tokens"]:
        """-log p of each code given those that the prior predicts it from, float32.

        Where `likelihood` is "exact" these are the codes before it, and the nats of an
        image add up to `-log_prob`. MaskGIT's are given all other codes but a few, and
        add up to no likelihood. The arguments are those of `log_prob`.

        Raises:
            InputError: as `log_prob`; or the prior is of a family that has none.
        """
        family = type(self.prior)
        if family.token_nats is Prior.token_nats:
            raise InputError(
                f"{family.__name__} has no likelihood of single codes (token_nats); "
                "name a prior of another family, as autoregressive or maskgit."
            )
        return self._judged(self._token_nats, images, labels)

    def redraw(
        self,
        codes: Integer[np.ndarray, "n *tokens"],
        again: np.ndarray,  # bool, [n, *tokens], or [*tokens] for all images
        *,
        count: int = 1,
        seed: int = 0,
        **settings,
    ) -> Int[np.ndarray, "n count *tokens"]:
        """Codes of images with those drawn anew where `again` is True, int32.

        A prior that keeps any known codes draws them given all others. One that draws
        in the order of the sequence draws them given the codes before, some of which
        may be new, and leaves those behind as they are, however unlikely that makes
        them: this is no conditional law, so `sample` refuses it. Labels are not given.

        Sample i of an image has the key `fold_in(key(seed), i)`, whatever the other
        images are.

        Raises:
            InputError: as `sample_codes`.
        """
        codes, again = known_codes.checked_mask((codes, again), len(codes), self.prior)
        known_codes.check_codes(codes, self.prior.layout, "codes")
        check_range(count, 1, where="num")
        check_range(seed, 0, 2**32 - 1, where="seed")
        prior, sampling = self.settings(**settings)
        # No prefix, which would be another program for every mask.
        known = codes.astype(np.int32).repeat(count, 0), ~again.repeat(count, 0), 0
        batches = self._batches(
            functools.partial(self._draw, prior=prior, sampling=sampling),
            np.tile(np.arange(count, dtype=np.uint32), len(codes)),
            np.full(len(codes) * count, NO_CLASS, np.int32),
            jax.random.key(seed),
            known,
        )
        empty = np.zeros((0, *prior.layout.shape), np.int32)
        drawn = np.concatenate([empty, *(codes for codes, _ in batches)])
        return drawn.reshape(-1, count, *drawn.shape[1:])

    def _judged(self, judge: Callable, images: np.ndarray, labels: Wanted):
        """What `judge(variables, codes, labels)` returns of all images, by batches."""
        codes = self._codes(np.asarray(images))
        labels = NONE if labels is None else labels
        if isinstance(labels, int | str | np.integer):
            labels = [labels] * len(codes)
        if len(labels) != len(codes):
            raise InputError(f"labels are {len(labels)} and images {len(codes)}.")
        labels = each_label(labels, self.prior, self._classes)
        found = []
        # One batch of no image, too, so that the result has its axes.
        for start in range(0, max(1, len(codes)), self.batch_size):
            rows = slice(start, start + self.batch_size)
            missing = self.batch_size - len(codes[rows])
            nats = judge(
                self._variables,
                _padded(codes[rows], missing),
                _padded(labels[rows], missing),
            )
            found.append(np.asarray(nats)[: len(codes[rows])])
        return np.concatenate(found)

    @functools.cached_property
    def frequencies(self) -> CodeFrequencies:
        """What an entropy coder of this prior's codes codes with."""
        return CodeFrequencies(self.prior, self._variables)

    def _batches(self, draw, numbers, labels, key, known) -> Iterator:
        """Draws rows of these numbers; known are codes, their mask and its prefix."""
        for start in range(0, len(labels), self.batch_size):
            rows = slice(start, start + self.batch_size)
            missing = self.batch_size - len(labels[rows])
            part = None
            if known is not None:
                codes, mask = (_padded(array[rows], missing) for array in known[:2])
                part = Known(codes, mask, known[2])
            codes = draw(
                self._variables,
                key,
                _padded(numbers[rows], missing),
                _padded(labels[rows], missing),
                part,
            )
            yield np.asarray(codes)[: len(labels[rows])], labels[rows]

    @functools.cached_property
    def _draw(self) -> Callable:
        def draw(variables, key, numbers, labels, known, *, prior, sampling):
            keys = row_keys.numbered(key, numbers)
            return prior.apply(
                variables, keys, labels, sampling, known, method="sample"
            )

        return compiler.jit(draw, static_argnames=("prior", "sampling"))

    @functools.cached_property
    def _log_prob(self) -> Callable:
        return compiler.jit(functools.partial(self.prior.apply, method="log_prob"))

    @functools.cached_property
    def _token_nats(self) -> Callable:
        return compiler.jit(functools.partial(self.prior.apply, method="token_nats"))

    def _codes(self, images: np.ndarray) -> np.ndarray:
        if images.dtype == np.uint8:
            if images.shape[1:] != self.image_shape:
                shape = ", ".join(map(str, self.image_shape))
                raise InputError(
                    f"images are {images.shape}; the prior is one of images [n, "
                    f"{shape}]. (uint8 arrays are images; give codes as int32.)"
                )
            return self.tokenizer.encode(images)
        known_codes.check_codes(images, self.prior.layout, "codes")
        return images.astype(np.int32)


def _padded(array: np.ndarray, missing: int) -> np.ndarray:
    """With so many more rows of zeros."""
    return np.pad(array, ((0, missing),) + ((0, 0),) * (array.ndim - 1))
